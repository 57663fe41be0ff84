"""The firmware's deadlines: which are set, which is next, which are due. Device time, whole microseconds."""

from enum import IntEnum

from firmware_sim.analog.load_changes import NEVER_US


class DeviceTimer(IntEnum):
    """The purpose of a deadline. At the same instant the lower number goes first: what ends output leads."""

    WATCHDOG = 0
    SESSION = 1
    HOLD = 2
    STIMULATION = 3
    ARM = 4
    FALL = 5
    CHECK = 6
    ZERO = 7
    SAVE = 8


class DeviceTimers:
    """At most one deadline for each `DeviceTimer`. `next_us` is always up to date and cheap to read."""

    __slots__ = ("_at_us", "_dead", "next_us")

    def __init__(self) -> None:
        self._at_us: dict[DeviceTimer, int] = {}
        self._dead: dict[DeviceTimer, int | None] = {}
        self.next_us = NEVER_US

    def set(self, timer: DeviceTimer, at_us: int) -> None:
        """Let `timer` fall due at `at_us`, in place of any earlier setting."""
        if timer in self._dead:
            self._dead[timer] = at_us
            return
        self._at_us[timer] = at_us
        self.next_us = min(self._at_us.values())

    def cancel(self, *timers: DeviceTimer) -> None:
        for timer in timers:
            self._at_us.pop(timer, None)
            if timer in self._dead:
                self._dead[timer] = None
        self.next_us = min(self._at_us.values(), default=NEVER_US)

    def at_us(self, timer: DeviceTimer) -> int | None:
        """When `timer` falls due, or would if it were not dead; or None."""
        return self._at_us.get(timer, self._dead.get(timer))

    def pop_due(self, now_us: int) -> tuple[DeviceTimer, int] | None:
        """Take out the earliest deadline that is not after `now_us`, with its time."""
        if self.next_us > now_us:
            return None
        due = [timer for timer, at_us in self._at_us.items() if at_us == self.next_us]
        timer, at_us = min(due), self.next_us
        self.cancel(timer)
        return timer, at_us

    # --- faults ---------------------------------------------------------------------------------

    def kill(self, timer: DeviceTimer) -> None:
        """From now on it never falls due, although it is set and cancelled as before."""
        if timer not in self._dead:
            self._dead[timer] = self._at_us.pop(timer, None)
            self.next_us = min(self._at_us.values(), default=NEVER_US)

    def revive(self, timer: DeviceTimer, now_us: int) -> None:
        """It works again; what fell due meanwhile falls due now."""
        at_us = self._dead.pop(timer, None)
        if at_us is not None:
            self.set(timer, max(at_us, now_us))

    def put_off(self, now_us: int) -> None:
        """Nobody looked until `now_us`: what fell due before falls due then."""
        self._at_us = {timer: max(at_us, now_us) for timer, at_us in self._at_us.items()}
        self.next_us = min(self._at_us.values(), default=NEVER_US)
