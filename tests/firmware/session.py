"""One session of 20 minutes, low back pain, on the chip and on the simulator: what each counted, measured and took."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.quiet import QUIET_LOG
from stimctl.port import open_port
from stimctl.prescription import from_mapping
from stimctl.profile import load_profiles
from stimctl.session.engine import Engine
from stimctl.session.runner import Runner
from stimctl.session.view import SessionReport
from stimctl.stimulators.native import NativeAdapter

PRESCRIPTION = Path("profiles/examples/low-back-pain.toml")
SIDES = {"simulator": "sim://?seed=1", "chip": "sim://?device=firmware"}


def whole(url: str) -> SessionReport:
    """Run it to its end."""
    answers = tomllib.loads(PRESCRIPTION.read_text("utf-8"))
    prescribed = from_mapping(answers, load_profiles(), source=str(PRESCRIPTION))
    port = open_port(url)
    engine = Engine(NativeAdapter(), prescribed, QUIET_LOG, session_id="low-back-pain")
    try:
        return Runner(port, engine, QUIET_LOG, lambda _identity, _records: "", attended=False).run()
    finally:
        port.close()


def told(report: SessionReport) -> Iterator[tuple[str, str]]:
    """Row by row: the two bands, then the end."""
    assert report.delivered is not None
    assert report.measured is not None
    planned, commanded = report.planned["1"], report.commanded["1"]
    delivered, measured = report.delivered["1"], report.measured["1"]
    for band, name in enumerate(("2 Hz", "100 Hz")):
        yield f"{name}: in it, s", f"{report.band_us[band] / 1e6:.3f}"
        for what, of in (("planned", planned), ("commanded", commanded), ("delivered", delivered)):
            yield f"{name}: pulses {what}", f"{of['pulses'][band]:,}"
        for what, of in (("commanded", commanded), ("delivered", delivered), ("measured", measured)):
            yield f"{name}: charge {what}, uC", f"{of['charge_pc'][band] / 1e6:,.3f}"
    yield "net charge measured, uC", f"{measured['net_charge_pc'] / 1e6:.3f}"
    yield "ended by", report.end.name
    yield "zero confirmed after the stop, ms", f"{(report.zero_confirmed_us or 0) / 1_000:.1f}"
    yield "agrees exactly", "yes" if report.agreement["exact"] else "NO"


def table() -> list[str]:
    """Both, side by side."""
    sides = {name: dict(told(whole(url))) for name, url in SIDES.items()}
    lines = [f"| channel 1, 1.5 mA | {' | '.join(sides)} |", "|---|---|---|"]
    return lines + [f"| {row} | {' | '.join(side[row] for side in sides.values())} |" for row in sides["chip"]]
