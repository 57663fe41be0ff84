"""JUnit XML, JSON and the page: whole, readable by others, and safe to open whatever the device said."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as Xml
from zlib import MAX_WBITS, decompress

import pytest

from firmware_sim.native.device import Device
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codec import Hello, Maker, encode
from stimctl.wire.codes import PROTOCOL_VERSION
from stimlab.conformance.check import Check
from stimlab.conformance.dut import Dut
from stimlab.conformance.junit import as_junit
from stimlab.conformance.matrix import CELLS
from stimlab.conformance.operating_point import check_of
from stimlab.conformance.page import as_html
from stimlab.conformance.report import SHOWN_LINES, document, in_words
from stimlab.conformance.requirements import TO_MEASURE
from stimlab.conformance.result import SuiteResult
from tests.stimlab.conformance.bench_world import checks_naming, first_failed, run_checks
from tests.stimlab.conformance.dangerous.outputs import MONSTER
from tests.stimlab.conformance.mutants.early_hellos import WelcomesAll


class OddName(Device):
    """Says a name that would be markup."""

    def _execute(self, order: Any, kind: int) -> object:
        answer = super()._execute(order, kind)
        return answer._replace(model=b"<script>\x01alert()".ljust(24, b"\0")) if isinstance(answer, Maker) else answer


def waits(dut: Dut) -> None:
    dut.measure("a time without a limit", 7, None, "us")
    dut.running()
    dut.listen(50_000_000)


@pytest.fixture(scope="module")
def run() -> SuiteResult:
    skipped = Check("by_hand", ("R-02",), "somebody has to switch it", "made", waits, fixture=("power",), long=True)
    found = run_checks([*checks_naming("R-17"), Check("waits", ("R-46",), "it waits", "made", waits)], WelcomesAll)
    bench_run = run_checks([skipped])
    bench_run.outcomes[0].verdict, bench_run.outcomes[0].reason = "skipped", "no hands"
    found.outcomes += bench_run.outcomes
    return found


class TestJson:
    """The whole result as data."""

    def test_it_holds_the_device_and_what_was_found(self, run: SuiteResult) -> None:
        said = json.loads(json.dumps(document(run)))
        assert said["device"]["simulator"] is True
        assert len(said["device"]["firmware_sha256"]) == 64
        assert "watchdog" in said["device"]["capabilities"]
        assert said["conforms"] is False
        by_number = {each["requirement"]: each for each in said["requirements"]}
        assert len(by_number) == 90
        assert by_number["R-17"]["verdict"] == "failed"
        assert by_number["R-46"]["verdict"] == "passed"
        assert by_number["R-02"] == {
            "requirement": "R-02",
            "text": "The device says nothing after power-on until it is spoken to (section 5).",
            "verdict": "skipped",
            "reason": "no hands",
        }
        assert by_number["R-11"]["verdict"] == "not on the wire"
        assert by_number["R-48"]["verdict"] == "not shown"

    def test_measurements_have_limit_unit_and_verdict(self, run: SuiteResult) -> None:
        waited = next(each for each in document(run)["checks"] if each["name"] == "waits")
        first, zero = waited["measurements"]
        said = {"name": "a time without a limit", "value": 7, "limit": None, "unit": "us", "verdict": "passed"}
        assert first == said
        assert (zero["limit"], zero["unit"], zero["verdict"]) == (100_000, "us", "passed")

    def test_long_traffic_keeps_its_ends(self, run: SuiteResult) -> None:
        waited = next(each for each in document(run)["checks"] if each["name"] == "waits")
        assert len(waited["traffic"]) == 2 * SHOWN_LINES
        assert [line["record"] for line in waited["traffic"]] == sorted(line["record"] for line in waited["traffic"])
        assert waited["traffic_left_out"] > 500
        assert "Stopped" in waited["traffic"][-1]["text"]


def test_words_stand_beside_the_bytes_they_were_made_from() -> None:
    frame = encode(1, Hello(PROTOCOL_VERSION))
    pieces = [
        TrafficChunk(1, "host", frame[:4]),
        TrafficChunk(2, "host", frame[4:] + frame),
        TrafficChunk(3, "device", b"\x09\x09"),
    ]
    lines = list(in_words(pieces))
    assert [line["hex"] for line in lines] == [frame.hex(" "), frame.hex(" "), "09 09"]
    assert [line["from"] for line in lines] == ["host", "host", "device"]
    assert "Hello" in lines[0]["text"]
    assert "damaged" in lines[2]["text"]


class TestJunit:
    """What a build server reads."""

    def test_cases_failures_and_skips(self, run: SuiteResult) -> None:
        root = Xml.fromstring(as_junit(run))
        assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("4", "2", "1")
        failure = next(root.iter("failure"))
        assert failure.get("type") == "R-17"
        assert next(root.iter("skipped")).get("message") == "no hands"
        said = "\n".join(each.text or "" for each in root.iter("system-out"))
        assert "a time without a limit: 7 us (no limit): passed" in said
        properties = {each.get("name"): each.get("value") for each in root.iter("property")}
        assert properties["simulator"] == "true"

    def test_a_run_that_broke_off_is_an_error(self) -> None:
        root = Xml.fromstring(
            as_junit(SuiteResult("sim://", "2026-01-01T00:00:00+00:00", "stimctl", broken_off="no \x00 line"))
        )
        assert next(root.iter("error")).get("message") == "no ? line"

    def test_what_xml_cannot_hold_is_replaced(self) -> None:
        properties = {
            each.get("name"): each.get("value") for each in Xml.fromstring(as_junit(odd_run())).iter("property")
        }
        assert properties["model"] == "<script>?alert()"


def odd_run() -> SuiteResult:
    return run_checks([Check("nothing", ("R-46",), "nothing", "made", lambda _: None)], OddName)


class TestPage:
    """What a person reads."""

    def test_everything_is_on_it(self, run: SuiteResult) -> None:
        page = as_html(run)
        assert "SIMULATOR: by its own word" in page
        assert document(run)["device"]["firmware_sha256"] in page
        assert page.index(run.verdict) < page.index("<h1>")
        assert "<details open>" in page
        assert "docs/protocol.md, section 5 Handshake and identity, R-17" in page
        assert "the frame that showed it" in page
        assert "1: no hands" in page
        assert page.count("<td>open</td>") == len(TO_MEASURE)
        assert "R-75" in page
        assert "http://" not in page
        assert "https://" not in page

    def test_what_a_device_says_is_text(self) -> None:
        page = as_html(odd_run())
        assert page.count("<script") == 2  # its own
        assert "&lt;script&gt;" in page

    def test_no_order_to_a_terminal_stands_in_it(self) -> None:
        """Nor in what is made of its data: a page is printed by `less` and `curl` too."""
        run = odd_run()
        assert document(run)["device"]["model"] == "<script>?alert()"
        assert [one for one in as_html(run) if not one.isprintable() and one != "\n"] == []

    def test_traffic_is_packed_and_can_be_unpacked(self, run: SuiteResult) -> None:
        page = as_html(run)
        start = page.index('id="packed">') + len('id="packed">')
        packed = json.loads(page[start : page.index("</script>", start)])
        failed = next(number for number, each in enumerate(document(run)["checks"]) if each["found"])
        lines = json.loads(decompress(b64decode(packed[str(failed)]), -MAX_WBITS))
        reported = document(run)["checks"][failed]
        assert [text for _, text, _ in lines] == [line["text"] for line in reported["traffic"]]
        assert "Hello" in lines[reported["found"][0]["line"]][1] or "Welcome" in lines[reported["found"][0]["line"]][1]

    def test_the_page_of_a_device_that_fails_everywhere_stays_small(self) -> None:
        outcome = first_failed(map(check_of, CELLS), MONSTER)
        assert outcome is not None
        run = run_checks([])
        run.outcomes = [replace(outcome, check=check_of(cell), traffic=outcome.traffic[:300]) for cell in CELLS[:100]]
        page = as_html(run)
        assert len(page.encode()) < 500_000
        assert "more, of which --json holds all" in page

    def test_a_device_that_said_nothing_of_itself_has_a_page_too(self) -> None:
        page = as_html(SuiteResult("sim://", "2026-01-01T00:00:00+00:00", "stimctl", broken_off="nobody is there"))
        assert "it did not say what it is" in page
        assert "Broken off: nobody is there" in page
