"""Finds the stimulator at a port, by name or by three fixed questions that start nothing, and identifies it.

The questions are no commands on any of these devices. A StimJim of dialect A answers none of them and has to be named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from stimctl.errors import LineFault, LineLost, Misuse, NotSent, WireError, WrongDevice
from stimctl.limits import STOP_RESEND_US
from stimctl.port import Port, open_port
from stimctl.stimulators.base import DeviceIdentified, Intruded, Stimulator, StimulatorFailed, earliest
from stimctl.stimulators.command_writer import CommandWriter
from stimctl.stimulators.exchange import BOOT_US
from stimctl.stimulators.lease.adapter import LeaseAdapter
from stimctl.stimulators.native import NativeAdapter, hello_number
from stimctl.stimulators.pulsepal.adapter import DEAF, PulsePalAdapter
from stimctl.stimulators.pulsepal.gate import HANDSHAKE
from stimctl.stimulators.pulsepal.isolator import Isolator, declared
from stimctl.stimulators.stimjim.dialects import DIALECTS
from stimctl.stimulators.stimjim.gate import IDENTIFY
from stimctl.stimulators.stimjim.parser import IdnReply, StimJimParser
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
class DeviceChoice:
    """The user's choice of a device. Raises `Misuse` for what does not go together.

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


NATIVE = DeviceChoice()


def choice_for(url: str) -> DeviceChoice:
    """What is at a port when nobody has said it: a native device, or the one that a simulator's URL asks for."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() != "sim":
        return NATIVE
    options = dict(parse_qsl(rest.partition("?")[2]))
    device = options.get("device", "native")
    if device == "stimjim":
        return DeviceChoice(device, options.get("dialect", "a"))
    if device == "pulsepal":
        return DeviceChoice(device, isolator=options.get("isolator", "1"))
    return NATIVE  # whatever else stands there is the simulator's to refuse


def stimulator(choice: DeviceChoice, port: Port, first_sequence: int = 0) -> Stimulator:
    """The adapter for what is at `port`. Raises `WrongDevice` when it is not found, `LineLost`."""
    device, dialect = choice.device, choice.dialect
    if device == "auto":
        device, dialect = detect(port)
    elif device == "stimjim" and dialect is None:
        # Silence is dialect A's answer; its first echo proves it.
        dialect = _stimjim_dialect(port, BOOT_US) or "a"
    elif device == "pulsepal":
        _ask(port, "pulsepal", _is_pulsepal, BOOT_US)  # one that boots now is waited for; the adapter asks for itself
    if device == "native":
        return NativeAdapter(first_sequence)
    if device == "stimjim":
        assert dialect is not None
        return LeaseAdapter(DIALECTS[dialect](simulator=port.virtual))
    return LeaseAdapter(PulsePalAdapter(choice.declared, simulator=port.virtual))


def detect(port: Port) -> tuple[str, str | None]:
    """Device and dialect at `port`. Raises `WrongDevice` when nothing answers a question that starts nothing.

    A board that boots when its port is opened is asked again for 3 s, and so is one whose port takes nothing; then that
    raises `NotSent`.
    """
    until_us, refused = port.now_us() + BOOT_US, None
    while port.now_us() < until_us:
        try:
            if _ask(port, "native", _is_native):
                return "native", None
            if dialect := _stimjim_dialect(port):
                return "stimjim", dialect
            if _ask(port, "pulsepal", _is_pulsepal):
                return "pulsepal", None
            port.write(CLEAR_LINE)
            refused = None
        except NotSent as short:
            refused = short
    raise refused or WrongDevice(
        "no known device answered at this port. A StimJim of dialect A never does: name it with "
        f"--device stimjim --dialect a; otherwise look at the port and its cable. Is it a PulsePal? {DEAF}"
    )


def identify(url: str, choice: DeviceChoice | None = None) -> DeviceIdentified:
    """Who answers at `url`, and how long after it was opened.

    Raises `LineFault` when nobody does, `WrongDevice` for another protocol version.

    A handshake ends a session that the device has open: the device then belongs to who asked last. A device that
    has no such thing is stopped, and what it could play by itself is made harmless.
    """
    port = open_port(url)
    try:
        opened_us = port.now_us()
        # Not the number that the last connection began with: an answer left over from it must not fit.
        found = handshake(port, stimulator(choice or choice_for(url), port, opened_us))
        return found._replace(answered_us=port.now_us() - opened_us)
    finally:
        port.close()


def handshake(port: Port, device: Stimulator) -> DeviceIdentified:
    """Who answers at an open port. Raises what the device's adapter found wrong, and `LineFault`."""
    try:
        return _shake_hands(port, device)
    except LineFault as fault:
        if device.may_stay_driven:
            raise LineLost(f"{fault}. Its output may stay driven: PULL THE LEADS") from fault
        raise


def _shake_hands(port: Port, device: Stimulator) -> DeviceIdentified:
    device.connect(port.now_us())
    writer = CommandWriter(port.write, device.follow_cut)
    while True:
        output = device.take_output()
        if (output or writer.owed) and writer.send(output):
            device.wrote(port.now_us())
        data = port.wait(earliest(device.next_deadline_us(), port.now_us() + STOP_RESEND_US if writer.owed else None))
        now_us = port.now_us()
        for event in [*device.receive(data, now_us), *device.advance(now_us)]:
            if isinstance(event, DeviceIdentified):
                return event
            if isinstance(event, StimulatorFailed):
                # Nobody answers what the port did not take.
                raise writer.fault if writer.fault and isinstance(event.error, LineFault) else event.error
            if isinstance(event, Intruded):
                raise WrongDevice(event.text)


def _ask(port: Port, device: str, answer_in: Callable[[bytes], _T | None], patience_us: int = ANSWER_US) -> _T | None:
    """What `answer_in` finds in the reply, the newest of it, to a question that is asked again all the time.

    Raises `NotSent` where the port did not take it the last time.
    """
    end_us, reply, refused = port.now_us() + patience_us, b"", None
    while port.now_us() < end_us:
        try:
            port.write(PROBES[device])
            refused = None
        except NotSent as short:
            refused = short
        until_us = port.now_us() + (ANSWER_US if refused is None else STOP_RESEND_US)
        while port.now_us() < until_us:
            reply = (reply + port.wait(until_us))[-_REMEMBERED:]
            if answer := answer_in(reply):
                return answer
    if refused is not None:
        raise refused
    return None


def _is_pulsepal(reply: bytes) -> bool:
    return len(reply) >= 5 and reply[-5] in b"KWS"


def _is_native(reply: bytes) -> bool:
    for payload in FrameSplitter().feed(reply):
        try:
            answer = m.parse(payload)[1]
        except WireError:
            continue
        # One that speaks another version refuses our Hello in the same bytes: it is asked again, and named.
        other_version = isinstance(answer, m.Refused) and answer.reason == Refusal.UNSUPPORTED_VERSION
        if other_version or isinstance(answer, m.Welcome):
            return True
    return False


def _stimjim_dialect(port: Port, patience_us: int = ANSWER_US) -> str | None:
    def named(reply: bytes) -> str | None:
        return next((said.dialect for said in StimJimParser().feed(reply) if isinstance(said, IdnReply)), None)

    return _ask(port, "stimjim", named, patience_us)
