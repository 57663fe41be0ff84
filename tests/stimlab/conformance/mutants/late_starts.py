"""Devices that start, take targets, hold or go on after a hold as they must not: R-38 to R-41."""

from typing import Any

from firmware_sim.native import gate
from firmware_sim.native.device import Device
from firmware_sim.native.flash import StoredSession
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.program import OutputProgram
from firmware_sim.native.run_state import Arming
from firmware_sim.native.telemetry import TelemetrySender
from firmware_sim.native.timers import DeviceTimer
from firmware_sim.native.train import ChannelTrain
from stimctl.wire.codec import Refused, SetTarget, Start, Started
from stimctl.wire.codes import DeviceState, Purpose, Refusal
from tests.stimlab.conformance.mutants.early_arms import RemembersNonces
from tests.stimlab.conformance.mutants.mutant import mutant


@mutant("R-38", "starts with any nonce")
class StartsWithAnyNonce(Device):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is Start and self.machine.arming is not None:
            order = order._replace(nonce=self.machine.arming.nonce)
        return super()._execute(order, kind)


@mutant("R-38", "starts with the nonce of the arm before")
class StartsWithTheOldNonce(RemembersNonces):
    def _execute(self, order: object, kind: int) -> object:
        if type(order) is Start and order.nonce in self.given[-2:-1]:
            order = order._replace(nonce=self.given[-1])
        return super()._execute(order, kind)


@mutant("R-38", "takes targets for an impedance check")
class TakesTargetsForACheck(Device):
    def _execute(self, order: object, kind: int) -> object:
        arming = self.machine.arming
        if type(order) is Start and arming is not None and arming.purpose is Purpose.CHECK_IMPEDANCE:
            order = Start(order.nonce, 0, 0, 0, 0)
        return super()._execute(order, kind)


@mutant("R-38", "holds targets at the ceiling instead of refusing them")
class HoldsTargetsAtTheCeiling(Device):
    def _execute(self, order: object, kind: int) -> object:
        arming = self.machine.arming
        if type(order) is Start and arming is not None:
            order = Start(order.nonce, *(min(target_ua, arming.ceiling_ua) for target_ua in order[1:]))
        return super()._execute(order, kind)


@mutant("R-38", "leaves out channels that are not armed instead of refusing them")
class LeavesChannelsOut(Device):
    def _execute(self, order: object, kind: int) -> object:
        arming = self.machine.arming
        if type(order) is Start and arming is not None:
            order = Start(order.nonce, *(ua * (n in arming.channels) for n, ua in enumerate(order[1:], start=1)))
        return super()._execute(order, kind)


@mutant("R-38", "begins its run 12 ms behind the Start")
class BeginsLate(Device):
    def _execute(self, order: object, kind: int) -> Any:
        answer = super()._execute(order, kind)
        return answer._replace(device_time_us=answer.device_time_us + 12_000) if type(answer) is Started else answer


@mutant("R-38", "does not start from zero")
class StartsHigh(OutputStage):
    def begin(
        self, program: OutputProgram, targets_ua: dict[int, int], start_us: int, limit_us: int, now_us: int,
        *, levels_ua: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        # The gate lets through 100 uA for a first pulse.
        levels_ua = {channel: min(90, target_ua) for channel, target_ua in targets_ua.items()}
        super().begin(program, targets_ua, start_us, limit_us, now_us, levels_ua=levels_ua)


class _Raising(Device):
    """A device that looks at a SetTarget before it obeys."""

    def _before(self, order: SetTarget, arming: Arming) -> SetTarget | Refused:
        raise NotImplementedError

    def _execute(self, order: object, kind: int) -> object:
        if type(order) is not SetTarget or self.machine.run is None or self.machine.arming is None:
            return super()._execute(order, kind)
        seen = self._before(order, self.machine.arming)
        return seen if isinstance(seen, Refused) else super()._execute(seen, kind)


@mutant("R-39", "takes targets with any nonce")
class TakesAnyNonce(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        return order._replace(nonce=arming.nonce)


@mutant("R-39", "raises by any size")
class RaisesByAnySize(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        target_ua = self.machine.targets_ua.get(order.channel, 0)
        if order.target_ua > target_ua + gate.MAX_RISE_UA:
            self.machine.targets_ua[order.channel] = order.target_ua - gate.MAX_RISE_UA
        return order


@mutant("R-39", "raises at any time")
class RaisesAtAnyTime(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        self.machine.raised_us.clear()
        return order


@mutant("R-39", "raises after half a second")
class RaisesTooSoon(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        raised_us = self.machine.raised_us.get(order.channel, self.machine.now_us)
        if self.machine.now_us - raised_us >= gate.RAISE_INTERVAL_US // 2:
            self.machine.raised_us.clear()
        return order


@mutant("R-39", "raises one channel a second, not each")
class RaisesOneChannel(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        newest_us = max(self.machine.raised_us.values(), default=-gate.RAISE_INTERVAL_US)
        self.machine.raised_us[order.channel] = newest_us
        return order


@mutant("R-39", "forgets a channel's last raise when it is lowered")
class ForgetsARaise(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        if order.target_ua < self.machine.targets_ua.get(order.channel, 0):
            self.machine.raised_us.clear()
        return order


@mutant("R-39", "lowers only once a second")
class LowersSeldom(_Raising):
    lowered_us = -gate.RAISE_INTERVAL_US

    def _before(self, order: SetTarget, arming: Arming) -> SetTarget | Refused:
        if order.target_ua < self.machine.targets_ua.get(order.channel, 0):
            if self.machine.now_us - self.lowered_us < gate.RAISE_INTERVAL_US:
                return Refused(0x0A, Refusal.RAISE_TOO_SOON, self.machine.now_us - self.lowered_us, 1_000_000)
            self.lowered_us = self.machine.now_us
        return order


@mutant("R-39", "takes a target above the ceiling for the ceiling")
@mutant("R-57", "takes a target above the ceiling for the ceiling")
class TakesTheCeiling(_Raising):
    def _before(self, order: SetTarget, arming: Arming) -> SetTarget:
        if order.target_ua <= arming.ceiling_ua:
            return order
        self.machine.targets_ua[order.channel] = arming.ceiling_ua - 1
        self.machine.raised_us.clear()
        return order._replace(target_ua=arming.ceiling_ua)


class _SlowTrain(ChannelTrain):
    __slots__ = ()

    def take(self) -> int:
        target_ua = self.target_ua
        self.target_ua = max(target_ua, self.level_ua - 2)
        amplitude_ua = super().take()
        self.target_ua = target_ua
        return amplitude_ua


@mutant("R-39", "falls to a lower target by and by")
class FallsSlowly(OutputStage):
    train_class = _SlowTrain


@mutant("R-40", "goes on counting stimulation time in a hold")
class CountsInHolds(TelemetrySender):
    def _status(self, now_us: int) -> bytes:
        session = self._machine.flash.session
        if session is not None and self._machine.state is DeviceState.HELD:
            session.stimulation_us += 100_000
        return super()._status(now_us)


@mutant("R-40", "gives a hold ten more minutes with each arm")
class HoldsAnew(Machine):
    def arm(self, arming: Arming, session: StoredSession, lapse_us: int, now_us: int) -> None:
        super().arm(arming, session, lapse_us, now_us)
        if self.holding:
            self.timers.set(DeviceTimer.HOLD, now_us + gate.HOLD_US)


@mutant("R-40", "holds for ever")
class HoldsOn(Machine):
    def hold(self, reason: Any, at_us: int, channel: int = 0, value: int = 0) -> None:
        super().hold(reason, at_us, channel, value)
        self.timers.cancel(DeviceTimer.HOLD)


@mutant("R-41", "does not ramp from zero after a hold")
class StartsHighAgain(OutputStage):
    def begin(
        self, program: OutputProgram, targets_ua: dict[int, int], start_us: int, limit_us: int, now_us: int,
        *, levels_ua: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        if start_us:
            # A first pulse at 2 Hz rises by 95 uA, and the gate lets through 100.
            levels_ua = {channel: min(5, target_ua) for channel, target_ua in targets_ua.items()}
        super().begin(program, targets_ua, start_us, limit_us, now_us, levels_ua=levels_ua)


@mutant("R-41", "goes on in the other band after a hold")
class GoesOnInTheOtherBand(OutputStage):
    def begin(
        self, program: OutputProgram, targets_ua: dict[int, int], start_us: int, limit_us: int, now_us: int,
        *, levels_ua: dict[int, int] | None = None,
    ) -> None:  # fmt: skip
        super().begin(program, targets_ua, start_us, limit_us, now_us, levels_ua=levels_ua)
        for channel in self._running if start_us and len(program.segments) > 1 else ():
            assert channel.train is not None
            channel.train.segment = 1


@mutant("R-41", "begins stimulation time anew after a hold")
class ForgetsTime(Machine):
    def start(self, session: StoredSession, program: OutputProgram, targets_ua: dict[int, int], now_us: int) -> None:
        session.stimulation_us = 0
        super().start(session, program, targets_ua, now_us)
