"""The live screen: all that an operator has to see, on 80 columns, with STOP in the first line."""

from dataclasses import replace

import pytest
from rich.console import Console

from stimctl.cli.run.live_screen import LiveScreen
from stimctl.prescription import Prescription, from_file
from stimctl.profile import examples_folder
from stimctl.session.states import End, State
from stimctl.session.view import Alarm, OperatorMessage, Priority, SessionView, StateChanged
from stimctl.stimulators.discovery import identify
from stimctl.wire.codec import Channel, Impedance, Status
from stimctl.wire.codes import ChannelFlag, DeviceState
from tests.stimctl.session.world import forged

STATUS = Status(
    device_time_us=300_000_000, boot_id=1, state=DeviceState.RUNNING, segment=1, end_reason=0, zero=0, active_mask=3,
    session=1, stimulation_us=90_000_000, time_left_us=1_710_000_000, segment_left_us=1_500_000, hold_left_ms=0,
    keepalive_age_ms=130,
)  # fmt: skip


def reading(channel: int, flags: int = 0, ohm: int = 612) -> Channel:
    return Channel(
        channel=channel, flags=flags, target_ua=1_500, applied_ua=1_400, measured_ua=1_390, ohm=ohm, pulses_0=90,
        pulses_1=4_500, charge_0_pc=81_000_000, charge_1_pc=1_350_000_000, net_charge_pc=12,
        device_time_us=91_000_000,
    )  # fmt: skip


@pytest.fixture(scope="module")
def prescription() -> Prescription:
    return from_file(examples_folder() / "low-back-pain-both-sides.toml")


@pytest.fixture(scope="module")
def view() -> SessionView:
    return SessionView(
        state=State.RUNNING, end=None, identity=identify("sim://").identity, now_us=91_000_000, ceiling_ua=2_000,
        targets_ua={1: 1_500, 2: 1_500}, status=STATUS, channels={1: reading(1), 2: reading(2)}, impedances={},
        alarms=(), waits_for_operator=False, stop_after_us=None,
    )  # fmt: skip


def shown(
    prescription: Prescription, view: SessionView, *events: object, selected: int = 1, columns: int = 80
) -> list[str]:
    console = Console(width=columns, height=24, force_terminal=True, color_system=None)
    screen = LiveScreen(prescription, 91_000_000, console)
    screen.take(events)
    with console.capture() as captured:
        console.print(screen.drawing(view, selected))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_everything_an_operator_has_to_see(prescription: Prescription, view: SessionView) -> None:
    lines = shown(prescription, view)
    assert lines[0].split()[0] == "SIMULATOR"
    assert "low-back-pain 1.1.0" in lines[0]
    assert lines[0].endswith("STOP: s, space, q or Esc")
    text = "\n".join(lines)
    assert "running" in text
    assert "left 28:30 of 30:00" in text
    assert "band 100 Hz, 2 Hz in 1.5 s" in text
    assert "keepalive 130 ms" in text
    row = next(line for line in lines if line.startswith(">1"))
    assert row.split()[1:] == [
        "BL-23/BL-25", "left", "1.50", "mA", "1.40", "mA", "1.39", "mA", "2.00", "mA", "612", "good", "1.431", "mC",
    ]  # fmt: skip
    assert next(line for line in lines if line.startswith(" 2")).split()[1:3] == ["BL-23/BL-25", "right"]
    assert "needles on both sides of the spinal cord" in text
    assert "4.2 uC/cm2, k 0.71" in text
    assert "+ raise   - lower   1-4 channel   h hold" in text


def test_hardware_is_called_hardware(prescription: Prescription, view: SessionView) -> None:
    assert view.identity is not None
    hardware = replace(view, identity=replace(view.identity, simulator=False))
    assert shown(prescription, hardware)[0].split()[0] == "HARDWARE"
    assert shown(prescription, replace(view, identity=None))[0].split()[0] == "CONNECTING"


def test_a_narrow_screen_keeps_stop_and_what_it_is(prescription: Prescription, view: SessionView) -> None:
    first = shown(prescription, view, columns=50)[0]
    assert "SIMULATOR" in first
    assert "STOP: s, space, q or Esc" in first


def test_an_alarm_stands_on_top_with_what_to_do(prescription: Prescription, view: SessionView) -> None:
    alarm = Alarm(Priority.HIGH, "no zero output confirmed", "PULL THE LEADS", 90_000_000)
    assert shown(prescription, replace(view, alarms=(alarm,)))[1].strip() == (
        "HIGH: no zero output confirmed -> PULL THE LEADS"
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State.TESTED, "Outputs read zero: connect the leads, then press Enter."),
        (State.CHECKED, "press Enter to start the ramp"),
        (State.HELD, "press Enter to check the contacts again"),
        (State.RECHECKED, "press Enter to ramp up again, from zero"),
    ],
)
def test_where_it_waits_it_says_for_what(
    state: State, said: str, prescription: Prescription, view: SessionView
) -> None:
    assert said in shown(prescription, replace(view, state=state, waits_for_operator=True))[1]
    assert said not in "\n".join(shown(prescription, replace(view, state=state)))


def test_a_hold_says_how_long_it_may_last(prescription: Prescription, view: SessionView) -> None:
    held = replace(view, state=State.HELD, status=STATUS._replace(hold_left_ms=599_000))
    assert "hold ends in 9:59" in "\n".join(shown(prescription, held))


@pytest.mark.parametrize(
    ("flags", "ohm", "said"),
    [
        (0, 612, "good"),
        (0, 6_000, "BAD"),
        (0, 20, "BAD"),
        (0, 0, "-"),
        (ChannelFlag.LEAD_OFF, 65_535, "OFF"),
        (ChannelFlag.SHORT, 8, "SHORT"),
        (ChannelFlag.COMPLIANCE, 5_500, "AT THE RAIL"),
        (ChannelFlag.OVER_CURRENT, 612, "OVER-CURRENT"),
    ],
)
def test_contact_in_a_word(flags: int, ohm: int, said: str, prescription: Prescription, view: SessionView) -> None:
    channels = {1: reading(1, flags, ohm), 2: reading(2)}
    row = next(line for line in shown(prescription, replace(view, channels=channels)) if line.startswith(">1"))
    assert f" {said} " in row


def test_ohms_of_the_check_stand_until_pulses_measure(prescription: Prescription, view: SessionView) -> None:
    checked = replace(view, channels={}, impedances={1: Impedance(1, 750, 10, 100, 99, 200_000, 0)})
    row = next(line for line in shown(prescription, checked) if line.startswith(">1"))
    assert "  750 " in row


def test_messages_count_from_the_sessions_beginning(prescription: Prescription, view: SessionView) -> None:
    events = (StateChanged(State.RUNNING, 93_000_000), OperatorMessage("a raise was refused", 154_000_000))
    lines = shown(prescription, view, *events)
    assert "0:02 running" in lines
    assert "1:03 a raise was refused" in lines


def test_the_end_and_its_reason(prescription: Prescription, view: SessionView) -> None:
    assert "stopping (over-current)" in "\n".join(
        shown(prescription, replace(view, state=State.STOPPING, end=End.OVER_CURRENT))
    )


def test_what_will_not_be_reached_is_said_while_it_can_be_helped(prescription: Prescription, view: SessionView) -> None:
    said = "! channel 2: 0.90 mA will be reached, not 1.50 mA: too little time is left"
    assert said in shown(prescription, replace(view, will_reach_ua={1: 1_500, 2: 900}))
    assert said not in shown(prescription, replace(view, will_reach_ua={1: 1_500, 2: 1_500}))
    assert said not in shown(prescription, replace(view, will_reach_ua={1: 1_500, 2: 900}, state=State.HELD))


def test_a_rehearsal_is_one_from_the_first_line(prescription: Prescription, view: SessionView) -> None:
    rehearsal = forged(prescription, rehearsal=True)
    assert shown(rehearsal, view)[0].split()[0] == "REHEARSAL"
    assert shown(rehearsal, replace(view, identity=None))[0].split()[0] == "REHEARSAL"
