"""The judgement as plain data: what JSON holds, what the pages are made from, and JUnit XML."""

import math
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from stimctl.bench.acceptance import Acceptance, Taken
from stimctl.bench.sheet import SheetRow, sheet
from stimctl.bench.verdict import Row, Verdict
from stimctl.capture.uncertainty import Figure

FORMAT = 1
NOT_SAID: Mapping[str, str | None] = {"stimulator": None, "operator": None, "instrument": None}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(
    acceptance: Acceptance, made_utc: str, tool: str, area_cm2: float | None = None,
    measured: Mapping[str, str | None] = NOT_SAID,
) -> dict[str, Any]:  # fmt: skip
    """All of it. Values and limits are in the unit beside them; `uncertainty` is expanded, k = 2.

    `measured` is what the person said: the stimulator, the operator and the instrument.
    """
    loads, lines = sheet(acceptance, area_cm2)
    expected, instrument = acceptance.expected, acceptance.instrument
    return {
        "stimctl_bench": FORMAT,
        "verdict": acceptance.verdict,
        "holds": acceptance.holds,
        "simulated": acceptance.simulated,
        "counts": {verdict.value: acceptance.count(verdict) for verdict in Verdict},
        "made_utc": made_utc,
        "tool": tool,
        "measured": dict(measured),
        "profile": {
            "id": expected.profile, "version": expected.version, "title": expected.title, "variant": expected.variant,
            "amplitude_ua": [expected.low_ua, expected.high_ua], "commanded": expected.commanded,
        },
        "tolerances": {
            "name": acceptance.tolerances.name, "file": acceptance.tolerances_file,
            "sha256": acceptance.tolerances_sha256, "source": acceptance.tolerances.source,
            **acceptance.tolerances.model_dump(exclude={"name", "source", "format"}),
        },
        "instrument": {
            "gain_part": instrument.gain, "load_part": instrument.load, "timebase_part": instrument.timebase,
            "assumed": list(instrument.assumed),
        },
        "captures": [_capture(taken) for taken in acceptance.taken],
        "sheet": {"loads_ohm": list(loads), "figures": [_line(line) for line in lines]},
    }  # fmt: skip


def _capture(taken: Taken) -> dict[str, Any]:
    declared = taken.source.declared
    first = taken.channels[0].judge.measured
    return {
        "file": str(taken.source.path),
        "sha256": taken.digest,
        "reference": None if taken.source.reference is None else str(taken.source.reference),
        "form": taken.capture.form,
        "simulated": taken.simulated,
        "declared": {
            "load_ohm": declared.load_ohm, "unit": taken.channels[0].judge.declared.unit, "probe": declared.probe,
        },
        "rate_hz": taken.capture.rate_hz,
        "duration_s": first.duration_s,
        "notes": list(taken.notes),
        "channels": [_channel(channel) for channel in taken.channels],
        "rows": [record_of(row) for row in taken.rows],
    }  # fmt: skip


def _channel(channel: Any) -> dict[str, Any]:
    return {
        "name": channel.name,
        "pulses": len(channel.pulses),
        "ramp_pulses": channel.held.start + len(channel.pulses) - channel.held.stop,
        "noise_ua": channel.judge.measured.noise * channel.judge.ua,
        "switches_s": channel.train.switches_s,
    }


def record_of(row: Row) -> dict[str, Any]:
    """A row, JSON-able."""
    return {
        "name": row.name, "where": row.where, **_figure(row.figure), "low": row.low, "high": row.high,
        "guard": _number(row.guard), "verdict": row.verdict.value, "note": row.note, "judged": row.judged,
    }  # fmt: skip


def _line(line: SheetRow) -> dict[str, Any]:
    return {"name": line.name, "unit": line.unit, "figures": [_figure(each) for each in line.figures]}


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": _number(figure.value) if figure.known else None,
        "uncertainty": _number(figure.uncertainty) if figure.known else None,
        "unit": figure.unit, "reason": figure.reason, "over": figure.over,
    }  # fmt: skip


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def as_junit(document: dict[str, Any]) -> str:
    """A suite by capture, a case by figure: what fails is a failure, what could not be decided is skipped."""
    root = Xml.Element("testsuites", name=f"bench acceptance: {document['verdict']}")
    for capture in document["captures"]:
        rows = [row for row in capture["rows"] if row["judged"]]
        name = f"{capture['file']} over {capture['declared']['load_ohm']:g} ohm"
        failures = sum(row["verdict"] == Verdict.FAILS for row in rows)
        skipped = sum(row["verdict"] in (Verdict.UNDECIDED, Verdict.NOT_MEASURABLE) for row in rows)
        counts = {"tests": str(len(rows)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
        suite = Xml.SubElement(root, "testsuite", {"name": _text(name), "timestamp": document["made_utc"], **counts})
        for row in rows:
            case = Xml.SubElement(suite, "testcase", name=_text(row["name"]), classname=_text(f"bench.{row['where']}"))
            if row["verdict"] == Verdict.FAILS:
                Xml.SubElement(case, "failure", message=_text(sentence(row)))
            elif row["verdict"] != Verdict.HOLDS:
                Xml.SubElement(case, "skipped", message=_text(sentence(row)))
            Xml.SubElement(case, "system-out").text = _text(sentence(row))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def sentence(row: dict[str, Any]) -> str:
    """A row in words."""
    figure = row["reason"] or f"{shown(row)} {row['unit']}".strip()
    note = f" ({row['note']})" if row["note"] else ""
    return f"{row['where']}, {row['name']}: {figure}; limits {limits(row)}; {row['verdict']}{note}"


def shown(row: dict[str, Any]) -> str:
    """A value and its uncertainty, to two digits of the latter."""
    value, uncertainty = row["value"], row["uncertainty"]
    if row["over"]:
        return "over the scale" if value is None else f"over {value:.0f}"
    if value is None:
        return ""
    if not uncertainty or uncertainty < 1e-12:
        return f"{value if abs(value) > 1e-9 else 0:.6g}"
    places = max(0, 1 - math.floor(math.log10(uncertainty))) if uncertainty < 10 else 0
    return f"{value:.{places}f} ± {uncertainty:.{places}f}"


def limits(row: dict[str, Any]) -> str:
    """Both limits, one of them, or none."""
    low, high = row["low"], row["high"]
    if low is None and high is None:
        return "none"
    if low is None:
        return f"at most {high:.4g}"
    return f"at least {low:.4g}" if high is None else f"{low:.4g} to {high:.4g}"


def measured_text(document: dict[str, Any]) -> str:
    """What was measured, by whom and with what, as far as it was said."""
    said = "; ".join(f"{name}: {each or 'not said'}" for name, each in document["measured"].items())
    return f"{said[:1].upper()}{said[1:]}."


def _text(text: str) -> str:
    return _NOT_XML.sub("?", text)
