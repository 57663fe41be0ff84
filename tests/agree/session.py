"""One session of driver, simulator and model, compared after each step.

The model is told what came to the firmware, and says what must come of it. On a clean line it also says what must come
to the firmware of each order, and what the driver must have seen. What a fault leaves open is named here and nowhere
else: `PARTS` says what a device may find by measuring, `ENDS` how a driver may end a session that has a fault.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_sim.analog.recorder import FlowKind
from firmware_sim.faults import Fault
from firmware_sim.faults.schedule import FaultWindow
from stimctl.session.states import ENDED, STIMULATING, STOPPING, End, State, Task
from stimctl.session.view import SessionReport
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, EndReason, Refusal
from tests.agree.hand import LOWEST_UA, Hand, Sent
from tests.agree.model import OUTPUT, Channel, Session
from tests.agree.rig import Heard, Left, Rig
from tests.agree.same import Disagreement, dose, reading, same, same_device, same_load

TICK_US = 100_000
TITRATION_US = 60_250_000  # a minute, and the keepalive with which it is looked at
LONG_US = 700_000  # a host that stands still for less must see nothing wrong
OF_A_SESSION = ("Arm", "Start", "SetTarget", "KeepAlive", "Hold", "Acknowledge", "Stop", "Hello")
UNASKED = ("KeepAlive", "Acknowledge")  # go out by the driver's own time
FIRST_RUN = ("Arm", "Start")  # before it these too: once the contact is checked, the driver goes on by itself
# The driver's states, and those of the device that they stand for.
SEEN: Mapping[State, tuple[str, ...]] = {
    State.TESTED: ("TESTED",), State.CHECKING: ("CHECKING",), State.CHECKED: ("TESTED",), State.ARMED: ("ARMED",),
    State.RAMPING: ("RAMPING",), State.RUNNING: ("RUNNING",), State.RAMPING_DOWN: ("RAMPING_DOWN",),
    State.HELD: ("HELD",), State.RECHECKING: ("CHECKING",), State.RECHECKED: ("HELD",), State.REARMED: ("ARMED",),
}  # fmt: skip
# What a device may find, and hold or end for, while one of these faults is on: by its own measuring, so not modelled.
PARTS = {
    "load.open": ("LEAD_OFF", "COMPLIANCE"),
    "load.short": ("SHORT",),
    "device.dac_stuck": ("OVER_CURRENT",),
}
SURE_UA, IN_A_ROW = 50, 3  # from here on a pulse says what its load is
# How the driver ends a session that the device has ended.
FOLLOWS = {
    "STOP": End.OPERATOR, "TIMER": End.TIMER, "WATCHDOG": End.WATCHDOG, "HOLD_EXPIRED": End.HOLD_EXPIRED,
    "SESSION_EXPIRED": End.SESSION_EXPIRED, "HANDSHAKE": End.HANDSHAKE, "SHORT": End.SHORT,
    "OVER_CURRENT": End.OVER_CURRENT, "NET_CHARGE": End.NET_CHARGE, "RESET": End.RESET,
}  # fmt: skip
# How else it may end one, once a fault of this kind has begun, and the device then ends for the driver's Stop.
ENDS = {
    "line.": (End.LINE_LOST, End.SELF_TEST, End.REFUSED),
    "load.": (End.CONTACT,),
    "device.reset": (End.RESET, End.LINE_LOST, End.REFUSED),
    "host.stall": (End.STOOD_STILL,),
}


class Noted(Channel):
    """A channel that keeps when each pulse left, in stimulation time, and how high it was."""

    def __init__(self, session: Session, number: int) -> None:
        super().__init__(session, number)
        self.given: list[tuple[int, int]] = []

    def pulse(self) -> None:
        """Give it, and note it."""
        t = self.due[0]
        super().pulse()
        if self.amplitude:
            self.given.append((t, self.amplitude))


# What may be under way while it is still known what goes out for an order.
EXPECTED = {task.words for task in (Task.HOLD, Task.STARTING, Task.CHECK)}


class Agreement:
    """A session that is compared whenever `compare` is called. Raises `Disagreement`."""

    def __init__(self, answers: Mapping[str, Any], faults: Sequence[Fault]) -> None:
        self.rig = Rig(answers, faults)
        rx = self.rig.prescription
        self.hand = Hand({plan.channel: plan.amplitude_ua for plan in rx.channels}, rx.ceiling_ua)
        self.model: Session | None = None
        self.segments: list[tuple[int, ...]] = []
        self.tick_us = 0
        self.told: dict[int, tuple[Any, ...]] = {}
        self.was: list[tuple[int, str]] = []
        self.sent: list[Sent] = []
        self.stopped = self.too_late = False
        self.befell: list[str] = []
        self.low_us: dict[int, int] = {}  # by channel: since when it stands below what may stay
        self.compare()

    # --- steps ------------------------------------------------------------------------------------

    def wait(self, for_us: int) -> None:
        """Time passes."""
        self.rig.run_to(self.rig.now_us + for_us)
        self.compare()

    def order(self, do: str, channel: int | None = None, amplitude_ua: int | None = None) -> None:
        """The operator gives an order. On a clean line it is known what goes out for it, at once."""
        engine = self.rig.engine
        expected: list[list[Sent]] = []
        unasked: tuple[str, ...] = UNASKED

        def before() -> None:
            nonlocal unasked
            self.follow()
            self.sent = []
            unasked = UNASKED if self.hand.began_us else UNASKED + FIRST_RUN
            pending = engine._context.pending
            busy = "" if pending is None else pending.task.words
            model = self.model
            # What goes out to a device that holds or has ended, before the driver knows, is of no consequence.
            unaware = engine.state in STIMULATING and model is not None and model.state not in OUTPUT
            if model is not None and not unaware and self.clean() and busy in ("", *EXPECTED):
                expected.append(self.hand.sends(do, channel or 0, amplitude_ua or 0, engine.state, busy, model))
            self.stopped |= do == "stop" and engine.state not in (STOPPING, ENDED)

        self.rig.act(do, channel, amplitude_ua, before)
        self.compare()
        if expected:
            sent = [each for each in self.sent if each.name not in unasked]
            wanted = expected[0]
            if Sent("Stop") not in wanted and sent and sent[-1].name == "Stop":
                # The driver ends the session by itself at this instant, and drops what waits to be sent.
                wanted = [*wanted[: len(sent) - 1], sent[-1]]
            same(f"what goes out for {do!r}", model=wanted, driver=sent)

    def befall(self, fault: Fault) -> None:
        """Something happens to the host."""
        if fault.for_us is None or fault.for_us >= LONG_US:
            self.befell.append(fault.kind)
        self.rig.befall(fault)
        self.compare()

    # --- the model follows what the firmware heard ------------------------------------------------

    def follow(self) -> None:
        """Give the model what came to the firmware since the last time, each at its own time."""
        told, self.rig.told[:] = list(self.rig.told), []
        for each in told:
            if isinstance(each, Heard):
                self._hear(each)
            elif self.model is not None and self.model.open:
                self._leave(each, self.model)
        self._pass(self.rig.port.now_us())

    def _pass(self, at_us: int) -> None:
        """Come to `at_us`; at each tick note what the device has to tell of itself."""
        model = self.model
        while self.tick_us and self.tick_us <= at_us:
            if model is not None:
                model.advance(self.tick_us)
                self._note(model)
                self.told[self.tick_us] = self._status(model)
            self.tick_us += TICK_US
        if model is not None:
            model.advance(max(at_us, model.now))
            self._note(model)

    def _note(self, model: Session) -> None:
        if not self.was or self.was[-1][1] != model.state:
            self.was.append((model.now, model.state))

    def _status(self, model: Session) -> tuple[Any, ...]:
        readings = {channel: reading(model, channel) for channel in self.hand.first_ua}
        return model.state, model.stimulation if model.arms else 0, readings

    def _hear(self, heard: Heard) -> None:
        order, name = heard.order, type(heard.order).__name__
        if name == "Hello":
            self.tick_us = self.tick_us or heard.at_us + TICK_US
        elif name == "LoadSegment":
            self.segments.append(tuple(order[1:]))
        elif name == "SelfTest":
            rx = self.rig.prescription.program
            draw = self.rig.device.machine.draw
            self.model = Session(self.segments, rx.ramp_slope_ua_per_s, rx.ramp_down_us, draw, heard.at_us)
            self.model.channels = {number: Noted(self.model, number) for number in self.model.channels}
        model = self.model
        if model is None or name not in OF_A_SESSION:
            return
        self._pass(heard.at_us)
        # An Arm that crosses the news that the device has ended is refused, and that ends the session too.
        self.too_late |= name == "Arm" and model.state == "ENDED"
        resumes_ua = [*self.hand.resumes_ua(model).values()]
        refused = model.hear(name, order._asdict(), heard.at_us)
        told = Refusal(heard.answer.reason).name if type(heard.answer) is m.Refused else ""
        same(f"the answer to {order}", model=refused, device=told)
        self.sent.append(Sent(name, *((order.channel, order.target_ua) if name == "SetTarget" else ())))
        if name == "Start" and not refused and model.state in OUTPUT:
            targets_ua = [order[channel] for channel in self.hand.first_ua]
            if self.clean():
                same("what a start goes to", hand=resumes_ua, driver=targets_ua)
            self.hand.started(order[1:], heard.at_us)
        self._note(model)

    def _leave(self, left: Left, model: Session) -> None:
        """The device measured something: it must have had a reason to, and then the model goes along."""
        self._pass(left.at_us - 1)
        if left.reason != "RESET" and not any(
            left.reason in PARTS.get(window.fault.kind, ()) and self._bad(window, left.channel, model)
            for window in self.windows()
        ):
            raise Disagreement(f"{left.reason} on channel {left.channel} at {left.at_us} us, for no reason")
        self._pass(left.at_us)
        if model.open:
            model.leave(left.state, left.reason)
            self._note(model)

    # --- what a fault leaves open -----------------------------------------------------------------

    def windows(self) -> Sequence[FaultWindow]:
        """The faults that have begun."""
        windows = self.rig.hostile._schedule.windows
        return [window for window in windows if window.start_us <= self.rig.now_us]

    def begun(self, prefix: str) -> bool:
        """Whether a fault of this kind has begun, ever."""
        kinds = [window.fault.kind for window in self.windows()] + self.befell
        return any(kind.startswith(prefix) for kind in kinds)

    def clean(self) -> bool:
        """Whether nothing was ever done to the line."""
        return not self.begun("line.") and not self.begun("device.reset")

    def _last_pulses_us(self, channel: int, model: Session) -> list[tuple[int, int]]:
        """This run's last three pulses of a channel: device time and amplitude."""
        each = model.channels[channel]
        assert isinstance(each, Noted)
        run_us = self.hand.began_us
        offset_us = model.now - model.stimulation
        return [(t + offset_us, ua) for t, ua in each.given[-IN_A_ROW:] if t + offset_us >= run_us]

    def _bad(self, window: FaultWindow, channel: int, model: Session) -> bool:
        """Whether a fault was on for all the pulses that a finding rests on."""
        if not window.concerns(channel):
            return False
        if model.state == "CHECKING":
            return window.fault.kind == "device.dac_stuck"
        pulses = self._last_pulses_us(channel, model)
        if window.fault.kind == "device.dac_stuck":
            return bool(pulses) and window.start_us <= pulses[-1][0] < window.end_us
        return len(pulses) == IN_A_ROW and all(window.start_us <= at_us < window.end_us for at_us, _ in pulses)

    def _must_have_left(self, model: Session) -> None:
        """No run goes on over what a device has to find."""
        for window in self.windows():
            if model.state not in OUTPUT or window.fault.kind not in PARTS:
                continue
            if window.fault.kind == "device.dac_stuck" and self.begun("load.open"):
                continue  # nothing flows that could be too much; three pulses show the open lead instead
            for channel in self.hand.first_ua:
                found = self._bad(window, channel, model)
                pulses = self._last_pulses_us(channel, model)
                sure = all(ua >= SURE_UA for _, ua in pulses) or window.fault.kind == "device.dac_stuck"
                # The last pulse may still be on its way: it is judged at its end.
                over = bool(pulses) and pulses[-1][0] + 2_000 < model.now
                if found and sure and over:
                    raise Disagreement(f"channel {channel} goes on although {window.fault.kind} is on")

    # --- what must be the same --------------------------------------------------------------------

    def compare(self) -> None:
        """All three, and the load."""
        self.follow()
        model = self.model
        if model is None:
            return
        same_device(model, self.rig.device.machine)
        sound = not any(self.begun(kind) for kind in PARTS)
        same_load(model, self.rig.recorder, sound=sound)
        self._must_have_left(model)
        self._titrates(model)
        self._same_telling(model)
        self._same_driver(model)

    def _titrates(self, model: Session) -> None:
        """Between zero and 0.5 mA a target stands for a minute: the device knows no such rule, so the driver holds."""
        for channel in self.hand.first_ua:
            if model.state not in OUTPUT or not 0 < model.channels[channel].target < LOWEST_UA:
                self.low_us.pop(channel, None)
                continue
            since_us = self.low_us.setdefault(channel, model.now)
            if model.now - since_us > TITRATION_US and self.clean() and not self.begun("host."):
                raise Disagreement(f"channel {channel} stands below {LOWEST_UA} uA since {since_us} us")

    def _same_telling(self, model: Session) -> None:
        """The newest status and readings that the driver has are what the model was at that time."""
        context = self.rig.engine._context
        status = context.device.status
        if status is None or status.device_time_us not in self.told or self.begun("device.reset"):
            return
        state, stimulation_us, readings = self.told[status.device_time_us]
        if state == "ENDED" and status.state == DeviceState.IDLE:
            return
        same("a status's state", model=state, driver=DeviceState(status.state).name)
        if status.session:
            same("a status's stimulation time", model=stimulation_us, driver=status.stimulation_us)
        if state == "ENDED" == model.state:
            same("a status's reason", model=model.reason, driver=EndReason(status.end_reason).name)
        for channel, told in context.device.channels.items():
            said = (told.target_ua, told.applied_ua, *told[6:10])
            if self.clean():
                same(f"channel {channel}'s reading", model=readings[channel], driver=said)
            elif all(said != each[2][channel] for each in self.told.values()):
                raise Disagreement(f"channel {channel}'s reading, as the driver has it, was never the model's: {said}")

    def _same_driver(self, model: Session) -> None:
        """The driver's state, its targets and its replay of the dose."""
        engine, context = self.rig.engine, self.rig.engine._context
        if engine.state in (STOPPING, ENDED):
            self._same_end(model)
        elif self._unanswered():
            return
        else:
            since_us = context.device.status.device_time_us if context.device.status is not None else 0
            states = [
                state
                for (_, state), (until_us, _) in zip(self.was, [*self.was[1:], (1 << 62, "")], strict=True)
                if until_us >= since_us
            ]
            if engine.state in SEEN and not set(SEEN[engine.state]) & set(states):
                raise Disagreement(f"the driver is {engine.state.name}; since its last status the model was {states}")
            if engine.state in STIMULATING and model.state in OUTPUT:
                targets = {channel: model.channels[channel].target for channel in self.hand.first_ua}
                same("the targets", model=targets, driver=context.targets.by_channel("applied_ua"))
        if not self._unanswered() and not context.dose_tracker.unanswered:
            self._same_dose(model, engine.report)

    def _same_dose(self, model: Session, report: SessionReport | None) -> None:
        for channel in self.hand.first_ua:
            commanded = self.rig.engine._context.dose_tracker._commanded.dose(channel, model.stimulation)
            modelled = dose(model, channel)
            if report is None or report.delivered is not None:
                same(f"channel {channel}'s dose", model=modelled, driver=commanded)
            elif commanded != modelled and (self.clean() or commanded.total_pulses > modelled.total_pulses):
                # A device that cannot be asked any more: what is certain is what it told last.
                raise Disagreement(
                    f"channel {channel}: reported without the device's record {commanded}, not {modelled}"
                )

    def _unanswered(self) -> bool:
        """On a bad line: whether the driver waits for an answer, and so cannot know what the device did."""
        native: Any = self.rig.engine.stimulator
        return not self.clean() and (native._exchange.waits or bool(native._before_stop))

    def _same_end(self, model: Session) -> None:
        ending = self.rig.engine._context.ending
        assert ending is not None
        end = ending.end
        if not model.arms:
            return
        if model.open and self.clean():
            raise Disagreement(f"the driver stops ({end}) and the device is {model.state}")
        allowed = [*(end for kind, ends in ENDS.items() if self.begun(kind) for end in ends)]
        if self.too_late:
            allowed.append(End.REFUSED)
        if self.stopped:
            allowed.append(End.OPERATOR)
        elif model.reason in FOLLOWS and model.reason != "STOP":
            allowed.append(FOLLOWS[model.reason])
        if end not in allowed:
            raise Disagreement(f"the driver ends with {end!r} where the model has {model.reason}, {model.state}")

    def finish(self) -> None:
        """Stop, if nothing else has ended it, and see the session to its report."""
        self.order("stop")
        until_us = self.rig.now_us + 70_000_000
        while not self.rig.over and self.rig.now_us < until_us:
            self.wait(TICK_US)
        report = self.rig.engine.report
        if report is None:
            raise Disagreement("the session has no report 70 s after it was stopped")
        if self.model is None or not self.model.arms:
            return
        if report.agreement["exact"] is not True:
            if self.clean() or report.agreement["exact"] is False:
                raise Disagreement(f"the report does not agree with the device: {report.agreement}")
            return
        for channel in self.hand.first_ua:
            modelled, said = dose(self.model, channel), report.commanded[str(channel)]
            same(f"channel {channel}'s dose", model=list(modelled.pulses), report=said["pulses"])
            same(f"channel {channel}'s dose", model=list(modelled.charge_pc), report=said["charge_pc"])
        flowed = sum(self.rig.recorder.pulses(channel, FlowKind.TRAIN) for channel in self.rig.recorder.channels)
        same("all pulses", model=sum(sum(each.pulses) for each in self.model.channels.values()), load=flowed)
