"""Measures what the controls of `SAFETY.md` do when their cause is injected, and writes its tables.

    python -m stimlab.safety_table --write     measure, and renew the tables
    python -m stimlab.safety_table --check     measure, and fail when a table says anything else

Every shipped scenario that names a hazard is played with several seeds in virtual time, so that the figures are
the same on every machine. They are of the simulated device and say nothing about hardware. What is refused before
there is a session is swept over everything there is to refuse.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import click

from firmware_sim.analog.recorder import FlowKind as Flowed
from firmware_sim.analog.recorder import Recorder
from stimctl.anatomy import ASHI, POINTS, Placement, Region, check_pair, place
from stimctl.errors import Unsafe
from stimctl.screening import QUESTIONS, AnswerKind, Screening
from stimctl.units import US_PER_S, counted
from stimctl.wire.tables import table as markdown
from stimlab.play.play import play, way_for
from stimlab.play.result import PlayedSession
from stimlab.safety_page import NOT_SOFTWARE, Hazard, Malformed, hazards
from stimlab.scenario.model import Scenario
from stimlab.scenario.reader import shipped

SEEDS = 3
STEPS = "H03"
RISE_UA = 2_000 // 5  # at least 5 s from zero to 2.0 mA
_CHEST = frozenset({Region.CHEST, Region.UPPER_BACK})
_HEAD_AND_NECK = frozenset({Region.HEAD, Region.NECK})


class Unmeasured(Exception):
    """A scenario that came out otherwise than it must, a pair let through, or a hazard that nothing is injected for."""


class SafetyRow(NamedTuple):
    """One line: what was injected, what was measured, its worst case, its limit, over how many runs."""

    hazard: str
    injected: str
    measured: str
    worst: str
    limit: str
    over: str


def rows() -> list[SafetyRow]:
    """All rows, measured now. Raises `Unmeasured`."""
    virtual = [scenario for scenario in shipped().values() if way_for(scenario) == "sim"]
    return sorted([*played_rows(virtual), *swept_rows()], key=lambda row: row.hazard)


# --- scenarios ---------------------------------------------------------------------------------------


def played_rows(scenarios: Sequence[Scenario], seeds: int = SEEDS) -> Iterator[SafetyRow]:
    """For each hazard: what was refused, each time that has a limit, and what only had to end well."""
    runs = {each.name: [_as_expected(replace(each, seed=each.seed + n)) for n in range(seeds)] for each in scenarios}
    for hazard in sorted({hazard for each in scenarios for hazard in each.hazards}):
        concerned = [each for each in scenarios if hazard in each.hazards]
        yield from _refused(hazard, concerned, runs)
        yield from _timed(hazard, concerned, runs)
        yield from _ended(hazard, concerned, runs)
        if hazard == STEPS:
            yield _steepest(concerned, runs)


def _as_expected(scenario: Scenario) -> PlayedSession:
    played = play(scenario)
    if played.unmet:
        raise Unmeasured(f"{scenario.name}, seed {scenario.seed}: {'; '.join(played.unmet)}")
    return played


def _refused(
    hazard: str, scenarios: Sequence[Scenario], runs: Mapping[str, list[PlayedSession]]
) -> Iterator[SafetyRow]:
    refusals = [each for each in scenarios if each.expect.refused is not None]
    tried = [run for each in refusals for run in runs[each.name]]
    if tried:
        pulses = sum(_pulses(run) for run in tried)
        yield SafetyRow(hazard, _names(refusals), "pulses before the refusal", str(pulses), "0", _sessions(tried))


def _timed(hazard: str, scenarios: Sequence[Scenario], runs: Mapping[str, list[PlayedSession]]) -> Iterator[SafetyRow]:
    for time in sorted({time for each in scenarios for time in each.expect.within_us}):
        limited = [run for each in scenarios if time in each.expect.within_us for run in runs[each.name]]
        # Limits differ from one cause to another: the worst case is the one that came closest to its own.
        worst = max(limited, key=lambda run: run.control_us[time] / max(1, run.scenario.expect.within_us[time]))
        taken_us, limit_us = worst.control_us[time], worst.scenario.expect.within_us[time]
        names = _names([worst.scenario])
        yield SafetyRow(hazard, names, time.replace("_", " "), _ms(taken_us), _ms(limit_us), _sessions(limited))


def _ended(hazard: str, scenarios: Sequence[Scenario], runs: Mapping[str, list[PlayedSession]]) -> Iterator[SafetyRow]:
    rest = [each for each in scenarios if each.expect.refused is None and not each.expect.within_us]
    tried = [run for each in rest for run in runs[each.name]]
    if tried:
        wrong = sum(bool(run.unmet) for run in tried)
        yield SafetyRow(
            hazard, _names(rest), "sessions that did not end as they must", str(wrong), "0", _sessions(tried)
        )


def _steepest(scenarios: Sequence[Scenario], runs: Mapping[str, list[PlayedSession]]) -> SafetyRow:
    """The largest rise within a second, after a hold as at the start: at the limit 2.0 mA takes 5 s."""
    tried = [run for each in scenarios for run in runs[each.name]]
    rise_ua = max(largest_rise_na(_record(run), channel) for run in tried for channel in run.recorder.channels) / 1_000
    return SafetyRow(
        STEPS, _names(scenarios), "largest rise within 1 s", f"{rise_ua:.0f} uA", f"{RISE_UA} uA", _sessions(tried)
    )


def largest_rise_na(recorder: Recorder, channel: int) -> int:
    """The most that a channel's pulses rise within one second, in nA; from zero where there was none for a second."""
    rise_na = 0
    recent: deque[tuple[int, int]] = deque()
    for flow in recorder.flows(channel):
        while recent and recent[0][0] <= flow.first_us - US_PER_S:
            recent.popleft()
        lowest_na = min((level_na for _, level_na in recent), default=0)
        rise_na = max(rise_na, flow.shape.first_na - lowest_na)
        recent.append((flow.last_us, flow.shape.first_na))
    return rise_na


def _pulses(played: PlayedSession) -> int:
    recorder = _record(played)
    return sum(recorder.pulses(channel, kind) for channel in recorder.channels for kind in Flowed)


def _record(played: PlayedSession) -> Recorder:
    # In virtual time it always is one.
    assert isinstance(played.recorder, Recorder)
    return played.recorder


def _names(scenarios: Sequence[Scenario]) -> str:
    return ", ".join(f"`{each.name}`" for each in scenarios)


def _sessions(runs: Sequence[PlayedSession]) -> str:
    return counted(len(runs), "session")


def _ms(us: int) -> str:
    return f"{us / 1_000:.1f} ms"


# --- what is refused before there is a session -------------------------------------------------------


def swept_rows() -> Iterator[SafetyRow]:
    """Everything that anatomy and screening have to refuse, tried one by one. Raises `Unmeasured`."""
    yield _pairs("H11", "every pair with a needle on the chest or upper back, or not on one arm", _near_the_heart)
    yield _pairs("H13", "every pair with a needle on head or neck", _on_the_head)
    yield _answers("H12", "implant")
    yield _answers("H14", "pregnancy")


def _pairs(hazard: str, what: str, wrong: Callable[[Placement, Placement], bool]) -> SafetyRow:
    # An Ashi point has no region of its own: it is what the operator declares.
    needles = [
        place(code, side) for code, point in POINTS.items() if point is not ASHI for side in sorted(point.sides())
    ]
    tried = [pair for pair in combinations(needles, 2) if wrong(*pair)]
    passed = [pair for pair in tried if check_pair(*pair) is None]
    return _let_through(hazard, what, passed, tried, "pairs")


def _near_the_heart(first: Placement, second: Placement) -> bool:
    regions = {first.region, second.region}
    arms = Region.ARM in regions and not (regions == {Region.ARM} and first.side is second.side)
    return bool(regions & _CHEST) or arms


def _on_the_head(first: Placement, second: Placement) -> bool:
    return bool({first.region, second.region} & _HEAD_AND_NECK)


def _answers(hazard: str, question: str) -> SafetyRow:
    """Whatever else is answered: a yes to this question lets nobody through."""
    asked = [each.id for each in QUESTIONS if each.kind is not AnswerKind.WARNING]
    warnings = {each.id: False for each in QUESTIONS if each.kind is AnswerKind.WARNING}
    tried = [
        {**dict(zip(asked, given, strict=True)), **warnings}
        for given in product((True, False), repeat=len(asked))
        if given[asked.index(question)]
    ]
    passed = [answers for answers in tried if _passes(answers)]
    return _let_through(
        hazard, f"every screening with a yes to the question on {question}", passed, tried, "screenings"
    )


def _passes(answers: Mapping[str, bool]) -> bool:
    try:
        Screening(answers, pseudonym="nobody", now_us=0)
    except Unsafe:
        return False
    return True


def _let_through(hazard: str, what: str, passed: Sequence[object], tried: Sequence[object], unit: str) -> SafetyRow:
    if passed or not tried:
        raise Unmeasured(f"{hazard}: {what}: {len(passed)} of {len(tried)} {unit} let through, the first {passed[:1]}")
    return SafetyRow(hazard, what, f"{unit} let through", str(len(passed)), "0", f"{len(tried)} {unit}")


# --- SAFETY.md ---------------------------------------------------------------------------------------


def renewed(text: str, rows: Sequence[SafetyRow]) -> str:
    """The page with these rows in its sections and its overview. Raises `Unmeasured` for a hazard without a row."""
    known = hazards(text)
    by_hazard = {identity: [row for row in rows if row.hazard == identity] for identity in known}
    missing = [identity for identity, each in known.items() if each.controls and not by_hazard[identity]]
    if missing:
        raise Unmeasured(f"nothing is injected for {', '.join(missing)}: ship a scenario that names it")
    for identity, measured in by_hazard.items():
        if measured:
            text = _between(
                text, f"measured {identity}", markdown(SafetyRow._fields[1:], (row[1:] for row in measured))
            )
    head = ("hazard", "severity", "acts in", "closest to its limit")
    lines = [(_link(each), each.severity, _held_by(each), _worst(by_hazard[each.identity])) for each in known.values()]
    return _between(text, "overview", markdown(head, lines))


def _between(text: str, mark: str, table: str) -> str:
    before, begin, rest = text.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not end:
        raise Unmeasured(f"the page has no place for the table {mark!r}: <!-- {mark} --> and <!-- end -->")
    return f"{before}{begin}{table}{end}{after}"


def _link(hazard: Hazard) -> str:
    return f"[{hazard.identity} {hazard.title}](#{hazard.anchor})"


def _held_by(hazard: Hazard) -> str:
    """On which side of the wire its controls act."""
    sides = {"device" if control.path.startswith("firmware_sim") else "driver" for control in hazard.controls}
    return " and ".join(sorted(sides, reverse=True)) or NOT_SOFTWARE.lower()


def _worst(rows: Sequence[SafetyRow]) -> str:
    """The row that came closest to its limit; one that has only to be zero, where there is no other."""
    if not rows:
        return ""
    limited = [row for row in rows if _size(row.limit)] or rows
    worst = max(limited, key=lambda row: _size(row.worst) / (_size(row.limit) or 1))
    return f"{worst.measured}: {worst.worst}" + (f" of {worst.limit}" if _size(worst.limit) else "")


def _size(figure: str) -> float:
    return float(figure.split(maxsplit=1)[0])


@click.command()
@click.option("--write/--check", default=False, help="Renew the tables, or fail when one is stale.")
@click.option("--page", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="SAFETY.md")
def main(write: bool, page: Path) -> None:
    """Measure the controls of SAFETY.md and renew or check its tables."""
    text = page.read_text("utf-8")
    try:
        measured = rows()
        fresh = renewed(text, measured)
    except (Unmeasured, Malformed) as problem:
        raise click.ClickException(str(problem)) from None
    if write:
        page.write_text(fresh, "utf-8")
    elif fresh != text:
        raise click.ClickException(f"{page}: a measured table is stale; python -m stimlab.safety_table --write")
    click.echo(f"{page}: {len(measured)} rows, measured now")


if __name__ == "__main__":
    main()
