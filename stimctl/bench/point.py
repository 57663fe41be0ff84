"""One operating point, judged by itself: a pulse of a known shape, zero after a stop, or two channels together.

For whoever has no profile but a list of points: the conformance suite, whose certificate takes these rows.
"""

from collections.abc import Sequence
from pathlib import Path

from stimctl.bench.acceptance import AcceptanceSpec, Source, accept
from stimctl.bench.expected import Expected
from stimctl.bench.tolerances import Tolerances, load_tolerances
from stimctl.bench.verdict import Row, Verdict
from stimctl.capture import Declared
from stimctl.capture.uncertainty import Instrument
from stimctl.units import hz_text
from stimctl.waveform import Segment

_OF_A_PULSE = ("amplitude", "second phase", "width", "pulses", "charge of the first", "net charge")
_OF_ZERO = ("current from",)
_OF_PAIRS = ("pulses that flow", "dead time")


def judged_pulse(
    path: Path, declared: Declared, shapes: Sequence[tuple[int, int, int, int]], band: int, amplitude_ua: int
) -> tuple[Row, ...]:
    """A capture in which the pulse `shapes[band]` flows at an amplitude: period, width, gap and second width in us."""
    segments = tuple(Segment(*shape, 0) for shape in shapes)
    expected = Expected("point", "", "one operating point", "", segments, amplitude_ua, amplitude_ua, commanded=True)
    rows = _rows(path, declared, expected, AcceptanceSpec())
    others = [hz_text(shape[0]) for number, shape in enumerate(shapes) if number != band]
    mine = [row for row in rows if not any(row.where.endswith(f", {other}") for other in others)]
    return tuple(row for row in mine if row.name.startswith(_OF_A_PULSE))


def judged_zero(path: Path, declared: Declared, stop_at_s: float) -> tuple[Row, ...]:
    """A capture that goes on after a stop was sent."""
    rows = _rows(path, declared, _ANY, AcceptanceSpec(stop_at_s=stop_at_s))
    return tuple(row for row in rows if row.name.startswith(_OF_ZERO))


def judged_pair(path: Path, declared: Declared) -> tuple[Row, ...]:
    """A capture of two channels that are driven together."""
    return tuple(row for row in _rows(path, declared, _ANY, AcceptanceSpec()) if row.name.startswith(_OF_PAIRS))


def outcome(rows: Sequence[Row]) -> Verdict:
    """What several rows say together: one that fails is enough, and one that is open leaves the point open."""
    if any(row.verdict is Verdict.FAILS for row in rows if row.judged):
        return Verdict.FAILS
    # Net charge needs a reference capture, which a point has none of: it can fail a point, not leave it open.
    judged = [row.verdict for row in rows if row.judged and not row.name.startswith("net charge")]
    for verdict in (Verdict.UNDECIDED, Verdict.NOT_MEASURABLE):
        if verdict in judged:
            return verdict
    return Verdict.HOLDS if judged else Verdict.NOT_MEASURABLE


def _rows(path: Path, declared: Declared, expected: Expected, spec: AcceptanceSpec) -> tuple[Row, ...]:
    tolerances, digest = load_tolerances()
    used = _assumed(tolerances)
    return accept([Source(path, declared)], expected, tolerances, "", digest, used, spec).rows


def _assumed(tolerances: Tolerances) -> Instrument:
    bounds = tolerances.instrument
    return Instrument(bounds.gain_part, bounds.load_part, bounds.timebase_part, ("gain", "load", "time base"))


_ANY = Expected("point", "", "any pulses", "", (Segment(10_000, 200, 0, 200, 0),), 0.0, 2_000.0, commanded=False)
