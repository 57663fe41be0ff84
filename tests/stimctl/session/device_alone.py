"""The device alone: the driver's check is gone, bytes go straight to a whole device, as from a driver without limits.

Each function shows one limit: the device refuses with the right reason and no output, or ends the output by itself.
"""

from collections.abc import Callable
from typing import Any

import pytest

from firmware_sim.analog.converter import Converter, Dac, Switch
from firmware_sim.analog.load import load_named
from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native import gate
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Purpose, Refusal, SelfTestFailure
from tests.firmware_sim.conftest import Host

Patch = pytest.MonkeyPatch
PULSE_US = 1_300
S = 1_000_000


class Bare(Host):
    """A host that sends what it is told, and what flowed in the load meanwhile."""

    def __init__(self, **options: Any) -> None:
        self.recorder = Recorder()
        super().__init__(recorder=self.recorder, **options)

    def trains(self) -> int:
        return sum(self.recorder.pulses(number) for number in self.recorder.channels)

    def refuses(self, message: Any, reason: Refusal) -> None:
        """The device refuses it, and nothing flows: not then, and not in the second after."""
        before = self.trains()
        answer = self.ask(message)
        assert isinstance(answer, m.Refused), f"the device took {message} and answered {answer}: {reason.name} is due"
        assert answer.reason == reason, f"the device refused {message} with {Refusal(answer.reason).name}"
        if before == 0:
            self.wait(1_000_000)
            assert self.trains() == 0, f"the device refused {message}, and gives pulses all the same"

    def zero_after(self, reason: EndReason, at_us: int) -> None:
        """The device ended by itself for this reason, and nothing flowed after `at_us`."""
        assert self.state is DeviceState.ENDED, f"the device is {self.state.name}: {reason.name} should have ended it"
        session = self.machine.flash.session
        assert session is not None
        assert session.end_reason == reason, f"the device ended with {EndReason(session.end_reason).name}"
        last_us = self.recorder.end_us()
        assert last_us <= at_us, f"current flowed until {last_us} us, {last_us - at_us} us too long"
        self.wait(50_000, alive=False)
        assert self.machine.zero.sure, "the device does not measure zero 50 ms after its end"


def refuses_segment(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, given a segment with these values in a program of two."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.IDLE)
        host.ask(m.LoadProgram(2, 1, 200, 5_000_000))
        assert isinstance(host, Bare)
        host.refuses(m.LoadSegment(0, 10_000, 200, 0, 200, 3_000_000)._replace(**changes), reason)

    return show


def refuses_head(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, given the head of a program with these values."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.IDLE)
        assert isinstance(host, Bare)
        host.refuses(m.LoadProgram(1, 1, 200, 5_000_000)._replace(**changes), reason)

    return show


def refuses_arm(reason: Refusal, **changes: int) -> Callable[[Patch], None]:
    """The device alone, armed with these values."""

    def show(_patch: Patch) -> None:
        host = Bare().to(DeviceState.TESTED)
        assert isinstance(host, Bare)
        order = m.Arm(0, 1, 2_000, 60_000_000, 5_000, host.digest_head)
        host.refuses(order._replace(**changes), reason)

    return show


def running(**options: Any) -> Bare:
    """A whole device that runs, at 0.6 and 0.5 mA and 100 Hz on channels 1 and 2."""
    host = Bare(**options).to(DeviceState.RUNNING)
    assert isinstance(host, Bare)
    return host


class Scaled:
    """A converter that gives `percent` of what is asked for, forward and back."""

    def __init__(self, forward_percent: int, back_percent: int) -> None:
        self._percent = forward_percent, back_percent
        self._whole: Converter = Dac()

    def current_na(self, amplitude_ua: int) -> int:
        return self._whole.current_na(amplitude_ua) * self._percent[amplitude_ua < 0] // 100


def peak(_patch: Patch) -> None:
    """Above the armed ceiling, and a second phase that would be higher than the first."""
    host = running()
    assert host.armed is not None
    host.refuses(m.SetTarget(host.armed.nonce, 1, 2_001), Refusal.ABOVE_LIMIT)
    refuses_arm(Refusal.ABOVE_LIMIT, ceiling_ua=2_001)(_patch)
    refuses_segment(Refusal.BELOW_LIMIT, width_us=300, second_width_us=299)(_patch)


def lowering(_patch: Patch) -> None:
    """Any lower value is applied, at the next pulse: also one that the driver would never send."""
    host = running()
    assert host.armed is not None
    answer = host.ask(m.SetTarget(host.armed.nonce, 1, 123))
    assert isinstance(answer, m.TargetSet), answer
    host.wait(20_000)
    (last, *_) = reversed(host.recorder.flows(1))
    assert abs(last.shape.first_na - 123_000) <= 1_250
    assert last.first_us - host.now_us <= 10_000


def raising(_patch: Patch) -> None:
    host = running()
    assert host.armed is not None
    host.refuses(m.SetTarget(host.armed.nonce, 1, 701), Refusal.RAISE_TOO_LARGE)
    assert isinstance(host.ask(m.SetTarget(host.armed.nonce, 1, 700)), m.TargetSet)
    host.wait(999_999)
    host.refuses(m.SetTarget(host.armed.nonce, 1, 701), Refusal.RAISE_TOO_SOON)
    refuses_head(Refusal.ABOVE_LIMIT, ramp_slope_ua_per_s=381)(_patch)


def charge(patch: Patch) -> None:
    """With width and amplitude opened, the gate's cap on charge ends the session before the pulse that breaks it."""
    for name in ("MAX_AMPLITUDE_UA", "MAX_WIDTH_US"):
        patch.setattr(gate, name, 65_535)
    host = Bare().to(DeviceState.IDLE)
    assert isinstance(host, Bare)
    host.load(m.LoadSegment(0, 10_000, 1_000, 0, 1_000, 0), mask=1, slope=380)
    host.arm(channel_mask=1, ceiling_ua=2_000)
    assert host.armed is not None
    host.ask(m.Start(host.armed.nonce, 2_000, 0, 0, 0))
    host.wait(10_000_000)
    host.zero_after(EndReason.GATE, host.now_us)
    most_fc = max(flow.shape.first_na * flow.shape.width_us for flow in host.recorder.flows(1))
    assert most_fc <= 1_200_000_000 + 625 * 1_000, "and half a step of the converter"


def balance(_patch: Patch) -> None:
    """No whole amplitude but a coarse one gives 150 us and 1 199 us equal areas."""
    refuses_segment(Refusal.UNBALANCED, width_us=150, second_width_us=1_199)(_patch)
    permitted = gate.OutputPulse(1_000, 200, 0, 1_000, 200, 10_000)
    assert gate.permit(DeviceState.RUNNING, 2_000, 1_000, permitted)
    assert not gate.permit(DeviceState.RUNNING, 2_000, 1_000, permitted._replace(second_ua=999))


def net_charge(_patch: Patch) -> None:
    host = running()
    host.machine.stage.refit(1, dac=Scaled(100, 90))
    broke_us = host.now_us
    host.wait(50_000)
    host.zero_after(EndReason.NET_CHARGE, broke_us + 10_000 + PULSE_US)


def time(_patch: Patch) -> None:
    """Its own timer ends the session although the keepalives go on."""
    refuses_arm(Refusal.ABOVE_LIMIT, stimulation_limit_us=1_800_000_001)(_patch)
    host = running()
    started_us = host.recorder.flows(1)[0].first_us
    host.wait(100_000_000)
    host.zero_after(EndReason.TIMER, started_us + 60_000_000)


def hold(_patch: Patch) -> None:
    host = running()
    host.ask(m.Hold())
    held_us = host.now_us
    host.wait(600_000_000)
    host.zero_after(EndReason.HOLD_EXPIRED, held_us + PULSE_US)


def session(_patch: Patch) -> None:
    """45 minutes, although each hold stayed under its ten."""
    host = running()
    began_us = host.now_us
    while host.state is not DeviceState.ENDED and host.now_us < began_us + 3_000 * S:
        host.ask(m.Hold())
        host.wait(500 * S)
        if isinstance(host.arm(), m.Armed):
            host.start()
            host.wait(S)
    host.zero_after(EndReason.SESSION_EXPIRED, 2_700 * S + PULSE_US)


def keepalive(_patch: Patch) -> None:
    host = running()
    host.wait(250_000)
    alive_us = host.now_us
    host.wait(1_500_000, alive=False)
    host.zero_after(EndReason.WATCHDOG, alive_us + 1_000_000 + PULSE_US)


def over_current(_patch: Patch) -> None:
    host = running()
    host.machine.stage.refit(1, dac=Scaled(150, 150))
    broke_us = host.now_us
    host.wait(50_000)
    (*_, cut) = host.recorder.flows(1)
    assert cut.shape.width_us < 1_000, "cut within 1 ms, in mid-pulse"
    assert cut.shape.second_na == 0
    host.zero_after(EndReason.OVER_CURRENT, broke_us + 10_000 + 1_000)


def lead_off(_patch: Patch) -> None:
    host = running()
    for each in host.machine.stage._channels.values():
        each._load = load_named("open")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(100_000)
    assert host.state is DeviceState.HELD
    assert host.machine.hold_reason == EndReason.LEAD_OFF
    assert host.recorder.end_us() <= broke_us + 3 * 10_000 + PULSE_US
    assert host.machine.zero.sure


def short(_patch: Patch) -> None:
    host = running()
    for each in host.machine.stage._channels.values():
        each._load = load_named("short")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(100_000)
    host.zero_after(EndReason.SHORT, broke_us + 3 * 10_000 + PULSE_US)


class Leaking(Switch):
    """20 uA, and as much as the readback may read too low, on an output that is off."""

    def leak_na(self, now_us: int) -> int:
        return 24_000 + 0 * now_us


def zero(_patch: Patch) -> None:
    """It does not say zero before 20 ms, nor while 20 uA flow."""
    host = running()
    assert host.ask(m.Stop()).zero == 0
    host.wait(15_000, alive=False)
    assert host.ask(m.Stop()).zero == 0
    host.wait(15_000, alive=False)
    assert host.ask(m.Stop()).zero == 1
    leaking = running()
    leaking.machine.stage.refit(1, switch=Leaking())
    leaking.ask(m.Stop())
    leaking.wait(500_000, alive=False)
    assert leaking.ask(m.Stop()).zero == 0


def check(_patch: Patch) -> None:
    """Ten pulses of 0.1 mA and 0.2 ms, whatever is asked for; not without an arm of its own."""
    host = Bare().to(DeviceState.TESTED)
    assert isinstance(host, Bare)
    host.refuses(m.Start(0, 0, 0, 0, 0), Refusal.WRONG_STATE)
    host.arm(Purpose.CHECK_IMPEDANCE)
    assert host.armed is not None
    host.refuses(m.Start(host.armed.nonce, 100, 0, 0, 0), Refusal.ABOVE_LIMIT)
    host = Bare().to(DeviceState.CHECKING)
    assert isinstance(host, Bare)
    host.wait(2_000_000)
    for number in (1, 2):
        (flow,) = host.recorder.flows(number, FlowKind.CHECK)
        assert (flow.count, flow.shape.width_us, flow.shape.first_na) == (10, 200, 100_000)
    first, second = (host.recorder.flows(number, FlowKind.CHECK)[0] for number in (1, 2))
    assert second.first_us >= first.last_us + first.shape.span_us, "one channel at a time"


def self_test(_patch: Patch) -> None:
    """Untested, or with a failed test, it does not arm; and the test itself lets nothing out."""
    host = Bare().to(DeviceState.LOADED)
    assert isinstance(host, Bare)
    order = m.Arm(0, 1, 2_000, 60_000_000, 5_000, host.digest_head)
    host.refuses(order, Refusal.WRONG_STATE)
    host.machine.stage.refit(1, dac=Scaled(80, 80))
    assert host.ask(m.SelfTest()).failures & SelfTestFailure.DAC
    host.refuses(order, Refusal.WRONG_STATE)
    assert host.recorder.channels == ()


def channels(_patch: Patch) -> None:
    refuses_head(Refusal.TOO_MANY_CHANNELS, channel_mask=0b1111)(_patch)
    refuses_arm(Refusal.TOO_MANY_CHANNELS, channel_mask=0b1111)(_patch)


def one_stops_all(_patch: Patch) -> None:
    host = running(load="nominal")
    host.machine.stage._channels[2]._load = load_named("short")
    host.machine.stage.flush()
    broke_us = host.now_us
    host.wait(200_000)
    host.zero_after(EndReason.SHORT, broke_us + 30_000 + PULSE_US + gate.CHANNEL_SLOT_US)
