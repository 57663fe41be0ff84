"""The report of a run as one document: it is the JSON, and the page and the XML are made from it.

Traffic is in words beside its bytes. Of a check that waits for minutes only the beginning and the end are kept.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from stimctl.traffic.decoder import Decoder
from stimctl.traffic.transcript import TrafficChunk
from stimctl.wire.codes import PROTOCOL_VERSION, Capability
from stimlab.conformance.matrix import OperatingPoint
from stimlab.conformance.requirements import NOT_ON_THE_WIRE, TO_MEASURE, ScopeMeasurement, section_of, texts
from stimlab.conformance.result import CheckResult, Nonconformity, SuiteResult
from stimlab.conformance.verdict import DutIdentity, Measurement

FORMAT = 2
SHOWN_LINES = 120  # of the traffic of one check, at each end
NEAR_LINES = 20  # and before and after what showed that a requirement is not kept


def document(run: SuiteResult) -> dict[str, Any]:
    """The whole run, as plain data."""
    return {
        "stimctl_conformance": FORMAT,
        "protocol": PROTOCOL_VERSION,
        "tool": run.tool,
        "began_utc": run.began,
        "port": run.url,
        "device": None if run.identity is None else _device(run.identity),
        "amplitude_ua": run.amplitude_ua,
        "verdict": run.verdict,
        "conforms": run.conforms,
        "not_examined": run.not_examined,
        "broken_off": run.broken_off,
        "counts": {verdict: run.count(verdict) for verdict in ("passed", "failed", "skipped", "error")},
        "requirements": [
            {"requirement": number, "text": text, **_requirement(run, number)} for number, text in texts().items()
        ],
        "checks": [_check(outcome) for outcome in run.outcomes],
        "scope_open": run.scope_open,
        "to_measure": [_point(run, each) for each in TO_MEASURE],
    }


def _point(run: SuiteResult, point: ScopeMeasurement) -> dict[str, Any]:
    seen = run.scope.get(point.name)
    found = {"measured": None, "verdict": "open", "file": None}
    if seen is not None:
        found = {"measured": seen.text, "verdict": seen.verdict, "file": seen.file}
    return {**asdict(point), **found}


def _device(identity: DutIdentity) -> dict[str, Any]:
    ranges = identity.ranges._asdict()
    capabilities = Capability(ranges.pop("capabilities"))
    return {
        "simulator": bool(identity.welcome.simulator),
        "model": identity.model,
        "serial": identity.serial,
        "firmware": identity.version,
        "firmware_sha256": identity.firmware.sha256.hex(),
        "boot": identity.welcome.boot_id,
        "capabilities": [(flag.name or "").lower().replace("_", " ") for flag in capabilities],
        "ranges": ranges,
    }


def _requirement(run: SuiteResult, number: str) -> dict[str, str]:
    """What the run says of one requirement: failed goes before passed, and passed before skipped."""
    if number in NOT_ON_THE_WIRE:
        return {"verdict": "not on the wire", "reason": NOT_ON_THE_WIRE[number]}
    found = [each.text for outcome in run.outcomes for each in outcome.found if each.requirement == number]
    if found:
        return {"verdict": "failed", "reason": found[0]}
    looked = [outcome for outcome in run.outcomes if number in outcome.check.requirements]
    for verdict in ("passed", "skipped"):
        for outcome in looked:
            if outcome.verdict == verdict:
                return {"verdict": verdict, "reason": outcome.reason}
    return {"verdict": "not shown", "reason": "the checks that look at it did not come to their end" if looked else ""}


def _check(outcome: CheckResult) -> dict[str, Any]:
    lines = list(in_words(outcome.traffic))
    places = [_place(lines, each.record) for each in outcome.found]
    shown = SHOWN_LINES if outcome.check.cell is None else NEAR_LINES
    kept = [index for index in range(len(lines)) if _is_shown(index, len(lines), shown, places)]
    found = [
        {**_found(each), "line": kept.index(place) if place in kept else None}
        for each, place in zip(outcome.found, places, strict=True)
    ]
    return {
        "name": outcome.check.name,
        "title": outcome.check.title,
        "topic": outcome.check.topic,
        "requirements": list(outcome.check.requirements),
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "found": found,
        "cell": None if outcome.check.cell is None else _cell(outcome.check.cell),
        "measurements": [_measurement(each) for each in outcome.measurements],
        "took_us": outcome.took_us,
        "traffic": [lines[index] for index in kept],
        "traffic_left_out": len(lines) - len(kept),
    }


def _found(each: Nonconformity) -> dict[str, Any]:
    return {
        "requirement": each.requirement,
        "section": section_of(each.requirement),
        "text": each.text,
        "expected": each.expected or texts().get(each.requirement, ""),
        "seen": each.seen or each.text,
    }


def _cell(cell: OperatingPoint) -> dict[str, Any]:
    return {
        "action": cell.action.value,
        "place": cell.place.value,
        "amplitude_ua": cell.amplitude_ua,
        "channel": cell.channel,
        "moment": cell.moment.value,
    }


def _place(lines: list[dict[str, Any]], record: int) -> int | None:
    """The last line up to a piece of traffic."""
    before = [index for index, line in enumerate(lines) if line["record"] <= record]
    return before[-1] if before and record >= 0 else None


def _is_shown(index: int, count: int, shown: int, places: list[int | None]) -> bool:
    if index < shown or index >= count - shown:
        return True
    return any(place is not None and abs(index - place) <= NEAR_LINES for place in places)


def _measurement(taken: Measurement) -> dict[str, Any]:
    verdict = "passed" if taken.passed else "failed"
    return {"name": taken.name, "value": taken.value, "limit": taken.limit, "unit": taken.unit, "verdict": verdict}


def in_words(traffic: list[TrafficChunk]) -> Iterator[dict[str, Any]]:
    """Each frame, or piece of damage: when, from whom, in words and in hex."""
    decoder, raw = Decoder(), {"host": b"", "device": b""}
    for number, record in enumerate(traffic):
        for piece in record.data.split(b"\x00")[:-1]:
            raw[record.sender] += piece + b"\x00"
            for line in decoder.feed(TrafficChunk(record.at_us, record.sender, piece + b"\x00")):
                yield _line(line.at_us, record.sender, line.text(), raw[record.sender], number)
                raw[record.sender] = b""
        rest = record.data.rpartition(b"\x00")[2]
        if rest:
            raw[record.sender] += rest
            for line in decoder.feed(TrafficChunk(record.at_us, record.sender, rest)):
                yield _line(line.at_us, record.sender, line.text(), b"", number)
    for line in decoder.finish():
        yield _line(line.at_us, line.sender, line.text(), raw[line.sender], len(traffic) - 1)


def _line(at_us: int, sender: str, text: str, raw: bytes, record: int) -> dict[str, Any]:
    return {"at_us": at_us, "from": sender, "text": text, "hex": raw.hex(" "), "record": record}
