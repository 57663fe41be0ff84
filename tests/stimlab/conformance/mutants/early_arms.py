"""Devices that break R-33 to R-37: arms, nonces, sessions and lapses."""

from collections.abc import Iterable
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.flash import Flash
from firmware_sim.native.nonces import by_system
from firmware_sim.native.timers import DeviceTimer
from stimctl.wire.codec import Arm, Armed, SessionRecord, Start
from stimctl.wire.codes import DeviceState
from tests.stimlab.conformance.mutants.altered import Altered, Said
from tests.stimlab.conformance.mutants.mutant import mutant


class Arms(Device):
    """Takes an Arm for another one, and answers as if it were that."""

    def arm(self, order: Arm) -> Arm:
        """The Arm as it is to be taken."""
        raise NotImplementedError

    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, Arm):
            answer = super()._execute(self.arm(order), kind)
            return Armed(*order[:5], *answer[5:]) if isinstance(answer, Armed) else answer
        return super()._execute(order, kind)


@mutant("R-33", "looks at no digest")
class NoDigest(Arms):
    def arm(self, order: Arm) -> Arm:
        return order._replace(digest_head=int.from_bytes(self.machine.digest[:8], "little"))


@mutant("R-33", "compares half of the digest")
class HalfDigest(Arms):
    def arm(self, order: Arm) -> Arm:
        head = int.from_bytes(self.machine.digest[:8], "little")
        return order._replace(digest_head=head) if (order.digest_head ^ head) & 0xFFFF_FFFF == 0 else order


@mutant("R-33", "takes a ceiling over 2 mA")
class HighCeiling(Arms):
    def arm(self, order: Arm) -> Arm:
        return order._replace(ceiling_ua=min(order.ceiling_ua, 2_000))


@mutant("R-33", "takes a stimulation of over 30 min")
class LongStimulation(Arms):
    def arm(self, order: Arm) -> Arm:
        return order._replace(stimulation_limit_us=min(order.stimulation_limit_us, 1_800_000_000))


@mutant("R-33", "stays armed for longer than it may")
class LongArm(Arms):
    def arm(self, order: Arm) -> Arm:
        return order._replace(time_to_live_ms=min(order.time_to_live_ms, 10_000))


@mutant("R-33", "takes channels that the program does not have")
class MoreChannels(Arms):
    def arm(self, order: Arm) -> Arm:
        program, session = self.machine.program, self.machine.session
        has = program.channel_mask if program is not None and session is None else 0b1111
        return order._replace(channel_mask=order.channel_mask & has or order.channel_mask)


class WithNonces(Device):
    """Makes its nonces in its own way."""

    def nonce(self, count: int) -> int:
        """The nonce of this boot's arm `count`."""
        raise NotImplementedError

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        count = iter(range(1, 1_000_000))
        self.machine.next_nonce = lambda: self.nonce(next(count))  # type: ignore[method-assign]


@mutant("R-34", "counts arms by two")
class EverySecond(WithNonces):
    def nonce(self, count: int) -> int:
        return by_system(count) << 32 | 2 * count


@mutant("R-34", "gives the same nonce to each arm")
class SameNonce(WithNonces):
    def nonce(self, count: int) -> int:
        return self.machine.boot_id << 32 | 1


@mutant("R-34", "draws nothing by chance: boot and count, as anybody can tell")
class NoChance(WithNonces):
    def nonce(self, count: int) -> int:
        return self.machine.boot_id << 32 | count


@mutant("R-34", "counts its arms anew at each boot")
class CountsAnew(WithNonces):
    def nonce(self, count: int) -> int:
        return by_system(count) << 32 | count


class RemembersNonces(Device):
    """Keeps the nonces that it gave."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.given: list[int] = []

    def _execute(self, order: Any, kind: int) -> object:
        answer = super()._execute(order, kind)
        if isinstance(answer, Armed):
            self.given.append(answer.nonce)
        return answer


@mutant("R-34", "takes any nonce of this boot for a Start")
class AnyNonce(RemembersNonces):
    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, Start) and order.nonce in self.given:
            order = order._replace(nonce=self.given[-1])
        return super()._execute(order, kind)


@mutant("R-34", "looks at the count in a nonce alone")
class CountAlone(RemembersNonces):
    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, Start) and self.given and (order.nonce ^ self.given[-1]) % (1 << 32) == 0:
            order = order._replace(nonce=self.given[-1])
        return super()._execute(order, kind)


@mutant("R-35", "counts sessions from 1 after each boot")
class SessionsFromOne(Device):
    def __init__(self, *, flash: Flash | None = None, **options: Any) -> None:
        if flash is not None:
            flash.sessions = 0
        super().__init__(flash=flash, **options)


@mutant("R-35", "gives every session the same number")
class OneSession(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, Arm) and self.machine.session is None and self.machine.waiting is None:
            self.machine.flash.sessions = 0
        return super()._execute(order, kind)


@mutant("R-35", "opens a session over one that waits")
class OpensOver(Device):
    def _execute(self, order: Any, kind: int) -> object:
        machine = self.machine
        if isinstance(order, Arm) and machine.waiting is not None:
            return Armed(*order[:5], machine.waiting.number + 1, machine.next_nonce(), machine.now_us)
        return super()._execute(order, kind)


@mutant("R-36", "opens a session with each arm")
class SessionPerArm(Altered):
    arms = 0

    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        if isinstance(message, Armed):
            self.arms += 1
            message = message._replace(session=self.arms)
        return ((sequence, message),)


def _widens(field: str) -> type[Device]:
    """A device that takes a later arm's `field` as it comes."""

    class Widens(Device):
        def _execute(self, order: Any, kind: int) -> object:
            session = self.machine.session
            if isinstance(order, Arm) and session is not None:
                stands = {
                    "channel_mask": session.channel_mask,
                    "ceiling_ua": session.ceiling_ua,
                    "stimulation_limit_us": session.limit_us,
                }
                answer = super()._execute(order._replace(**{field: stands[field]}), kind)
                return answer._replace(**{field: getattr(order, field)}) if isinstance(answer, Armed) else answer
            return super()._execute(order, kind)

    return Widens


mutant("R-36", "takes more channels with a later arm")(_widens("channel_mask"))
mutant("R-36", "takes a higher ceiling with a later arm")(_widens("ceiling_ua"))
mutant("R-36", "takes another stimulation limit with a later arm")(_widens("stimulation_limit_us"))


@mutant("R-36", "narrows the session with a later arm")
class NarrowsForGood(Device):
    def _execute(self, order: Any, kind: int) -> object:
        answer = super()._execute(order, kind)
        session = self.machine.session
        if isinstance(answer, Armed) and session is not None:
            session.ceiling_ua = answer.ceiling_ua
        return answer


def _lapses(change: str) -> type[Device]:
    class Lapses(Device):
        def _execute(self, order: Any, kind: int) -> object:
            answer = super()._execute(order, kind)
            timers = self.machine.timers
            lapse_us = timers.at_us(DeviceTimer.ARM)
            if isinstance(answer, Armed) and lapse_us is not None:
                if change == "never":
                    timers.cancel(DeviceTimer.ARM)
                else:
                    timers.set(DeviceTimer.ARM, lapse_us + (200_000 if change == "late" else -60_000))
            return answer

    return Lapses


mutant("R-37", "never lets an arm lapse")(_lapses("never"))
mutant("R-37", "lets arms lapse 200 ms late")(_lapses("late"))
mutant("R-37", "lets arms lapse 60 ms early")(_lapses("early"))


@mutant("R-37", "lapses out of a hold to TESTED")
class LapsesToTested(Device):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        machine = self.machine
        goes_back = machine._due[DeviceTimer.ARM]

        def lapse(at_us: int) -> None:
            machine.timers.cancel(DeviceTimer.HOLD)
            goes_back(at_us)

        machine._due[DeviceTimer.ARM] = lapse


@mutant("R-37", "starts with the nonce of an arm that lapsed")
class StartsLate(Device):
    def _execute(self, order: Any, kind: int) -> object:
        machine = self.machine
        if isinstance(order, Start) and machine.state is DeviceState.TESTED and machine.session is not None:
            machine.state = DeviceState.ARMED
        return super()._execute(order, kind)


@mutant("R-37", "ends the session with a lapse")
class LapseEnds(Altered):
    def says(self, sequence: int, message: Any) -> Iterable[Said]:
        if isinstance(message, SessionRecord) and self.machine.state is DeviceState.HELD:
            message = message._replace(end_reason=2)
        return ((sequence, message),)
