"""How each figure came to be known travels with it, and what nobody knows is empty."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.export import csv_of_channels, json_text
from stimctl.ledger.recovery import close_unfinished

KEPT: dict[str, Any] = {
    "source": "the host's count",
    "evidence": "estimated",
    "channels": {"1": {"counted": [10, 0], "estimated": [2, 0], "least": [1, 0], "measured": [0, 0]}},
}
DOSE = {"1": {"pulses": [12, 0], "charge_pc": [1200, 0]}}
# As an older ledger has it: zeros of a device that measures nothing.
ZEROS = {"1": {"charge_pc": [0, 0], "net_charge_pc": 0, "max_amplitude_ua": 0, "compliance_hits": 0, "energy_nj": 0}}


def row(path: Path, closed: dict[str, Any]) -> dict[str, str]:
    opened = {
        "simulator": True,
        "device": {"lacks": ["no measurement of the current that flows", "no watchdog"]},
        "prescription": {"channels": [{"channel": 1}], "program": {"segments": [{"period_us": 500_000}]}},
        "software": "stimctl 9",
        "clock": "real",
    }
    with Ledger(path) as ledger:
        ledger.append("s-1", "opened", 0, opened)
        ledger.append("s-1", "closed", 5, {"end_reason": "timer", "commanded": DOSE, **closed})
        (found,) = csv.DictReader(io.StringIO(csv_of_channels(ledger.summary("s-1"))))
    return found


def test_an_estimate_says_so_and_what_was_not_measured_is_empty(path: Path) -> None:
    closed = {"delivered": DOSE, "measured": ZEROS, "kept": KEPT, "zero_confirmed_us": 500, "zero_measured": False}
    found = row(path, closed)
    expected = {
        "delivered_standing": "estimated",
        "estimated_pulses_1": "2",
        "estimated_pulses_at_least_1": "1",
        "measured_standing": "unknown",
        "measured_charge_pc_1": "",
        "measured_pulses_1": "",
        "measured_energy_nj": "",
        "measured_compliance_hits": "",
        "zero_measured": "False",
        "lacks": "no measurement of the current that flows; no watchdog",
        "software": "stimctl 9",
        "clock": "real",
        "delivered_pulses_2": "",
        "verifies": "True",
    }
    assert {name: found[name] for name in expected} == expected


def test_a_most_says_so(path: Path) -> None:
    kept = {**KEPT, "evidence": "at most", "channels": {"1": {**KEPT["channels"]["1"], "estimated": [0, 0]}}}
    assert row(path, {"delivered": DOSE, "measured": None, "kept": kept})["delivered_standing"] == "at most"
    with Ledger(path, read_only=True) as ledger:
        (head,) = ledger.sessions()
    assert (head.delivered_pc, head.delivered_standing) == (1200, "at most")


def test_of_a_leased_device_that_measures_energy_stays_empty(path: Path) -> None:
    kept = {**KEPT, "channels": {"1": {"counted": [12, 0], "estimated": [0, 0], "least": [0, 0], "measured": [12, 0]}}}
    measured = {"1": {**ZEROS["1"], "charge_pc": [1190, 0]}}
    found = row(path, {"delivered": DOSE, "measured": measured, "kept": kept})
    assert (found["delivered_standing"], found["measured_standing"]) == ("counted", "measured")
    assert (found["measured_charge_pc_1"], found["measured_energy_nj"]) == ("1190", "")


def test_of_a_zero_that_was_not_confirmed_nothing_says_that_it_was_measured(path: Path) -> None:
    assert row(path, {"delivered": None, "measured": None, "zero_measured": True})["zero_measured"] == ""
    with Ledger(path, read_only=True) as ledger:
        assert json.loads(json_text(ledger.summary("s-1"), ()))["session"]["zero_measured"] is None


def test_what_the_device_could_not_be_asked_is_unknown(path: Path) -> None:
    found = row(path, {"delivered": None, "measured": None})
    assert (found["delivered_standing"], found["delivered_pulses_1"], found["zero_measured"]) == ("unknown", "", "")


@pytest.fixture
def cut(path: Path) -> Ledger:
    """A session that was cut short after three minutes and found three days later, and a dose from elsewhere."""
    start = datetime(2026, 1, 31, 14, tzinfo=UTC)
    with Ledger(path, now=lambda: start) as ledger:
        ledger.append("s-1", "opened", 0, {"simulator": False})
    with Ledger(path, now=lambda: start + timedelta(minutes=3)) as ledger:
        ledger.append("s-1", "sample", 180_000_000, {})
    later = Ledger(path, now=lambda: start + timedelta(days=3))
    close_unfinished(later)
    counted = [{"channel": 1, "charge_0_pc": 5, "charge_1_pc": 2}]
    record = {"segment_0_us": 7_000_000, "segment_1_us": 0}
    later.append("s-2", "recovered", 0, {"device": {"serial": "X"}, "record": record, "counters": counted})
    return later


def test_a_session_found_days_later_is_not_days_long(cut: Ledger) -> None:
    one, other = cut.sessions()
    assert (one.end_reason, one.ended_utc, one.duration_us) == ("interrupted", None, None), "nobody saw its end"
    assert one.last_seen_utc == "2026-01-31T14:03:00.000000Z"
    assert (one.closed_utc, one.closed_by) == ("2026-02-03T14:00:00.000000Z", "a later start")
    assert (other.started_utc, other.fetched_utc) == (None, "2026-02-03T14:00:00.000000Z")
    assert (other.delivered_pc, other.delivered_standing, other.stimulated_us) == (7, "counted", 7_000_000)
    assert cut.summary("s-1").head == one
    assert cut.summary("s-2").head == other
    assert cut.resolve("latest") == "s-1", "the newest that was run here"
    cut.close()


def test_a_dose_fetched_later_is_in_the_line_of_its_session(cut: Ledger) -> None:
    cut.append("s-1", "recovered", 0, {"counters": [{"channel": 1, "charge_0_pc": 9, "charge_1_pc": 1}]})
    assert cut.sessions()[0].delivered_pc == 10
    assert cut.verify().ok
    cut.close()
