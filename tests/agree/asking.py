"""One session on a slow or lossy line, and what its operator asked for last: the device may never stay above that.

The line delays each frame by chance, each way and in order; answers go ahead of telemetry (R-67). The device is sound,
so that the driver has nothing to end the session for but the operator and the timer.
"""

from collections.abc import Mapping
from typing import Any

from firmware_sim.faults import Fault
from stimctl.session.states import AT_REST, ENDED, STIMULATING, End, State, Task
from stimctl.wire.codes import DeviceState
from tests.agree.rig import Rig
from tests.agree.same import Disagreement, same

STEP_UA, LOWEST_UA = 100, 500
SLOWEST_US = 200_000  # a frame's way
WAITS_US = 50_000  # at most, behind a command that is under way
STARTS_US = 3 * SLOWEST_US  # until a start's answer is there, which a lowering needs
SLICE_US = 100_000
# Three raises go one after the other, each behind a keepalive: six answers of 400 ms.
SETTLED_US = 2_500_000
OUTPUT = (DeviceState.RAMPING, DeviceState.RUNNING, DeviceState.RAMPING_DOWN)
MAY_LOWER = STIMULATING | AT_REST
ENDS = (End.OPERATOR, End.TIMER)
# On a line that loses frames, each is sent again every 50 ms.
LOST_US = 2_500_000
BLAME = "do not use this device"


class Asking:
    """A session of `answers` on a line with `options` of `line.delay`, from its first impedance check on.

    With `lost_permille` of the frames lost from the first pulse on, the line may be given up, and what the driver knows
    of the device is not compared.
    """

    def __init__(self, answers: Mapping[str, Any], options: Mapping[str, int], lost_permille: int = 0) -> None:
        faults = [Fault("line.delay", after="CHECKING", options=options)]
        if lost_permille:
            faults.append(Fault("line.loss", after="RAMPING", options={"permille": lost_permille}))
        self.rig = Rig(answers, faults)
        self.lossy = bool(lost_permille)
        # Four keepalives in a row may be lost, or fewer behind a start whose answers are.
        self.ends = (*ENDS, End.LINE_LOST, End.WATCHDOG) if self.lossy else ENDS
        first_ua = {plan.channel: plan.amplitude_ua for plan in self.rig.prescription.channels}
        # By channel: since when what was asked for, the newest last; none of it while a hold is.
        self.asked: dict[int, list[tuple[int, int]]] = {channel: [(0, ua)] for channel, ua in first_ua.items()}
        self.held_us: int | None = None
        self.idle_us = 0  # when the session was last seen not to stimulate
        # Behind what is under way; then a frame's way.
        self.lowered_us = LOST_US if self.lossy else WAITS_US + SLOWEST_US + 1

    # --- steps ------------------------------------------------------------------------------------

    def wait(self, for_us: int) -> None:
        """Time passes."""
        until_us = self.rig.now_us + for_us
        while self.rig.now_us < until_us:
            self.rig.run_to(min(until_us, self.rig.now_us + SLICE_US))
            self.check()

    def ask(self, do: str, channel: int | None = None, ua: int | None = None) -> None:
        """The operator asks for something."""
        was: list[State] = []
        context = self.rig.engine._context
        begins = context.pending is None

        def before() -> None:
            was.append(self.rig.engine.state)

        self.rig.act(do, channel, ua, before)
        if was:  # not after the end
            self._asked(do, channel or 0, ua or 0, was[0], begins=begins)
        self.check()

    def _asked(self, do: str, channel: int, ua: int, was: State, *, begins: bool) -> None:
        if do == "hold" and (was in STIMULATING or was in (State.ARMED, State.REARMED)):
            self.held_us = self.rig.now_us
        elif do == "proceed" and begins and was in (State.HELD, State.RECHECKED):
            self.held_us = None
        elif channel in self.asked and was in MAY_LOWER and do in ("lower", "raise", "set"):
            self._target_asked(do, channel, ua)

    def _target_asked(self, do: str, channel: int, ua: int) -> None:
        present_ua = self.asked[channel][-1][1]
        wanted_ua = self.rig.engine._context.targets[channel].wanted_ua
        if do == "lower":
            ua = present_ua - STEP_UA
            self._now(channel, ua if ua >= LOWEST_UA else 0)
        elif do == "set" and ua < present_ua:
            self._now(channel, ua)
        elif wanted_ua > present_ua:  # a raise, and it was not refused
            if do == "set":
                same(f"what is wanted of channel {channel}", person=ua, driver=wanted_ua)
            elif wanted_ua > present_ua + STEP_UA:
                raise Disagreement(f"channel {channel}: one step up from {present_ua} uA gives {wanted_ua} uA")
            self._now(channel, wanted_ua)

    def _now(self, channel: int, ua: int) -> None:
        self.asked[channel].append((self.rig.now_us, ua))

    # --- what holds -------------------------------------------------------------------------------

    def targets_ua(self) -> dict[int, int]:
        """What the device goes to now; nothing where it gives no output."""
        machine = self.rig.device.machine
        gives = machine.state in OUTPUT
        return {channel: machine.targets_ua.get(channel, 0) if gives else 0 for channel in self.asked}

    def check(self) -> None:
        """At any time: no more than was asked for within the time that a lowering takes, and nobody is blamed."""
        now_us, engine = self.rig.now_us, self.rig.engine
        if engine.state not in STIMULATING:
            self.idle_us = now_us
        # What was asked for before the start was answered goes after that.
        starts = now_us - self.idle_us <= SLICE_US + self.lowered_us
        late_us = self.lowered_us + (STARTS_US if starts else 0)
        for channel, target_ua in self.targets_ua().items():
            if target_ua > self._most_ua(channel, now_us - late_us):
                raise Disagreement(
                    f"channel {channel} goes to {target_ua} uA {late_us} us after less was asked for: "
                    f"{self.asked[channel][-4:]}"
                )
        blamed = [alarm for alarm in engine._context.alarms if BLAME in alarm.action]
        if blamed:
            raise Disagreement(f"a sound device is blamed: {blamed[0].text}")
        ending = engine._context.ending
        if ending is not None and ending.end not in self.ends:
            raise Disagreement(f"the session ended: {ending.end} ({ending.text})")

    def _most_ua(self, channel: int, since_us: int) -> int:
        """The most that was asked for at any time since then."""
        asked = self.asked[channel]
        before = [ua for at_us, ua in asked if at_us <= since_us][-1:]
        return max([*before, *(ua for at_us, ua in asked if at_us > since_us)])

    def settle(self) -> None:
        """Once all is answered: exactly what was asked for at most, as the driver has it, and no output in a hold."""
        self.wait(LOST_US + SETTLED_US if self.lossy else SETTLED_US)
        context, targets_ua = self.rig.engine._context, self.targets_ua()
        for channel, target_ua in targets_ua.items():
            asked_ua = self.asked[channel][-1][1]
            if target_ua > asked_ua:
                raise Disagreement(f"channel {channel} stays at {target_ua} uA where {asked_ua} uA was asked for last")
        if self.held_us is not None and any(targets_ua.values()):
            raise Disagreement(f"a hold was asked for at {self.held_us} us and the device goes to {targets_ua}")
        if self.lossy:
            return
        if context.state in STIMULATING and self.rig.device.machine.state in OUTPUT:
            same("the targets", device=targets_ua, driver=context.targets.by_channel("applied_ua"))
            same("the targets", device=targets_ua, wanted=context.targets.by_channel("wanted_ua"))
        if context.is_pending(Task.HOLD):
            raise Disagreement("a hold is still under way")

    def finish(self) -> None:
        """Stop: the session comes to its report, the device to zero."""
        self.ask("stop")
        until_us = self.rig.now_us + 70_000_000
        while not self.rig.over and self.rig.now_us < until_us:
            self.wait(100_000)
        report = self.rig.engine.report
        if report is None or self.rig.engine.state is not ENDED:
            raise Disagreement(f"70 s after the stop the session is {self.rig.engine.state}")
        if self.rig.device.machine.state in OUTPUT:
            raise Disagreement(f"the session is over and the device is {self.rig.device.machine.state.name}")
        if report.agreement["exact"] is False:
            raise Disagreement(f"the report does not agree with the device: {report.agreement}")
