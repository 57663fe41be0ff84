"""The stimulator at a port: three questions, none of which starts anything on any of the devices."""

from collections import Counter
from contextlib import suppress

import pytest

from firmware_sim.analog.recorder import Flow, FlowKind, Recorder
from firmware_sim.factory import DeviceSpec
from firmware_sim.native.device import Device
from firmware_sim.pulsepal import FIRMWARES
from firmware_sim.stimjim import DIALECTS
from stimctl.errors import Misuse, WrongDevice
from stimctl.stimulators.discovery import (
    CLEAR_LINE,
    HELLO,
    PROBES,
    DeviceChoice,
    detect,
    handshake,
    identify,
    stimulator,
)
from stimctl.stimulators.native import STOP_FRAME, NativeAdapter, hello_number
from stimctl.wire.codec import SHAPE_OF, Hello, Refused, encode
from stimctl.wire.codes import PROTOCOL_VERSION, Refusal
from tests.stimctl.session.world import Line
from tests.stimctl.stimulators.bench import S, port_of

PLAIN = [
    DeviceSpec("native"),
    *(DeviceSpec("stimjim", dialect=dialect) for dialect in DIALECTS),
    *(DeviceSpec("pulsepal", firmware=firmware) for firmware in FIRMWARES),
]
EVERY = [
    *PLAIN,
    *(DeviceSpec("stimjim", dialect=dialect, faults=fault) for dialect, jim in DIALECTS.items() for fault in jim.extra),
    *(
        DeviceSpec("pulsepal", firmware=firmware, faults=fault)
        for firmware, pal in FIRMWARES.items()
        for fault in pal.extra
    ),
]
NAMES = [f"{which.device}-{which.dialect or which.firmware or ''}-{which.faults or ''}" for which in EVERY]


@pytest.mark.parametrize("which", EVERY, ids=NAMES)
@pytest.mark.parametrize("probes", [[*PROBES.values(), CLEAR_LINE], list(PROBES.values()) * 3])
def test_no_probe_gives_output_on_any_device(which: DeviceSpec, probes: list[bytes]) -> None:
    recorder = Recorder()
    device = which.make(seed=1, load="r1k", recorder=recorder)
    now_us = 0
    for probe in probes:
        now_us += S
        device.receive(probe, now_us)
        device.advance(now_us + S // 2)
    device.advance(now_us + 10 * S)
    assert not flowed(recorder)


@pytest.mark.parametrize("which", EVERY, ids=NAMES)
def test_detection_itself_gives_no_output_on_any_device(which: DeviceSpec) -> None:
    """With whatever it does when it has found one, or none."""
    recorder = Recorder()
    port = port_of(which.make(seed=1, load="r1k", recorder=recorder))
    with suppress(WrongDevice):
        detect(port)
    port.wait(port.now_us() + 5 * S)
    assert not flowed(recorder)


def flowed(recorder: Recorder) -> list[Flow]:
    return [flow for channel in recorder.channels for kind in FlowKind for flow in recorder.flows(channel, kind)]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        (DeviceSpec("native"), ("native", None)),
        (DeviceSpec("stimjim", dialect="b"), ("stimjim", "b")),
        (DeviceSpec("stimjim", dialect="c"), ("stimjim", "c")),
        (DeviceSpec("pulsepal", firmware="21"), ("pulsepal", None)),
        (DeviceSpec("pulsepal", firmware="22"), ("pulsepal", None)),
    ],
    ids=str,
)
def test_what_answers_is_found(which: DeviceSpec, found: tuple[str, str | None]) -> None:
    assert detect(port_of(which.make(seed=1, load="r1k"))) == found


class OfVersion1(Device):
    """A native device whose firmware is older than this host."""

    def _hello(self, sequence: int, order: Hello) -> None:
        refused = Refused(SHAPE_OF[Hello].kind, Refusal.UNSUPPORTED_VERSION, order.version, 1)
        self._reply(sequence, refused)


def test_a_native_device_of_another_version_is_found_to_be_named() -> None:
    assert detect(port_of(OfVersion1(seed=1, load="r1k"))) == ("native", None)


def test_what_answers_nothing_has_to_be_named() -> None:
    with pytest.raises(WrongDevice, match="--device stimjim --dialect a"):
        detect(port_of(DeviceSpec("stimjim", dialect="a").make(seed=1, load="r1k")))


@pytest.mark.parametrize("dialect", ["a", "b", "c"])
def test_a_stimjim_tells_its_dialect(dialect: str) -> None:
    found = identify(f"sim://?device=stimjim&dialect={dialect}", DeviceChoice("stimjim"))
    assert found.identity.model == f"StimJim dialect {dialect.upper()}"
    assert found.identity.by_lease


def test_auto_is_as_good_as_named() -> None:
    assert identify("sim://", DeviceChoice("auto")).identity.model == identify("sim://").identity.model
    found = identify("sim://?device=pulsepal&firmware=21", DeviceChoice("auto", isolator="1"))
    assert found.identity.firmware == "21"


def test_a_pulsepal_found_by_auto_needs_its_isolator() -> None:
    with pytest.raises(Misuse, match="--isolator"):
        identify("sim://?device=pulsepal", DeviceChoice("auto"))


@pytest.mark.parametrize(
    ("device", "dialect", "isolator"),
    [
        ("toaster", None, None),
        ("native", "a", None),
        ("stimjim", "d", None),
        ("native", None, "1"),
        ("stimjim", None, "1"),
        ("pulsepal", None, None),
        ("pulsepal", None, "0"),
    ],
)
def test_what_does_not_go_together_is_refused(device: str, dialect: str | None, isolator: str | None) -> None:
    with pytest.raises(Misuse):
        DeviceChoice(device, dialect, isolator)


def test_a_wrong_device_is_not_taken_for_another() -> None:
    for which, choice in [
        (DeviceSpec("pulsepal", firmware="22"), DeviceChoice("stimjim", dialect="a")),
        (DeviceSpec("stimjim", dialect="a"), DeviceChoice("pulsepal", isolator="1")),
        (DeviceSpec("stimjim", dialect="c"), DeviceChoice("stimjim", dialect="b")),
        (DeviceSpec("native"), DeviceChoice("stimjim", dialect="a")),
        (DeviceSpec("native"), DeviceChoice("pulsepal", isolator="1")),
    ]:
        port = port_of(which.make(seed=1, load="r1k"))
        adapter = stimulator(choice, port)
        adapter.connect(port.now_us())
        kinds = set()
        for _ in range(200):
            out = adapter.take_output()
            if out:
                port.write(out)
            data = port.wait(min(port.now_us() + S // 10, adapter.next_deadline_us() or 10 * S))
            told = [*adapter.receive(data, port.now_us()), *adapter.advance(port.now_us())]
            kinds |= {type(each).__name__ for each in told}
        assert "Identified" not in kinds, (which, choice)


def test_the_native_way_is_untouched() -> None:
    assert isinstance(stimulator(DeviceChoice(), port_of(DeviceSpec("native").make(seed=1, load="r1k"))), NativeAdapter)


def test_the_hello_holds_no_byte_that_begins_a_command_elsewhere() -> None:
    assert 0xD5 not in HELLO
    assert HELLO[:1] not in [bytes([letter]) for letter in b"STURMAVEBCDX"]


# --- a board that boots when its port is opened ---------------------------------------------------------

BOOTS_US = 1_600_000  # an Arduino's


class Booting(Line):
    """A line whose device hears nothing for a while."""

    def write(self, data: bytes) -> None:
        if self.now_us() >= BOOTS_US:
            super().write(data)


@pytest.mark.parametrize(
    ("spec", "choice"),
    [
        (DeviceSpec("native"), DeviceChoice("native")),
        (DeviceSpec("native"), DeviceChoice("auto")),
        (DeviceSpec("stimjim", dialect="b"), DeviceChoice("auto")),
        (DeviceSpec("stimjim", dialect="c"), DeviceChoice("stimjim")),
        *((DeviceSpec("stimjim", dialect=each), DeviceChoice("stimjim", each)) for each in "abc"),
        (DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", isolator="1")),
        (DeviceSpec("pulsepal", firmware="22"), DeviceChoice("auto", isolator="1")),
    ],
    ids=str,
)
def test_a_board_that_boots_when_its_port_is_opened_is_waited_for(spec: DeviceSpec, choice: DeviceChoice) -> None:
    port = Booting(port_of(spec.make(seed=1, load="r1k")))
    found = handshake(port, stimulator(choice, port))
    assert found.identity.model
    assert BOOTS_US <= port.now_us() < 2 * BOOTS_US


def first_bytes(first_sequence: int) -> bytes:
    """What an adapter for a native device sends before it has an answer."""
    native = NativeAdapter(first_sequence)
    native.connect(0)
    return native.take_output()


@pytest.fixture(scope="module")
def hellos() -> frozenset[bytes]:
    """What each of the first numbers that there are sends."""
    return frozenset(map(first_bytes, range(0x10000)))


def test_nothing_that_goes_out_before_a_native_answer_is_a_command_elsewhere(hellos: frozenset[bytes]) -> None:
    """A StimJim acts on what stands before a line end, a PulsePal on what stands behind 213."""
    before = [*hellos, HELLO, STOP_FRAME, encode(1, Hello(PROTOCOL_VERSION))]
    assert len(before) > 60_000
    assert not [data for data in before if {0x0A, 0x0D, 0xD5} & {*data}]


def test_the_number_that_was_asked_for_is_used_where_it_is_harmless() -> None:
    numbers = Counter(hello_number(first) - first > 0 for first in range(0x10000))
    assert 0 < numbers[True] < 0x10000 // 10
    assert hello_number(0x10000 + 7) == hello_number(7)


@pytest.mark.parametrize("which", PLAIN, ids=str)
def test_no_hello_gives_output_on_any_device(which: DeviceSpec, hellos: frozenset[bytes]) -> None:
    """Each with a line end behind it, as of the question that follows."""
    recorder = Recorder()
    device = which.make(seed=1, load="r1k", recorder=recorder)
    for number, hello in enumerate(hellos):
        device.receive(hello + PROBES["stimjim"][:1], number)
    device.take_output()
    device.advance(S)
    assert not flowed(recorder)
