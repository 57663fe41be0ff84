"""One fact, one value: every export of a session has the same figure and standing, or none where none is known.

The sessions are such as devices of each kind leave them, and such as they are left when something goes wrong.
"""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import polars
import pytest
from click.testing import CliRunner

from stimctl.cli import main
from stimctl.course.courses import courses
from stimctl.course.visits import visits
from stimctl.ledger import Entry, Ledger
from stimctl.sync.summaries import session_row
from stimctl.units import charge_text
from tests.stimctl.cli.run.test_command import short

FACTS = ("planned", "commanded", "delivered", "measured")
COURSE = "course-20260131-142501-7k3fq"
DEVICES = {
    "native": ("sim://", ()),
    "stimjim": ("sim://?device=stimjim&dialect=a", ("--device", "stimjim", "--dialect", "a")),
    "pulsepal": ("sim://?device=pulsepal", ("--device", "pulsepal", "--isolator", "1")),
}
COUNTERS = {"channel": 1, "pulses_0": 7, "pulses_1": 205, "charge_0_pc": 1_701_000, "charge_1_pc": 38_205_000}
FETCHED = {
    "record": {"session": 1, "segment_0_us": 3_000_000, "segment_1_us": 2_000_000},
    "counters": [COUNTERS],
    "measured": [{"channel": 1, "charge_0_pc": 1_700_000, "charge_1_pc": 38_200_000, "net_charge_pc": 5}],
}
ZERO = {"1": {"pulses": [0, 0], "charge_pc": [0, 0]}}
TWO = {"1": {"pulses": [9, 90], "charge_pc": [1_111_000, 2_222_000]}, "2": {"pulses": [9, 90]}}


class Case(NamedTuple):
    """What becomes of a device's session; what is expected of its doses, where the closing does not say it."""

    device: str
    end: Callable[[dict[str, Any]], dict[str, Any] | None]
    delivered: str = "counted"
    measured: str = "measured"
    delivery: str = "confirmed"
    lacks: tuple[str, ...] = ()
    after: tuple[str, dict[str, Any]] | None = None
    total: bool = True


def _estimated(end: dict[str, Any]) -> dict[str, Any]:
    basis = {**end["kept"]["channels"]["1"], "estimated": [0, 3], "least": [0, 1], "measured": [0, 0]}
    return {**end, "kept": {**end["kept"], "evidence": "estimated", "channels": {"1": basis}}}


CASES = {
    "native": Case("native", lambda end: end),
    "stimjim": Case("stimjim", lambda end: end),
    "pulsepal": Case("pulsepal", lambda end: end, "at most", "unknown", "commanded", ("measured",)),
    "cut-native": Case("native", lambda _: None, "unknown", "unknown", "uncertain", FACTS[1:], total=False),
    "cut-stimjim": Case("stimjim", lambda _: None, "unknown", "unknown", "uncertain", FACTS[1:], total=False),
    "fetched": Case("native", lambda _: None, lacks=("commanded",), after=("recovered", FETCHED)),
    "estimated": Case("stimjim", _estimated, "estimated", "unknown", "commanded", ("measured",)),
    "silent": Case(
        "native", lambda end: {**end, "delivered": None, "measured": None, "agreement": {}},
        "unknown", "unknown", "uncertain", ("delivered", "measured"), total=False,
    ),
    "disagrees": Case("native", lambda end: {**end, "agreement": {"exact": False}}, delivery="uncertain"),
    "nothing-flowed": Case("native", lambda end: {**end, "delivered": ZERO, "measured": {"1": {"charge_pc": [0, 0]}}}),
    "never-armed": Case(
        "native", lambda end: {**end, "armed": False, "commanded": None, "delivered": None, "measured": None},
        "unknown", "unknown", "none", FACTS[1:], total=False,
    ),
    "a-part": Case("native", lambda end: {**end, "delivered": TWO}, delivery="uncertain", total=False),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger with all of them, in one course."""
    folder = tmp_path_factory.mktemp("same")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIMCTL_RUN", str(folder / "run"))
        patch.setenv("STIMCTL_STATE", str(folder / "state"))
        ran = {device: _run(folder / device, device) for device in DEVICES}
        with Ledger(folder / "data" / "ledger.sqlite") as ledger:
            begun = {"pseudonym": "P-1", "profile": {"id": "bench-2-100hz"}, "plan": {}, "follow_up": []}
            ledger.append(COURSE, "course", 0, {**begun, "simulated": True})
            for name, case in CASES.items():
                _put(ledger, name, case, ran[case.device])
        yield folder / "data"


def _run(folder: Path, device: str) -> list[Entry]:
    folder.mkdir()
    url, named = DEVICES[device]
    options = ("--port", url, "--prescription", short(folder), *named)
    done = CliRunner().invoke(main, ("run", "bench-2-100hz", *options), env={"STIMCTL_DATA": str(folder)})
    assert done.exit_code == 0, done.output
    with Ledger(folder / "ledger.sqlite", read_only=True) as ledger:
        return list(ledger.entries(ledger.resolve("latest")))


def _put(ledger: Ledger, name: str, case: Case, entries: list[Entry]) -> None:
    for entry in entries:
        body: dict[str, Any] | None = entry.body
        if entry.kind == "opened":
            body = {**entry.body, "pseudonym": "P-1", "course": COURSE}
        elif entry.kind == "closed":
            body = case.end(entry.body)
        if body is not None:
            ledger.append(name, entry.kind, entry.at_us, body)
    if case.after is not None:
        ledger.append(name, case.after[0], 0, {**case.after[1], "device": entries[0].body["device"]})
    if "closed" not in ledger._reader.kinds_of(name):
        ledger.mark_interrupted(name, "it was cut short", {})


def stimctl(data: Path, *arguments: str) -> str:
    done = CliRunner().invoke(main, ("log", "--data", str(data), *arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


# --- what each export says: by channel, fact and band, pulses and charge ---

Figures = dict[tuple[int, str, int], tuple[int | None, int | None]]


def expected(data: Path, name: str) -> Figures:
    """From what was written, by hand."""
    with Ledger(data / "ledger.sqlite", read_only=True) as ledger:
        bodies = {entry.kind: entry.body for entry in ledger.entries(name)}
    doses = {fact: bodies["closed"].get(fact) or {} for fact in FACTS}
    doses["planned"] = doses["planned"] or bodies["opened"]["planned"]
    if "recovered" in bodies:
        doses["delivered"] = {"1": {"pulses": [7, 205], "charge_pc": [1_701_000, 38_205_000]}}
        doses["measured"] = {"1": {"charge_pc": [1_700_000, 38_200_000]}}
    doses |= {fact: {} for fact in CASES[name].lacks}
    channels = {1, *(int(channel) for dose in doses.values() for channel in dose)}
    places = product(sorted(channels), FACTS, (0, 1))
    return {place: _of_band(doses[place[1]].get(str(place[0])), place[2]) for place in places}


def _of_band(dose: dict[str, Any] | None, band: int) -> tuple[int | None, int | None]:
    pulses, charge_pc = ((dose or {}).get(name) or (None, None) for name in ("pulses", "charge_pc"))
    return pulses[band], charge_pc[band]


def of_json(data: Path, name: str) -> Figures:
    channels = json.loads(stimctl(data, "show", name, "--json"))["session"]["channels"]
    return {
        (each["channel"], fact, band): _of_band(each[fact], band)
        for each in channels
        for fact in FACTS
        for band in (0, 1)
    }


def of_rows(rows: list[dict[str, Any]]) -> Figures:
    def cell(row: dict[str, Any], name: str) -> int | None:
        return None if row.get(name) in (None, "") else int(row[name])

    return {
        (int(row["channel"]), fact, band): (
            None if fact == "measured" else cell(row, f"{fact}_pulses_{band + 1}"),
            cell(row, f"{fact}_charge_pc_{band + 1}"),
        )
        for row in rows for fact in FACTS for band in (0, 1)
    }  # fmt: skip


def csv_rows(data: Path, name: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(stimctl(data, "export", name, "--format", "csv"))))


def parquet_rows(data: Path, name: str) -> list[dict[str, Any]]:
    file = data.parent / f"{name}.parquet"
    stimctl(data, "export", name, "--format", "parquet", "-o", str(file), "--force")
    return polars.read_parquet(file).rows(named=True)


def doses_of_fhir(data: Path, name: str) -> dict[str, dict[str, Any]]:
    bundle = json.loads(stimctl(data, "export", name, "--format", "fhir"))
    observed = (each for entry in bundle["entry"] if (each := entry["resource"])["resourceType"] == "Observation")
    return {each["code"]["text"]: each for each in observed if " dose of channel " in each["code"]["text"]}


def of_fhir(data: Path, name: str) -> Figures:
    found: Figures = {}
    for text, dose in doses_of_fhir(data, name).items():
        fact, channel = text.split()[0], int(text.split()[-1])
        values = {
            part["code"]["coding"][0]["code"]: (part.get("valueQuantity") or {}).get("value")
            for part in dose["component"]
        }
        for band in (0, 1):
            figures = (values.get(f"pulses-{band + 1}"), values.get(f"charge-pc-{band + 1}"))
            found[channel, fact, band] = figures
    return found


def of_text(figures: Figures) -> dict[tuple[int, str, int], tuple[str, str]]:
    """As people read them; empty where there is none."""
    return {
        place: ("" if pulses is None else f"{pulses:,}", "" if pc is None else charge_text(pc))
        for place, (pulses, pc) in figures.items()
    }


def of_page(data: Path, name: str) -> dict[tuple[int, str, int], tuple[str, str]]:
    found, channel, band = {}, 0, 0
    for line in stimctl(data, "show", name).partition("HOW KNOWN\n")[2].partition("\n\n")[0].splitlines():
        *head, fact, pulses, charge, _known = re.split(r"  +", line.strip())
        if head:
            band = 0 if int(head[0].split()[0]) != channel else band + 1
            channel = int(head[0].split()[0])
        found[channel, fact, band] = (pulses.replace("-", ""), charge.replace("-", ""))
    return found


def of_report(data: Path, name: str) -> dict[tuple[int, str, int], tuple[str, str]]:
    file = data.parent / f"{name}.html"
    stimctl(data, "report", name, "--html", str(file), "--force")
    table = file.read_text("utf-8").partition(">measured</th></tr>")[2].partition("</table>")[0]
    found: dict[tuple[int, str, int], tuple[str, str]] = {}
    for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL):
        channel, _band, *doses = (html.unescape(each) for each in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL))
        band = sum(place[:2] == (int(channel), "planned") for place in found)
        for fact, dose in zip(FACTS, doses, strict=True):
            pulses = re.search(r"([\d,]+) pulses", dose)
            charge = re.search(r".*[µn]C", dose)
            found[int(channel), fact, band] = (
                pulses[1] if pulses else "", charge[0].replace("µ", "u") if charge else ""
            )  # fmt: skip
    return found


every_case = pytest.mark.parametrize("name", CASES)


@every_case
def test_every_export_has_the_figures_that_were_written(data: Path, name: str) -> None:
    wanted = expected(data, name)
    assert of_json(data, name) == wanted
    assert of_rows(csv_rows(data, name)) == wanted
    assert of_rows(parquet_rows(data, name)) == wanted
    assert of_fhir(data, name) == {place: figures for place, figures in wanted.items() if place[1] != "planned"}
    shown = of_text(wanted)
    assert of_page(data, name) == shown
    assert of_report(data, name) == shown


@every_case
def test_every_export_says_how_a_figure_is_known(data: Path, name: str) -> None:
    case = CASES[name]
    wanted = (case.delivered, case.measured)
    channel = json.loads(stimctl(data, "show", name, "--json"))["session"]["channels"][0]
    assert (channel["standing"]["delivered"], channel["standing"]["measured"]) == wanted
    for row in (csv_rows(data, name)[0], parquet_rows(data, name)[0]):
        assert (row["delivered_standing"], row["measured_standing"]) == wanted
    doses = doses_of_fhir(data, name)
    assert tuple(doses[f"{fact} dose of channel 1"]["method"]["text"] for fact in FACTS[2:]) == wanted
    page = stimctl(data, "show", name)
    for fact, standing in zip(FACTS[2:], wanted, strict=True):
        known = {line.rpartition("  ")[2].strip() for line in page.splitlines() if f" {fact}  " in line}
        assert standing in known


@every_case
def test_the_total_of_a_session_is_of_all_of_it_or_there_is_none(data: Path, name: str) -> None:
    case = CASES[name]
    charges = [pc for (_, fact, _), (_, pc) in expected(data, name).items() if fact == "delivered"]
    total = sum(pc for pc in charges if pc is not None) if case.total else None
    listed = {each["session_id"]: each for each in json.loads(stimctl(data, "list", "--json"))}
    assert listed[name]["delivered_pc"] == total
    assert listed[name]["delivered_standing"] == (case.delivered if case.total else "unknown")
    certain = case.delivery in ("confirmed", "commanded")
    with Ledger(data / "ledger.sqlite", read_only=True) as ledger:
        summary, entries = ledger.summary(name), list(ledger.entries(name))
        (course,) = courses(ledger)
        visit = next(each for each in visits(ledger, course) if each.session_id == name)
    assert summary.head.delivered_pc == total
    row = session_row("PC-1", summary, entries)
    assert (row["delivered_pc"], row["delivery"]) == (total, case.delivery)
    assert visit.delivered_pc == (total if certain else None)
    assert visit.delivered_standing == (case.delivered if certain else "unknown")
