"""PulsePal (Sanworks), simulated from its published protocol: firmware 21 and 22."""

from collections.abc import Callable
from typing import Any

FIRMWARES: dict[str, Callable[..., Any]] = {}
