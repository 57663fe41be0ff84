"""A bench of simulated parts for tests: a device of any make, its load, and an oscilloscope over VISA."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from stimctl.bench.oscilloscope import Oscilloscope
from stimctl.bench.plan.driving import Driven, PointDriver
from stimctl.bench.plan.judging import Bounds, judged
from stimctl.bench.plan.points import PlanPoint
from stimctl.bench.tolerances import load_tolerances
from stimctl.bench.verdict import Row
from stimctl.capture.uncertainty import Instrument
from stimctl.ledger import Ledger
from stimctl.prescription import Subject
from stimctl.stimulators.discovery import NATIVE, DeviceChoice
from stimlab.oscilloscope.bench_port import SharedLoad
from stimlab.oscilloscope.rigol import RigolScpi
from stimlab.oscilloscope.server import ScopeServer

TOLERANCES, SHA256 = load_tolerances()
BOUNDS = Bounds(TOLERANCES, "tolerances.toml", SHA256, Instrument(0.01, 0.01, 1e-4))


@contextmanager
def driver_at(
    folder: Path,
    make: Callable[..., Any] | None = None,
    setup: Any = None,
    maker: Any = RigolScpi,
    choice: DeviceChoice = NATIVE,
) -> Iterator[PointDriver]:
    """A driver of points; its log is in `folder`. `setup` wraps the bench, where it is to misbehave."""
    shared = SharedLoad(1_000, make)
    bench = shared if setup is None else setup(shared)
    with (
        ScopeServer(maker(shared.scope)) as server,
        Oscilloscope(server.resource) as scope,
        Ledger(folder / "log.sqlite") as ledger,
    ):
        yield PointDriver(
            "sim://", choice, Subject.SIMULATOR, bench, scope, ledger, 1.0, lambda _session: nullcontext()
        )


def rows_of(point: PlanPoint, driven: Driven, folder: Path) -> dict[str, Row]:
    """The judgement of a point by the rows' names; of several of one name, the worst."""
    from stimctl.bench.oscilloscope import save

    capture = None
    if driven.waves:
        capture = folder / f"{point.key}.npz"
        save(capture, driven.waves)
    rows: dict[str, Row] = {}
    for row in judged(point, driven, capture, None, BOUNDS, probe=1.0, simulated=True):
        if row.name not in rows or row.verdict == "fails":
            rows[row.name] = row
    return rows
