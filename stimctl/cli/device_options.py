"""The options `--device`, `--dialect` and `--isolator`, for stimulators that are not native ones."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

_DEVICE = "The device at the port; auto asks questions that start nothing. [default: native]"
_DIALECT = "A StimJim's dialect; without it the device is asked."
_ISOLATOR = "A PulsePal's stimulus isolator: mA for each volt. No default."


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the three options, as one `choice`. A combination that makes no sense is a `Misuse`."""

    @click.option("--device", type=click.Choice(["native", "stimjim", "pulsepal", "auto"]), help=_DEVICE)
    @click.option("--dialect", type=click.Choice(["a", "b", "c"]), help=_DIALECT)
    @click.option("--isolator", metavar="MA_PER_VOLT", help=_ISOLATOR)
    @wraps(command)
    def with_choice(*args: Any, device: str | None, dialect: str | None, isolator: str | None, **options: Any) -> Any:
        # Here, because a session brings much with it that `--help` does not need.
        from stimctl.stimulators.discovery import DeviceChoice

        return command(*args, choice=DeviceChoice(device or "native", dialect, isolator), **options)

    return with_choice
