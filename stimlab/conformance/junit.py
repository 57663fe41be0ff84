"""Writes a run as JUnit XML: a suite for each topic, a case for each check, a failure for each broken requirement."""

import re
from xml.etree import ElementTree as Xml

from stimlab.conformance.result import CheckResult, SuiteResult

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(run: SuiteResult) -> str:
    root = Xml.Element("testsuites", {"name": f"conformance of {_text(run.url)}", **_counts(run.outcomes)})
    for topic in dict.fromkeys(outcome.check.topic for outcome in run.outcomes):
        of_topic = [outcome for outcome in run.outcomes if outcome.check.topic == topic]
        suite = Xml.SubElement(root, "testsuite", {"name": topic, "timestamp": run.began, **_counts(of_topic)})
        _properties(suite, run)
        for outcome in of_topic:
            _case(suite, outcome)
    if run.broken_off:
        suite = Xml.SubElement(root, "testsuite", name="run", tests="1", errors="1", failures="0", skipped="0")
        case = Xml.SubElement(suite, "testcase", name="comes to its end", classname="conformance")
        Xml.SubElement(case, "error", message=_text(run.broken_off))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _counts(outcomes: list[CheckResult]) -> dict[str, str]:
    verdicts = [outcome.verdict for outcome in outcomes]
    return {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count("failed")),
        "errors": str(verdicts.count("error")),
        "skipped": str(verdicts.count("skipped")),
        "time": _seconds(sum(outcome.took_us for outcome in outcomes)),
    }


def _properties(suite: Xml.Element, run: SuiteResult) -> None:
    properties = Xml.SubElement(suite, "properties")
    reported = {"port": run.url, "tool": run.tool}
    if run.identity is not None:
        who = run.identity
        reported |= {"model": who.model, "serial": who.serial, "firmware": who.version}
        reported |= {
            "firmware_sha256": who.firmware.sha256.hex(),
            "simulator": str(bool(who.welcome.simulator)).lower(),
        }
    for name, value in reported.items():
        Xml.SubElement(properties, "property", name=name, value=_text(value))


def _case(suite: Xml.Element, outcome: CheckResult) -> None:
    check = outcome.check
    case = Xml.SubElement(
        suite, "testcase", name=check.name, classname=f"conformance.{check.topic}", time=_seconds(outcome.took_us)
    )
    if outcome.verdict == "skipped":
        Xml.SubElement(case, "skipped", message=_text(outcome.reason))
    for found in outcome.found:
        Xml.SubElement(case, "failure", message=_text(f"{found.requirement}: {found.text}"), type=found.requirement)
    if outcome.verdict == "error":
        Xml.SubElement(case, "error", message=_text(outcome.reason))
    text = [f"{', '.join(check.requirements)}: {check.title}"]
    for each in outcome.measurements:
        limit = "no limit" if each.limit is None else f"limit {each.limit} {each.unit}"
        text.append(f"{each.name}: {each.value} {each.unit} ({limit}): {'passed' if each.passed else 'FAILED'}")
    Xml.SubElement(case, "system-out").text = _text("\n".join(text))


def _seconds(us: int) -> str:
    return f"{us / 1e6:.6f}"


def _text(text: str) -> str:
    """What a device says may hold characters that XML cannot."""
    return _NOT_XML.sub("?", text)
