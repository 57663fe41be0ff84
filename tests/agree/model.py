"""The session and its dose as docs/protocol.md has them (us, uA, pC), in the plainest way: read it beside that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import gcd, lcm

Draw = Callable[[int], int]  # the chance in the nonce of each arm
S, OUTPUT = 1_000_000, ("RAMPING", "RUNNING", "RAMPING_DOWN")
DUE = ("WATCHDOG", "SESSION_EXPIRED", "HOLD_EXPIRED", "TIMER", "lapse", "checked", "fall")  # so, at one instant


class Channel:
    def __init__(self, session: "Session", number: int) -> None:
        self.session, self.number, self.target, self.amplitude, self.raised = session, number, 0, 0, -S
        self.pulses, self.charge_pc = [0, 0], [0, 0]

    def start(self, target: int) -> None:
        self.target, self.level, self.amplitude, self.previous, self.reached = target, 0, 0, -1, target == 0
        self.scheduled = self.schedule(self.session.stimulation, self.session.limit)
        self.due = next(self.scheduled)

    def schedule(self, b: int, limit: int, index: int = 0) -> Iterator[tuple[int, int]]:  # t, segment
        while b < limit:
            period, width, gap, second, dwell = self.session.segments[index]
            end, k = min(limit, b + dwell) if dwell else limit, 0
            while (t := b + k * period + (self.number - 1) * 2500) + width + gap + second <= end:
                yield t, index
                k += 1
            b, index = end, 1 - index
        yield 10**18, 0

    def pulse(self) -> None:  # the one that is due
        session, (t, index), self.due = self.session, self.due, next(self.scheduled)
        period, width, *_ = session.segments[index]
        quantum = lcm(*(second // gcd(width, second) for _, width, _, second, _ in session.segments))
        aim = self.target
        if t >= session.limit - session.ramp_down:
            aim = min(aim, self.target * (session.limit - t) // session.ramp_down)
        dt = period if self.previous < 0 else t - self.previous
        step = min(100 - 100 % quantum, session.slope * dt // S)
        self.level = min(aim, self.level + step) if aim > self.level else aim
        self.amplitude, self.previous = self.level - self.level % quantum, t
        self.reached = self.reached or self.level == self.target
        self.pulses[index] += self.amplitude > 0
        self.charge_pc[index] += self.amplitude * width


class Session:
    def __init__(self, segments: Sequence[Sequence[int]], slope: int, ramp_down: int, draw: Draw, now: int) -> None:
        self.segments, self.slope, self.ramp_down, self.draw, self.now = segments, slope, ramp_down, draw, now
        self.state, self.reason, self.open, self.timers = "TESTED", "NONE", False, dict[str, int]()
        self.channels = {number: Channel(self, number) for number in (1, 2, 3, 4)}
        self.stimulation = self.arms = self.nonce = 0

    def advance(self, to: int) -> None:  # pulses with t < now, then what is due
        what = "begin"
        while what:
            at, _, what = min([(to, 99, ""), *((at, DUE.index(due), due) for due, at in self.timers.items())])
            if self.state in OUTPUT and at > self.now:
                self.stimulation += at - self.now
                while (first := min(self.armed, key=lambda channel: channel.due)).due[0] < self.stimulation:
                    first.pulse()
                if self.state == "RAMPING" and all(channel.reached for channel in self.armed):
                    self.state = "RUNNING"
            self.now = at
            self.timers.pop(what, None)
            if what == "fall":
                self.state = "RAMPING_DOWN"
            elif (what, self.state) in (("lapse", "ARMED"), ("checked", "CHECKING")):
                self.state = "HELD" if "HOLD_EXPIRED" in self.timers else "TESTED"
            elif what in DUE[:4] and (what, self.state) != ("WATCHDOG", "TESTED"):
                self.leave("ENDED", what)

    def leave(self, state: str, reason: str) -> None:
        self.state, self.reason, self.open = state, reason, state == "HELD"
        self.timers = {each: self.timers.get(each, self.now + 600 * S) for each in DUE[:3] if self.open}

    def hear(self, name: str, f: Mapping[str, int], now: int) -> str:  # sections 10 to 12, 18: "", or what is refused
        self.advance(now)
        rows = {"Arm": ("TESTED", "HELD"), "Start": ("ARMED",), "SetTarget": OUTPUT, "Hold": OUTPUT}
        heard = self.open if name == "KeepAlive" else self.state in rows.get(name, (self.state,))
        if not heard or f.get("nonce", self.nonce) != self.nonce:
            unheard = "UNREAD_COUNTERS" if name == "Arm" and self.state == "ENDED" else "WRONG_STATE"
            return "WRONG_NONCE" if heard else unheard
        if name in ("Stop", "Hello") and self.open:
            self.leave("ENDED", "STOP" if name == "Stop" else "HANDSHAKE")
        elif name == "Hold":
            self.leave("HELD", "HELD_BY_HOST")
        elif name == "KeepAlive":
            self.timers["WATCHDOG"] = now + S
        elif name == "Arm":
            self.state, self.open, self.arms, self.arm = "ARMED", True, self.arms + 1, f
            self.nonce, self.limit = self.draw(self.arms) << 32 | self.arms, f["stimulation_limit_us"]
            self.armed = [each for number, each in self.channels.items() if f["channel_mask"] >> (number - 1) & 1]
            self.timers |= {"lapse": now + f["time_to_live_ms"] * 1000, "WATCHDOG": now + S}
            self.timers.setdefault("SESSION_EXPIRED", now + 2700 * S)
        elif name == "Start" and self.arm["purpose"]:  # 10 pulses 10 ms apart, channel after channel
            self.state, self.timers["checked"] = "CHECKING", now + len(self.armed) * 10 * 10_000
        elif name == "Start":
            self.state, left = "RAMPING", self.limit - self.stimulation
            for channel in self.armed:
                channel.start(f[f"target_{channel.number}_ua"])
            self.timers |= {"TIMER": now + left, "fall": now + max(0, left - self.ramp_down)}
            self.timers.pop("HOLD_EXPIRED", None)
        elif name == "SetTarget":
            channel, target = self.channels[f["channel"]], f["target_ua"]
            rise, above = target - channel.target, target > self.arm["ceiling_ua"]
            if above or rise > 100 or (rise > 0 and now - channel.raised < S):
                return "ABOVE_LIMIT" if above else "RAISE_TOO_LARGE" if rise > 100 else "RAISE_TOO_SOON"
            channel.target, channel.raised = target, now if rise > 0 else channel.raised
            channel.reached = channel.reached or target in (0, channel.level)
        return ""
