"""The whole judgement: captures over one load or several, each channel, and what lies between channels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from shlex import quote

import numpy as np

from stimctl.bench.channel import BenchChannel
from stimctl.bench.contact_check import without_check
from stimctl.bench.expected import Expected
from stimctl.bench.tolerances import Tolerances
from stimctl.bench.verdict import Row, Verdict, around, at_most, count_row, open_, shown, verdict_text
from stimctl.capture import Capture, Declared, PulseMeasurements, measure, open_capture
from stimctl.capture.crosstalk import Crosstalk, without_crosstalk
from stimctl.capture.pulses import Progress
from stimctl.capture.train import dead_time, spans_s
from stimctl.capture.uncertainty import EXACT, Figure, Instrument, Judge, unknown
from stimctl.errors import InputInvalid, Problem
from stimctl.units import counted


@dataclass(frozen=True, slots=True)
class Source:
    """A file to judge, what was declared of it, and a file of the same set-up with the outputs disabled."""

    path: Path
    declared: Declared
    reference: Path | None = None


@dataclass(frozen=True, slots=True)
class AcceptanceSpec:
    """What else the person said: which channels, when a stop was sent (s of the capture), how long it was to last.

    `between_s` is the part of a capture that is judged, where that is not all of it.
    """

    channels: tuple[str, ...] = ()
    stop_at_s: float | None = None
    minutes: float | None = None
    logged_uc: float | None = None
    full_scale: float = np.inf
    partial: bool = False
    simulated: bool = False
    between_s: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """One capture, measured and judged."""

    source: Source
    capture: Capture
    channels: tuple[BenchChannel, ...]
    rows: tuple[Row, ...]
    simulated: bool
    digest: str
    copies: tuple[Crosstalk, ...] = ()
    checks: Mapping[str, int] = field(default_factory=dict)  # by column, the impedance check's pulses before the run
    without_pulses: tuple[str, ...] = ()  # columns that nobody asked for, and of which nothing is judged

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know of this capture."""
        return tuple(_notes(self))


@dataclass(frozen=True, slots=True)
class Acceptance:
    """All captures of one device against one profile."""

    expected: Expected
    tolerances: Tolerances
    tolerances_file: str
    tolerances_sha256: str
    instrument: Instrument
    taken: tuple[Taken, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Those of all captures."""
        return tuple(row for each in self.taken for row in each.rows)

    def count(self, verdict: Verdict) -> int:
        """How many came out so."""
        return sum(row.verdict is verdict for row in self.rows if row.judged or verdict is Verdict.NO_LIMIT)

    @property
    def simulated(self) -> bool:
        """Whether any capture is of a simulated output."""
        return any(each.simulated for each in self.taken)

    @property
    def holds(self) -> bool:
        """Whether nothing failed. What could not be decided may be anything."""
        return not self.count(Verdict.FAILS)

    @property
    def whole(self) -> bool:
        """Whether all was decided."""
        return not self.count(Verdict.UNDECIDED) and not self.count(Verdict.NOT_MEASURABLE)

    @property
    def verdict(self) -> str:
        """The first line of every report."""
        return verdict_text({verdict: self.count(verdict) for verdict in Verdict})


def accept(
    sources: Sequence[Source], expected: Expected, tolerances: Tolerances, tolerances_file: str, digest: str,
    instrument: Instrument, spec: AcceptanceSpec, progress: Progress | None = None,
) -> Acceptance:  # fmt: skip
    """Read, measure and judge. Raises `InputInvalid` for a file that is wrong."""
    taken = tuple(_taken(source, expected, tolerances, instrument, spec, progress) for source in sources)
    return Acceptance(expected, tolerances, tolerances_file, digest, instrument, taken)


def _taken(
    source: Source, expected: Expected, tolerances: Tolerances, instrument: Instrument, spec: AcceptanceSpec,
    progress: Progress | None,
) -> Taken:  # fmt: skip
    capture = open_capture(source.path, partial=spec.partial)
    if spec.between_s is not None:
        capture = capture.part(*spec.between_s)
    declared = source.declared
    if capture.simulated:
        declared = Declared(declared.load_ohm, capture.columns[0].unit, 1.0)
    numbers = tuple(capture.column(name) for name in spec.channels) or tuple(range(len(capture.columns)))
    for number in numbers:
        declared.check(capture, number)
    found = measure(capture, numbers, full_scale=spec.full_scale, progress=progress)
    shown = [each for each in found if len(each.pulses)] or found[:1] if not spec.channels else found
    without_pulses = tuple(each.column for each in found if all(each is not one for one in shown))
    own, copies = without_crosstalk(shown)
    shown = [each for each, whole in zip(own, shown, strict=True) if len(each.pulses) or not len(whole.pulses)]
    references = _references(source, shown, spec)
    runs = [without_check(each, declared.ua_per_number) for each in shown]
    shown, checks = [run for run, _ in runs], {run.column: count for run, count in runs if count}
    used = EXACT if capture.simulated else instrument
    channels = tuple(
        BenchChannel.of(each.column, Judge(each, declared, used), expected, tolerances, references.get(each.column))
        for each in shown
    )
    rows = [row for channel in channels for row in channel.rows()]
    rows += _between(channels, copies)
    rows += [row for channel in channels for row in _asked_of(channel, spec)]
    simulated = capture.simulated or spec.simulated
    return Taken(
        source, capture, channels, tuple(rows), simulated, _digest(source.path), tuple(copies), checks, without_pulses
    )


def _digest(path: Path) -> str:
    from hashlib import file_digest

    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _references(
    source: Source, shown: Sequence[PulseMeasurements], spec: AcceptanceSpec
) -> dict[str, PulseMeasurements]:
    """What the same set-up shows with the outputs disabled, by channel."""
    if source.reference is None:
        return {}
    capture = open_capture(source.reference, partial=spec.partial)
    numbers = tuple(capture.column(each.column) for each in shown)
    for number in () if capture.simulated else numbers:
        source.declared.check(capture, number)
    found = {each.column: each for each in measure(capture, numbers)}
    for name, each in found.items():
        if len(each.pulses):
            allowed = f"it holds {counted(len(each.pulses), 'pulse')}: a reference is taken with the outputs disabled"
            raise InputInvalid(str(source.reference), [Problem(f"channel {name}", None, allowed)])
    return found


def _between(channels: Sequence[BenchChannel], copies: Sequence[Crosstalk]) -> Iterator[Row]:
    """No two channels may drive at once. What may be crosstalk counts as current, until a person shows otherwise."""
    counts = {frozenset((each.column, each.of)): 0 for each in copies}
    for each in copies:
        counts[frozenset((each.column, each.of))] += each.count
    for one, two in combinations(channels, 2):
        found = dead_time(one.judge.measured, two.judge.measured)
        where = f"{one.name} and {two.name}"
        if found is None:
            continue
        sampling_us = 2e6 * one.judge.measured.interval_s / np.sqrt(6)
        overlaps = found.overlaps + counts.pop(frozenset((one.name, two.name)), 0)
        yield count_row("pulses that flow on both channels at once", where, overlaps)
        yield shown("dead time, shortest", where, Figure(found.shortest_s * 1e6, sampling_us, "us"))
    for pair, count in counts.items():
        yield count_row("pulses that flow on both channels at once", " and ".join(sorted(pair)), count)


def _asked_of(channel: BenchChannel, spec: AcceptanceSpec) -> Iterator[Row]:
    if not len(channel.pulses):
        return
    if spec.stop_at_s is not None:
        yield _zero(channel, spec.stop_at_s)
    if spec.minutes is not None:
        yield _timer(channel, spec.minutes * 60)
    if spec.logged_uc is not None:
        total_uc = float(np.nansum(channel.pulses["charge"])) * channel.judge.ua
        scale = 2 * channel.judge.instrument.scale * total_uc
        figure, off = Figure(total_uc, scale, "uC"), channel.tolerances.log.part * spec.logged_uc
        yield around("charge of all first phases, against the log", channel.name, figure, spec.logged_uc, off)


def _zero(channel: BenchChannel, stop_at_s: float) -> Row:
    """How much still flows a while after a stop: pulses, or a current that goes on."""
    limit, measured = channel.tolerances.zero, channel.judge.measured
    begin_s = stop_at_s - measured.start_s + limit.within_s
    name = f"current from {limit.within_s:g} s after the stop on"
    if begin_s >= measured.duration_s and measured.simulated:
        return at_most(name, channel.name, Figure(0.0, 0.0, "uA"), limit.ua, "a record ends where the last current did")
    if begin_s >= measured.duration_s:
        return open_(name, channel.name, "uA", "the capture ends before")
    ends = channel.pulses["onset_s"] + spans_s(channel.pulses)
    late = channel.pulses[ends > begin_s]
    if len(late):
        figure = Figure(float(np.nanmax(late["level"])) * channel.judge.ua, 0.0, "uA")
        return at_most(name, channel.name, figure, limit.ua, f"{counted(len(late), 'pulse')} after it")
    held = _holds(channel, begin_s)
    return at_most(name, channel.name, held, limit.ua)


def _holds(channel: BenchChannel, begin_s: float) -> Figure:
    """The largest mean current of any millisecond after that, which no pulse makes."""
    measured = channel.judge.measured
    quiet = measured.quiet
    assert quiet is not None
    zero = channel.reference.mean if channel.reference is not None else 0.0
    if channel.reference is None and not measured.simulated:
        zero = float(np.median(quiet.levels[quiet.times < begin_s])) if (quiet.times < begin_s).any() else np.nan
    after = quiet.levels[quiet.times >= begin_s]
    if not len(after) or np.isnan(zero):
        return unknown("uA", "the capture ends before, or has nothing before it to compare with")
    largest = float(np.max(np.abs(after - zero))) * channel.judge.ua
    # Of so many, noise alone makes the largest stand out by that.
    largest_of = max(2.0, float(np.sqrt(2 * np.log(len(after)))))
    noise = 0.0 if measured.simulated else largest_of * quiet.noise * channel.judge.ua
    return Figure(largest, noise, "uA")


def _timer(channel: BenchChannel, wanted_s: float) -> Row:
    """From the first onset to one period after the last: to a period's length what stimulation lasted."""
    onsets = channel.pulses["onset_s"]
    period_s = channel.train.periods_s[int(channel.train.bands[-1])] if channel.train.periods_s else 0.0
    figure = channel.judge.time(float(onsets[-1] - onsets[0]) + period_s)
    tolerance = channel.tolerances.timer.s
    return around("stimulation, from first pulse to last", channel.name, figure, wanted_s, tolerance + period_s)


def _notes(taken: Taken) -> Iterator[str]:
    yield from taken.capture.notes
    declared = taken.source.declared
    text = taken.capture.probe_said
    if text not in (None, declared.probe):
        yield f"the file says its probe is {text:g}x; its numbers were taken as declared, times {declared.probe:g}"
    for each in taken.copies:
        yield (
            f"{each.column}: {counted(each.count, 'pulse')} at the times of {each.of}'s, some {each.part:.0%} as high:"
            " crosstalk of the probes, or current that flows on both; they count as that and in no other figure"
        )
    for column in taken.without_pulses:
        yield f"{column}: no pulse in it, and nothing else of it was judged; --channel {quote(column)} has it judged"
    for column, count in taken.checks.items():
        yield f"{column}: the first {counted(count, 'pulse')} are an impedance check's: no figure of pulses has them"
    for channel in taken.channels:
        yield from _notes_of(channel)


def _notes_of(channel: BenchChannel) -> Iterator[str]:
    measured = channel.judge.measured
    if measured.direction < 0:
        yield f"{channel.name}: first phases go down: the probe is inverted, or the output is"
    if measured.at_edges:
        yield f"{channel.name}: left out at the capture's begin or end: {counted(measured.at_edges, 'pulse')}"
    if measured.ignored:
        yield f"{channel.name}: left out as too short for a phase: {counted(measured.ignored, 'thing')}"
    if measured.held:
        yield f"{channel.name}: held longer than any pulse: {counted(measured.held, 'level')}"
    if measured.averaged > 1:
        yield f"{channel.name}: {measured.averaged} samples were averaged, because of noise"
    if measured.flat_top:
        yield (
            f"{channel.name}: pulses end at one same value without any noise: the screen may have cut them off; say"
            " --full-scale to have that looked at"
        )
    if measured.few_codes:
        yield (
            f"{channel.name}: its values are too few to tell the oscilloscope's codes: whether the screen cut"
            " pulses off was not looked for; say --full-scale to have that looked at"
        )
    if measured.mains:
        yield f"{channel.name}: hum of {measured.mains * channel.judge.ua:.3g} uA was taken off"
    yield from _ten_times(channel)


def _ten_times(channel: BenchChannel) -> Iterator[str]:
    """An amplitude ten or a thousand times off is a probe or a unit, more often than a device."""
    if not len(channel.pulses) or not channel.expected.commanded:
        return
    ratio = float(np.nanmedian(channel.pulses["level"][channel.held])) * channel.judge.ua / channel.expected.high_ua
    for factor in (10.0, 100.0, 1000.0):
        if abs(ratio / factor - 1) < 0.3 or abs(ratio * factor - 1) < 0.3:
            yield f"{channel.name}: its amplitude is {ratio:.2g} times what was commanded: is --probe or --unit right?"
