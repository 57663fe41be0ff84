"""What the ledger's tests share: a place for a ledger, and a session as a session writes it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stimctl.ledger import Ledger, new_session_id

DOSE = {"1": {"pulses": [10, 1000], "charge_pc": [12_000_000, 400_000_000]}}


def write_session(
    ledger: Ledger,
    *,
    simulator: bool = True,
    close: bool = True,
    session_id: str | None = None,
    operator: str = "A. O.",
) -> str:
    """Append one session of eight entries; returns its id."""
    one = session_id or new_session_id()
    pair = [{"point": "BL-23", "side": "left", "spot": ""}, {"point": "BL-25", "side": "left", "spot": ""}]
    opened: dict[str, Any] = {
        "subject": "simulator",
        "operator": operator,
        "pseudonym": "P-07",
        "profile": {"id": "low-back-pain", "version": "1.0.0", "sha256": "ab" * 32},
        "prescription": {
            "channels": [{"channel": 1, "pair": pair, "amplitude_ua": 2000, "needle": {"diameter_um": 300}}],
            "program": {"segments": [{"period_us": 500_000}, {"period_us": 10_000}]},
            "ceiling_ua": 2000,
        },
        "device": {"model": "sim", "serial": "S1", "firmware": "1.0.0", "calibrated_on": "2026-01-01"},
        "simulator": simulator,
        "planned": {"1": {"pulses": [12, 1200], "charge_pc": [14_400_000, 480_000_000]}},
        "started_utc": "2026-01-31T14:25:01.000000Z",
        "url": "sim://",
    }
    ledger.append(one, "opened", 0, opened)
    ledger.append(one, "impedance", 1, {"channel": 1, "ohm": 612, "pulses": 10})
    ledger.append(one, "armed", 2, {"session": 5, "nonce": 1 << 40})
    ledger.append(one, "started", 3, {"targets": {"1": 2000}})
    ledger.append(one, "alarm", 4, {"text": "contact is poor", "channel": 1})
    ledger.append(one, "outcome", 5, {"pain_before": 6, "pain_after": 3})
    ledger.append(one, "counters", 6, {"channel": 1, **DOSE["1"]})
    if close:
        closed = {
            "end_reason": "timer",
            "end_text": "timer",
            "commanded": {"1": {"pulses": [11, 1100], "charge_pc": [13_200_000, 440_000_000]}},
            "delivered": DOSE,
            "measured": {"1": {"charge_pc": [12_100_000, 401_000_000], "net_charge_pc": -7, "max_amplitude_ua": 2011}},
            "spreads": {"1": {"ohm": {"first": 612, "min": 600, "median": 610.5, "max": 640}}},
            "band_us": [600_000_000, 600_000_000],
            "held_us": 0,
            "zero_confirmed_us": 21_000,
            "agreement": {"exact": False, "measured": True, "contradiction": None},
        }
        ledger.append(one, "closed", 7, closed)
    return one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger(path) as opened:
        yield opened


@pytest.fixture
def session() -> Callable[..., str]:
    return write_session
