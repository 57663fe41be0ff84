"""Summaries and exports: what stands in them, and that commanded and delivered stay apart."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from stimctl.errors import Misuse
from stimctl.ledger import Ledger
from stimctl.ledger.chain import GENESIS, DraftEntry, canonical, link
from stimctl.ledger.export import csv_of_channels, csv_of_entries, json_text


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_summary_keeps_the_four_doses_apart(ledger: Ledger, session: Callable[..., str]) -> None:
    summary = ledger.summary(session(ledger))
    (channel,) = summary.channels
    assert [(each or {})["pulses"] for each in (channel.planned, channel.commanded, channel.delivered)] == [
        [12, 1200],
        [11, 1100],
        [10, 1000],
    ]
    assert (channel.measured or {})["charge_pc"] == [12_100_000, 401_000_000]
    assert summary.bands == ("2 Hz", "100 Hz")
    assert [entry.kind for entry in summary.remarks] == ["impedance", "armed", "started", "alarm", "outcome", "closed"]


def test_summary_of_a_cut_session_has_what_was_counted_and_gaps(ledger: Ledger, session: Callable[..., str]) -> None:
    summary = ledger.summary(session(ledger, close=False))
    (channel,) = summary.channels
    assert (channel.delivered or {})["pulses"] == [10, 1000]
    assert (channel.commanded, channel.measured, summary.band_us) == (None, None, None)
    assert summary.head.state == "unfinished"


def test_dose_that_was_fetched_after_a_crash_is_the_delivered_one(ledger: Ledger, session: Callable[..., str]) -> None:
    one = session(ledger, close=False)
    ledger.mark_interrupted(one, "the program ended", {})
    counted = {"channel": 1, "pulses_0": 11, "pulses_1": 1003, "charge_0_pc": 1, "charge_1_pc": 2}
    measured = {"channel": 1, "charge_0_pc": 3, "charge_1_pc": 4, "net_charge_pc": -5}
    ledger.append(one, "recovered", 0, {"counters": [counted], "measured": [measured]})
    summary = ledger.summary(one)
    (row,) = table(csv_of_channels(summary))
    names = ("delivered_pulses_2", "delivered_charge_pc_2", "measured_charge_pc_1", "measured_net_charge_pc")
    assert [row[name] for name in names] == ["1003", "2", "3", "-5"]
    assert row["commanded_pulses_2"] == ""
    assert (summary.head.end_reason, summary.end_text) == ("interrupted", "the program ended")


def test_recovered_dose_of_a_session_run_elsewhere_is_listed(ledger: Ledger, session: Callable[..., str]) -> None:
    counted = {"channel": 2, "pulses_0": 11, "pulses_1": 0, "charge_0_pc": 1, "charge_1_pc": 0}
    ledger.append("s-0", "recovered", 0, {"device_serial": "S9", "counters": [counted]})
    one = session(ledger)
    ledger.append(one, "recovered", 0, {})
    elsewhere, here = ledger.sessions()
    assert (elsewhere.state, elsewhere.device_serial, elsewhere.watermark) == ("recovered", "S9", "UNKNOWN DEVICE")
    assert here.state == "closed"
    assert ledger.session_ids() == ["s-0", one]
    assert ledger.unfinished() == []
    (channel,) = ledger.summary("s-0").channels
    assert (channel.channel, (channel.delivered or {})["pulses"]) == (2, [11, 0])


def test_nothing_is_guessed_of_a_session_that_said_nothing(ledger: Ledger) -> None:
    ledger.append("s-1", "opened", 0, {"prescription": "?", "planned": [1], "device": None})
    summary = ledger.summary("s-1")
    assert summary.head.watermark == "UNKNOWN DEVICE"
    assert (summary.channels, summary.head.subject) == ((), None)
    assert table(csv_of_channels(summary))[0]["watermark"] == "UNKNOWN DEVICE"
    ledger.append("s-2", "opened", 0, {"simulator": 0})
    assert ledger.summary("s-2").head.watermark == "UNKNOWN DEVICE"
    with pytest.raises(Misuse, match="no session 's-9'"):
        ledger.summary("s-9")


@pytest.mark.parametrize(("simulator", "mark"), [(True, "SIMULATOR"), (False, "HARDWARE")])
def test_watermark_is_in_every_row_and_at_the_top(
    ledger: Ledger, session: Callable[..., str], simulator: bool, mark: str
) -> None:
    one = session(ledger, simulator=simulator)
    summary = ledger.summary(one)
    for text in (csv_of_channels(summary), csv_of_entries(summary, ledger.entries(one))):
        assert {row["watermark"] for row in table(text)} == {mark}
        assert text.splitlines()[0].startswith("watermark,")
    document = json.loads(json_text(summary, ledger.entries(one)))
    assert next(iter(document.items())) == ("watermark", mark)
    assert document["session"]["head"]["watermark"] == mark


def test_csv_of_channels_has_a_column_for_each_fact(ledger: Ledger, session: Callable[..., str]) -> None:
    (row,) = table(csv_of_channels(ledger.summary(session(ledger))))
    expected = {
        "channel": "1",
        "pair": "BL-23 left - BL-25 left",
        "band_1": "2 Hz",
        "band_us_2": "600000000",
        "planned_pulses_2": "1200",
        "commanded_pulses_2": "1100",
        "delivered_pulses_2": "1000",
        "delivered_charge_pc_1": "12000000",
        "measured_charge_pc_2": "401000000",
        "measured_net_charge_pc": "-7",
        "ohm_median": "610.5",
        "end_reason": "timer",
        "measured_ua_max": "",
        "counted_as_commanded": "False",
        "zero_confirmed_us": "21000",
    }
    assert {name: row[name] for name in expected} == expected
    assert not [name for name in row if "total" in name or "sum" in name]


def test_csv_of_channels_says_why_it_is_not_known_whether_a_count_is_exact(
    ledger: Ledger, session: Callable[..., str]
) -> None:
    told = {"exact": None, "reason": "an answer was lost", "measured": True, "contradiction": "a clock went back"}
    (row,) = table(csv_of_channels(replace(ledger.summary(session(ledger)), agreement=told)))
    names = ("counted_as_commanded", "agreement_reason", "measured_agrees", "contradiction")
    assert [row[name] for name in names] == ["", "an answer was lost", "True", "a clock went back"]


def test_csv_of_entries_has_each_entry(ledger: Ledger, session: Callable[..., str]) -> None:
    one = session(ledger, operator='O\'Hara, "Ada"\nsecond line')
    rows = table(csv_of_entries(ledger.summary(one), ledger.entries(one)))
    assert [row["kind"] for row in rows][::7] == ["opened", "closed"]
    assert json.loads(rows[0]["body"])["operator"] == 'O\'Hara, "Ada"\nsecond line'


def test_json_can_be_checked_against_the_chain_without_the_ledger(ledger: Ledger, session: Callable[..., str]) -> None:
    one = session(ledger)
    document = json.loads(json_text(ledger.summary(one), ledger.entries(one)))
    previous = GENESIS
    for entry in document["entries"]:
        draft = DraftEntry(entry["session_id"], entry["kind"], entry["at_us"], entry["utc"], canonical(entry["body"]))
        previous = link(previous, entry["number"], draft)
        assert previous.hex() == entry["hash"]
    assert document["session"]["last_hash"] == previous.hex()
