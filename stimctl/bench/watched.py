"""A session that runs, watched through its log: current, ohms, and the pulse as it should be.

A device tells of its outputs in a session alone, and its port belongs to the program that runs the session. So nothing
here opens a port: what is watched is what that program logs, a sample each ten seconds. It can neither arm nor stop.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stimctl.bench.drawn_pulse import DrawnPulse, Point, drawn_pulse
from stimctl.bench.page import FOLDER
from stimctl.errors import Misuse
from stimctl.ledger import Entry, Ledger
from stimctl.ledger.heads import RUNNING
from stimctl.report.html import rendered
from stimctl.units import US_PER_S
from stimctl.wire.codes import NOT_MEASURED_OHM, SATURATED_OHM

_COLOURS = ("#1b5e9b", "#c2571a", "#14662b", "#7a3b9b")


class WatchedSample(NamedTuple):
    """One channel at one time: `applied_ua` as the device confirmed, the others as it measured; None: it did not."""

    t_s: float
    channel: int
    applied_ua: int
    measured_ua: int | None
    ohm: int | None


@dataclass
class WatchedSession:
    """What has been seen of one session so far. `ended` is why it ended, once it has.

    Times count from `began_us`, of the session's clock.
    """

    session_id: str
    opened: Mapping[str, Any]
    began_us: int
    samples: list[WatchedSample] = field(default_factory=list)
    ended: str = ""
    _last: int = 0

    def take(self, entries: Iterable[Entry]) -> int:
        """Take in what is new. Returns how many samples that were."""
        before = len(self.samples)
        for entry in entries:
            if entry.number <= self._last:
                continue
            self._last = entry.number
            if entry.kind == "sample":
                self.samples += _samples((entry.at_us - self.began_us) / US_PER_S, entry.body["channels"])
            elif entry.kind == "closed":
                self.ended = str(entry.body.get("end_reason") or "closed")
        return len(self.samples) - before

    @property
    def pulses(self) -> tuple[DrawnPulse, ...]:
        """Of each band, by its prescription."""
        return tuple(map(_pulse, self.opened["prescription"]["program"]["segments"]))

    @property
    def amplitudes_ua(self) -> dict[int, int]:
        """What each channel was to reach."""
        return {each["channel"]: each["amplitude_ua"] for each in self.opened["prescription"]["channels"]}


def running_at(ledger: Ledger, url: str) -> WatchedSession:
    """The session that runs at a port. Raises `Misuse` where none does, naming those there are."""
    others = []
    for head in ledger.heads(newest_first=True):
        if head.state != RUNNING:
            continue
        opened = next(ledger.entries(head.session_id))
        if opened.body.get("url") == url:
            return WatchedSession(head.session_id, opened.body, opened.at_us)
        others.append(str(opened.body.get("url")))
    there = f"; sessions run at {', '.join(others)}" if others else "; no session runs"
    raise Misuse(f"{url}: nothing runs there{there}. Start one: a device tells of its outputs in a session alone")


def _samples(t_s: float, channels: Mapping[str, Mapping[str, Any]]) -> Iterator[WatchedSample]:
    for number, reading in channels.items():
        ohm = reading["ohm"]
        yield WatchedSample(
            t_s, int(number), reading["applied_ua"], reading["measured_ua"] or None,
            None if ohm in (NOT_MEASURED_OHM, SATURATED_OHM) else ohm,
        )  # fmt: skip


def _pulse(segment: Mapping[str, int]) -> DrawnPulse:
    names = ("period_us", "width_us", "interphase_gap_us", "second_width_us")
    return drawn_pulse(*(segment[name] for name in names))


def watch_page(session: WatchedSession, made_utc: str, tool: str) -> str:
    """All that was seen, as one HTML page that needs nothing else."""
    channels = sorted({sample.channel for sample in session.samples})
    charts = [
        ("current, mA: line applied, dots measured", _chart(session, channels, "applied_ua", "measured_ua", 1_000)),
        ("resistance as the device measured it, ohm", _chart(session, channels, "ohm", None, 1)),
    ]
    pulses = [(pulse.name, _line(pulse.corners, 560, 150)) for pulse in session.pulses]
    return rendered(
        FOLDER / "watch.html.j2", session=session, charts=charts, pulses=pulses, colours=_COLOURS, channels=channels,
        made_utc=made_utc, tool=tool,
    )  # fmt: skip


def _chart(session: WatchedSession, channels: list[int], line: str, dots: str | None, unit: int) -> dict[str, Any]:
    """A chart's lines and dots in its own coordinates, 0 to 560 by 150 to 0, and its scale's ends."""
    names = (line,) if dots is None else (line, dots)
    values = [v for s in session.samples for name in names if (v := getattr(s, name)) is not None]
    top, last_s = max(values, default=0) or 1, max((s.t_s for s in session.samples), default=0) or 1

    def places(channel: int, name: str) -> list[Point]:
        mine = [s for s in session.samples if s.channel == channel and getattr(s, name) is not None]
        return [(round(560 * s.t_s / last_s, 1), round(150 - 150 * getattr(s, name) / top, 1)) for s in mine]

    drawn = [
        {"colour": _COLOURS[channel - 1], "line": places(channel, line), "dots": places(channel, dots) if dots else []}
        for channel in channels
    ]
    return {"top": f"{top / unit:g}", "last_s": f"{last_s:.0f}", "drawn": drawn}


def _line(corners: tuple[Point, ...], width: int, height: int) -> list[Point]:
    last = corners[-1][0]
    reach = max(abs(y) for _, y in corners)
    return [(round(width * x / last, 1), round(height / 2 * (1 - y / reach), 1)) for x, y in corners]
