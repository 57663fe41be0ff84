"""Sessions in rows, and the views over them: an uncertain delivery is never added as nothing, nor as given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stimctl.ledger import Ledger
from stimctl.ledger.delivery import DEVICE_KINDS
from stimctl.sync.push import ChainPush
from stimctl.sync.summaries import KINDS, alarm_rows, session_row
from tests.stimctl.sync.conftest import Rows

Push = Callable[..., ChainPush]
DOSE = {"1": {"pulses": [10, 0], "charge_pc": [1_000, 0]}}
DEVICE = {"model": "sim", "serial": "S1", "firmware": "1", "calibrated_on": "2026-01-01"}


def run(ledger: Ledger, one: str, closed: dict[str, Any] | None, session: int | None = None, **opened: Any) -> None:
    """A session on hardware, with a number of the device's own."""
    first = {
        "simulator": False,
        "subject": "person",
        "profile": {"id": "p", "version": "1"},
        "device": DEVICE,
        **opened,
    }
    ledger.append(one, "opened", 0, first)
    ledger.append(one, "armed", 1, {"session": session or 100 + ledger.head().number, "nonce": 1})
    if closed is not None:
        ledger.append(one, "closed", 2, {"end_reason": "timer", "armed": True, **closed})


@pytest.fixture
def ledger(path: Path) -> Any:
    with Ledger(path) as opened:
        yield opened


def test_a_row_says_what_the_session_says(ledger: Ledger) -> None:
    run(ledger, "s-1", {"delivered": DOSE, "commanded": DOSE, "band_us": [5, 6]}, pseudonym="P\x00-07")
    summary = ledger.outline("s-1", KINDS)
    assert summary is not None
    row = session_row("PC-1", summary, ledger.some_of("s-1", *DEVICE_KINDS))
    expected = {
        "machine": "PC-1", "session_id": "s-1", "watermark": "HARDWARE", "delivery": "confirmed", "pseudonym": "P?-07",
        "delivered_standing": "counted", "delivered_pc": 1_000, "commanded_pc": 1_000, "stimulated_us": 11,
        "device_session": "S1/None/101",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert str(row["device_calibrated_on"]) == "2026-01-01"


@pytest.mark.parametrize("serial", ["none", "-", ""])
def test_a_device_without_numbers_of_its_own_has_each_of_its_sessions_counted(ledger: Ledger, serial: str) -> None:
    """The driver of a StimJim begins at 1 with each connection: two of its sessions are two."""
    run(ledger, "s-1", {"delivered": DOSE}, device={"model": "StimJim dialect A", "serial": serial, "by_lease": True})
    summary = ledger.outline("s-1", KINDS)
    assert summary is not None
    assert session_row("PC-1", summary, ledger.some_of("s-1", *DEVICE_KINDS))["device_session"] is None


def test_what_cannot_be_read_is_left_out(ledger: Ledger) -> None:
    ledger.append("s-1", "opened", 0, {"started_utc": "noon", "device": {"calibrated_on": "?"}})
    summary = ledger.outline("s-1", KINDS)
    assert summary is not None
    row = session_row("PC-1", summary, ledger.some_of("s-1", *DEVICE_KINDS))
    assert (row["started_utc"], row["device_calibrated_on"], row["delivered_pc"], row["device_session"]) == (None,) * 4
    assert ledger.outline("s-2", KINDS) is None


def test_alarms_are_counted_by_kind_without_their_figures(ledger: Ledger) -> None:
    run(ledger, "s-1", None)
    for ohm in (4_000, 4_100):
        ledger.append("s-1", "alarm", 3, {"source": "host", "priority": "MEDIUM", "text": f"contact at {ohm} ohm"})
    ledger.append("s-1", "alarm", 3, {"source": "device", "reason": "short", "channel": 1, "value": 7})
    summary = ledger.outline("s-1", KINDS)
    assert summary is not None
    found = [(row["source"], row["priority"], row["kind"], row["alarms"]) for row in alarm_rows("PC-1", summary)]
    assert found == [("host", "MEDIUM", "contact at # ohm", 2), ("device", "none", "short", 1)]


def test_a_total_is_there_only_where_every_delivery_is_known(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    run(ledger, "s-1", {"delivered": DOSE})
    run(ledger, "s-2", {"armed": False})
    query = (
        "SELECT sessions, confirmed, uncertain, nothing_armed, confirmed_pc, delivered_pc FROM stimctl.dose_by_protocol"
    )
    push(ledger).run()
    assert far_rows(query) == [(2, 1, 0, 1, 1_000, 1_000)]
    run(ledger, "s-3", {"delivered": DOSE, "kept": {"evidence": "at most"}})
    run(ledger, "s-4", {"commanded": DOSE})
    push(ledger).run()
    assert far_rows(query) == [(4, 1, 1, 1, 1_000, None)], "one more is only commanded"
    run(ledger, "s-5", {"delivered": DOSE}, simulator=True)
    push(ledger).run()
    watermarks = far_rows("SELECT watermark, sessions, delivered_pc FROM stimctl.dose_by_protocol ORDER BY 1")
    assert watermarks == [("HARDWARE", 4, None), ("SIMULATOR", 1, 1_000)]


def test_a_session_that_goes_on_is_uncertain_and_changes_when_it_is_closed(
    ledger: Ledger, push: Push, far_rows: Rows
) -> None:
    query = "SELECT state, delivery, delivered_pc FROM stimctl.sessions"
    with ledger.writer("s-1"):
        run(ledger, "s-1", None)
        push(ledger).run()
        assert far_rows(query) == [("running", "uncertain", None)]
    ledger.append("s-1", "closed", 2, {"end_reason": "timer", "armed": True, "delivered": DOSE})
    push(ledger).run()
    assert far_rows(query) == [("closed", "confirmed", 1_000)]


def test_a_session_of_one_device_counts_once(ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path) -> None:
    """It was run on one machine, cut off, and its dose fetched on another: by the device's number they are one."""
    run(ledger, "s-1", None)
    push(ledger).run()
    counted = {"channel": 1, "pulses_0": 10, "pulses_1": 0, "charge_0_pc": 1_000, "charge_1_pc": 0}
    with Ledger(tmp_path / "other" / "ledger.sqlite") as other:
        fetched = {"device": DEVICE, "simulator": False, "record": {"session": 101}, "counters": [counted]}
        other.append("s-9", "recovered", 0, {**fetched, "measured": []})
        push(other, "PC-2").run()
    counts = far_rows("SELECT machine, delivery, delivered_pc, counts FROM stimctl.sessions ORDER BY machine")
    assert counts == [("PC-1", "uncertain", None, False), ("PC-2", "confirmed", 1_000, True)]
    assert far_rows("SELECT sessions, confirmed, uncertain FROM stimctl.sessions_per_device") == [(1, 1, 0)]


@pytest.mark.parametrize("port", ["/dev/pts/3", "sim://?flash=/tmp/f"])
def test_a_dose_that_was_fetched_from_a_simulator_counts_once(
    ledger: Ledger, push: Push, far_rows: Rows, tmp_path: Path, port: str
) -> None:
    """The entry of a fetched dose has no URL that could say whether the simulator keeps its numbers."""
    device = {**DEVICE, "simulator": True, "boot_id": 1}
    run(ledger, "s-1", None, session=1, simulator=True, device=device, url=port)
    push(ledger).run()
    counted = {"channel": 1, "pulses_0": 10, "pulses_1": 0, "charge_0_pc": 1_000, "charge_1_pc": 0}
    record = {"session": 1, "boot_id": 1, "nonce": 1}
    with Ledger(tmp_path / "other" / "ledger.sqlite") as other:
        fetched = {"device": device, "simulator": True, "record": record, "counters": [counted], "measured": []}
        other.append("s-9", "recovered", 0, fetched)
        push(other, "PC-2").run()
    assert far_rows("SELECT watermark, sessions, confirmed, uncertain FROM stimctl.sessions_per_device") == [
        ("SIMULATOR", 1, 1, 0)
    ]


def test_sessions_by_lease_have_the_drivers_numbers_and_count_each(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    """A board without a serial number, or one that is given its output in leases, begins its numbers anew."""
    for one, device in (("s-1", {"by_lease": True}), ("s-2", {"by_lease": True}), ("s-3", {"serial": "none"})):
        run(ledger, one, {"delivered": DOSE}, session=1, device={**DEVICE, **device})
    push(ledger).run()
    assert far_rows("SELECT sum(confirmed), sum(sessions) FROM stimctl.sessions_per_device") == [(3, 3)]


def test_calibration_and_alarms_by_the_clinics_own_measure(ledger: Ledger, push: Push, far_rows: Rows) -> None:
    run(ledger, "s-1", {"delivered": DOSE})
    run(ledger, "s-2", {"delivered": DOSE}, device={**DEVICE, "serial": "S2", "calibrated_on": None})
    ledger.append("s-1", "alarm", 3, {"source": "device", "reason": "short", "channel": 1, "value": 7})
    push(ledger).run()
    assert far_rows("SELECT device_serial FROM stimctl.devices_past_due ORDER BY 1") == [("S1",), ("S2",)]
    run(ledger, "s-3", {"delivered": DOSE}, calibration={"due_on": "2999-12-31"})
    run(
        ledger,
        "s-4",
        {"delivered": DOSE},
        device={**DEVICE, "serial": "S2", "calibrated_on": None},
        calibration={"due_on": "2026-01-31"},
    )
    push(ledger).run()
    assert far_rows("SELECT device_serial FROM stimctl.devices_past_due") == [("S2",)], "and none without a record"
    query = "SELECT device_serial FROM stimctl.devices_out_of_calibration(%s) ORDER BY 1"
    assert far_rows(query, 1) == [("S1",), ("S2",)]
    assert far_rows(query, 1_000_000) == [("S2",)], "one whose calibration nobody knows is not in calibration"
    assert far_rows("SELECT kind, watermark, alarms, sessions FROM stimctl.alarms_by_kind") == [
        ("short", "HARDWARE", 1, 1)
    ]
