"""Which stimulator is at a port: as it was named, or found by three fixed questions that start nothing.

The questions are no orders on any of these devices. A StimJim of dialect A answers none of them and has to be named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stimctl.errors import Misuse, WireError, WrongDevice
from stimctl.port import Port
from stimctl.stimulators.base import Stimulator
from stimctl.stimulators.lease.adapter import Leased
from stimctl.stimulators.native import Native, hello_number
from stimctl.stimulators.pulsepal.adapter import PulsePal
from stimctl.stimulators.pulsepal.gate import HANDSHAKE
from stimctl.stimulators.pulsepal.isolator import Isolator, declared
from stimctl.stimulators.stimjim.adapter import DIALECTS
from stimctl.stimulators.stimjim.gate import IDENTIFY
from stimctl.stimulators.stimjim.parser import Named, Reader
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Refusal
from stimctl.wire.framing import DELIMITER, FrameSplitter

DEVICES = ("native", "stimjim", "pulsepal", "auto")
ANSWER_US = 300_000
HELLO = m.encode(hello_number(1), m.Hello(PROTOCOL_VERSION))
# The line end before and after clears what the other questions left in a StimJim's line.
PROBES = {"native": DELIMITER + HELLO, "stimjim": b"\n" + IDENTIFY, "pulsepal": HANDSHAKE}
CLEAR_LINE = b"\n"
_REMEMBERED = 8_192  # bytes of what was heard since a question, for a line that never falls silent
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said of the device. Raises `Misuse` for what does not go together.

    `isolator` is a PulsePal's, in mA per volt: it has no default, because a wrong one is a wrong current. Its offset in
    uA and its bandwidth in kHz say how sure the dose is.
    """

    device: str = "native"
    dialect: str | None = None
    isolator: str | None = None
    isolator_offset: str | None = None
    isolator_bandwidth: str | None = None

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise Misuse(f"device: {self.device!r} is not one of {', '.join(DEVICES)}")
        if self.dialect is not None and (self.device != "stimjim" or self.dialect not in DIALECTS):
            raise Misuse(f"dialect: {self.dialect!r} belongs to --device stimjim and is one of {', '.join(DIALECTS)}")
        if self.isolator is not None:
            if self.device not in ("pulsepal", "auto"):
                raise Misuse(f"isolator: belongs to a PulsePal, not to --device {self.device}")
            _ = self.declared
        elif self.device == "pulsepal":
            raise Misuse("isolator: say how many mA per volt the isolator gives; there is no default")
        elif self.isolator_offset is not None or self.isolator_bandwidth is not None:
            raise Misuse("isolator: its offset and bandwidth belong to one whose mA per volt are said too")

    @property
    def declared(self) -> Isolator:
        """The isolator. Raises `Misuse`."""
        if self.isolator is None:
            raise Misuse("a PulsePal is at the port: say how many mA per volt its isolator gives, with --isolator")
        return declared(self.isolator, self.isolator_offset, self.isolator_bandwidth)


NATIVE = Choice()


def stimulator(choice: Choice, port: Port, first_sequence: int = 0) -> Stimulator:
    """The adapter for what is at `port`. Raises `WrongDevice` when it is not found, `LineLost`."""
    device, dialect = choice.device, choice.dialect
    if device == "auto":
        device, dialect = detect(port)
    elif device == "stimjim" and dialect is None:
        # Silence is dialect A's answer; its first echo proves it.
        dialect = _stimjim_dialect(port) or "a"
    if device == "native":
        return Native(first_sequence)
    if device == "stimjim":
        assert dialect is not None
        return Leased(DIALECTS[dialect](simulator=port.virtual))
    return Leased(PulsePal(choice.declared, simulator=port.virtual))


def detect(port: Port) -> tuple[str, str | None]:
    """Device and dialect at `port`. Raises `WrongDevice` when nothing answers a question that starts nothing."""
    if _ask(port, "native", _is_native):
        return "native", None
    dialect = _stimjim_dialect(port)
    if dialect is not None:
        return "stimjim", dialect
    if _ask(port, "pulsepal", lambda heard: len(heard) >= 5 and heard[-5] in b"KWS"):
        return "pulsepal", None
    port.write(CLEAR_LINE)
    raise WrongDevice(
        "nobody answered a question that starts nothing. A StimJim of dialect A never does: name it with "
        "--device stimjim --dialect a; otherwise look at the port and its cable"
    )


def _ask(port: Port, device: str, answer_in: Callable[[bytes], _T | None]) -> _T | None:
    """What `answer_in` finds in what is heard, the newest of it, after a question."""
    port.write(PROBES[device])
    until_us = port.now_us() + ANSWER_US
    heard = b""
    while port.now_us() < until_us:
        heard = (heard + port.wait(until_us))[-_REMEMBERED:]
        if answer := answer_in(heard):
            return answer
    return None


def _is_native(heard: bytes) -> bool:
    for payload in FrameSplitter().feed(heard):
        try:
            answer = m.parse(payload)[1]
        except WireError:
            continue
        # One that speaks another version refuses our Hello in the same bytes: it is asked again, and named.
        other_version = isinstance(answer, m.Refused) and answer.reason == Refusal.UNSUPPORTED_VERSION
        if other_version or isinstance(answer, m.Welcome):
            return True
    return False


def _stimjim_dialect(port: Port) -> str | None:
    def named(heard: bytes) -> str | None:
        return next((said.dialect for said in Reader().feed(heard) if isinstance(said, Named)), None)

    return _ask(port, "stimjim", named)
