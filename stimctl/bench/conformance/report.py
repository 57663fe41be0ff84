"""A run of the suite as one document: what JSON holds, and what the page and the XML are made from.

Traffic is in words beside its bytes. Of a check that waits for minutes only the beginning and the end are kept.
"""

import json
from collections.abc import Iterator
from typing import Any

from stimctl.bench.conformance.requirements import texts
from stimctl.bench.conformance.result import Identity, Measurement, Outcome, Run
from stimctl.bench.conformance.scope import NOT_ON_THE_WIRE
from stimctl.wire.codes import Capability
from stimctl.wire.transcript import Record
from stimctl.wire.wording import Decoder

FORMAT = 1
SHOWN_LINES = 120  # of the traffic of one check, at each end


def as_json(run: Run) -> str:
    """The document as text."""
    return json.dumps(document(run), indent=1) + "\n"


def document(run: Run) -> dict[str, Any]:
    """The whole run, as plain data."""
    return {
        "stimctl_conformance": FORMAT,
        "tool": run.tool,
        "began_utc": run.began,
        "port": run.url,
        "device": None if run.identity is None else _device(run.identity),
        "amplitude_ua": run.amplitude_ua,
        "conforms": run.conforms,
        "broken_off": run.broken_off,
        "counts": {verdict: run.count(verdict) for verdict in ("passed", "failed", "skipped", "error")},
        "requirements": [
            {"requirement": number, "text": text, **_requirement(run, number)} for number, text in texts().items()
        ],
        "checks": [_check(outcome) for outcome in run.outcomes],
    }


def _device(who: Identity) -> dict[str, Any]:
    ranges = who.ranges._asdict()
    capabilities = Capability(ranges.pop("capabilities"))
    return {
        "simulator": bool(who.welcome.simulator),
        "model": who.model,
        "serial": who.serial,
        "firmware": who.version,
        "firmware_sha256": who.firmware.sha256.hex(),
        "boot": who.welcome.boot_id,
        "capabilities": [(flag.name or "").lower().replace("_", " ") for flag in capabilities],
        "ranges": ranges,
    }


def _requirement(run: Run, number: str) -> dict[str, str]:
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


def _check(outcome: Outcome) -> dict[str, Any]:
    lines = list(in_words(outcome.traffic))
    left_out = max(0, len(lines) - 2 * SHOWN_LINES)
    if left_out:
        lines[SHOWN_LINES:-SHOWN_LINES] = []
    return {
        "name": outcome.check.name,
        "title": outcome.check.title,
        "topic": outcome.check.topic,
        "requirements": list(outcome.check.requirements),
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "found": [{"requirement": each.requirement, "text": each.text} for each in outcome.found],
        "measurements": [_measurement(each) for each in outcome.measurements],
        "took_us": outcome.took_us,
        "traffic": lines,
        "traffic_left_out": left_out,
    }


def _measurement(taken: Measurement) -> dict[str, Any]:
    verdict = "passed" if taken.passed else "failed"
    return {"name": taken.name, "value": taken.value, "limit": taken.limit, "unit": taken.unit, "verdict": verdict}


def in_words(traffic: list[Record]) -> Iterator[dict[str, Any]]:
    """Each frame, or piece of damage: when, from whom, in words and in hex."""
    decoder, raw = Decoder(), {"host": b"", "device": b""}
    for record in traffic:
        for piece in record.data.split(b"\x00")[:-1]:
            raw[record.sender] += piece + b"\x00"
            for line in decoder.feed(Record(record.at_us, record.sender, piece + b"\x00")):
                yield _line(line.at_us, record.sender, line.text(), raw[record.sender])
                raw[record.sender] = b""
        rest = record.data.rpartition(b"\x00")[2]
        if rest:
            raw[record.sender] += rest
            for line in decoder.feed(Record(record.at_us, record.sender, rest)):
                yield _line(line.at_us, record.sender, line.text(), b"")
    for line in decoder.finish():
        yield _line(line.at_us, line.sender, line.text(), raw[line.sender])


def _line(at_us: int, sender: str, text: str, raw: bytes) -> dict[str, Any]:
    return {"at_us": at_us, "from": sender, "text": text, "hex": raw.hex(" ")}
