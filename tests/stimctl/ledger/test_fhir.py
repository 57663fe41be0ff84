"""FHIR R4B: valid, marked, without invented figures, and the same doses and standings when it is read back."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from stimctl.errors import Misuse
from stimctl.ledger import Ledger, SessionSummary
from stimctl.ledger.fhir import UNITS, bundle, validate

# The required value sets of R4B: EventStatus and ObservationStatus.
ALWAYS = {"entered-in-error", "unknown"}
STATUSES: dict[str, set[str | None]] = {
    "Device": {None},
    "Procedure": {"preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", *ALWAYS},
    "Observation": {"registered", "preliminary", "final", "amended", "corrected", "cancelled", *ALWAYS},
}


def read_back(*summaries: SessionSummary) -> list[Any]:
    """Written, validated, read by the library; the resources."""
    document = json.loads(json.dumps(bundle(summaries)))
    assert validate(document)
    resources: list[Any] = [entry.resource for entry in Bundle.model_validate(document).entry or ()]
    for each in resources:  # the library leaves the lists of codes to whoever asks for them
        assert getattr(each, "status", None) in STATUSES[each.get_resource_type()]
    return resources


def of_kind(resources: list[Any], kind: str) -> list[Any]:
    return [each for each in resources if each.get_resource_type() == kind]


def doses(resources: list[Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Name, status, standing and figures of each dose."""
    for each in of_kind(resources, "Observation"):
        if each.method is not None:
            figures = {
                part.code.coding[0].code: None if part.valueQuantity is None else part.valueQuantity.value
                for part in each.component
            }
            for part in each.component:
                assert (part.valueQuantity is None) == (part.dataAbsentReason is not None)
                assert part.valueQuantity is None or part.valueQuantity.code in UNITS.values()
            yield each.code.coding[0].code, each.status, each.method.text, figures


def test_doses_and_standings_read_back(ledger: Ledger, session: Callable[..., str]) -> None:
    summary = ledger.summary(session(ledger))
    (channel,) = summary.channels
    found = {name: (status, standing, figures) for name, status, standing, figures in doses(read_back(summary))}
    assert list(found) == ["commanded-dose", "delivered-dose", "measured-dose"]
    for name in ("commanded", "delivered"):
        dose = getattr(channel, name)
        assert found[f"{name}-dose"][2] == {
            f"{figure}-{band + 1}".replace("_", "-"): dose[figure][band]
            for band in (0, 1)
            for figure in ("pulses", "charge_pc")
        }
    assert found["delivered-dose"][:2] == ("unknown", "counted"), "it is not what was commanded"
    status, standing, measured = found["measured-dose"]
    assert (status, standing) == ("final", "measured")
    assert (measured["charge-pc-2"], measured["net-charge-pc"], measured["ohm-median"]) == (401_000_000, -7, 610.5)
    assert measured["energy-nj"] is None


def test_unknown_is_absent_and_the_states_of_a_delivery_differ(ledger: Ledger) -> None:
    def opened(one: str, closed: dict[str, Any] | None) -> SessionSummary:
        ledger.append(one, "opened", 0, {"simulator": False, "subject": "person", "pseudonym": "P-07",
                                         "prescription": {"channels": [{"channel": 1}]}})  # fmt: skip
        if closed is not None:
            ledger.append(one, "closed", 1, {"end_reason": "line lost", **closed})
        return ledger.summary(one)

    dose = {"1": {"pulses": [3, 0], "charge_pc": [9, 0]}}
    with ledger.writer("s-1"):
        running = opened("s-1", None)
    cases = [
        (running, "unknown", "unknown", None, "in-progress"),
        (opened("s-2", {"armed": True, "commanded": dose}), "unknown", "unknown", None, "stopped"),
        (
            opened("s-3", {"armed": True, "delivered": dose, "kept": {"evidence": "at most"}}),
            "preliminary", "at most", 9, "stopped",
        ),
        (opened("s-4", {"armed": False}), "cancelled", "unknown", None, "not-done"),
    ]  # fmt: skip
    for summary, status, standing, charge_pc, procedure in cases:
        resources = read_back(summary)
        (found,) = [each[1:] for each in doses(resources) if each[0] == "delivered-dose"]
        assert found[:2] == (status, standing)
        assert found[2]["charge-pc-1"] == charge_pc
        assert of_kind(resources, "Procedure")[0].status == procedure
    assert '"comparator": "<="' in json.dumps(bundle([cases[2][0]]))


def test_a_pseudonym_and_no_patient_and_test_data_marked(ledger: Ledger, session: Callable[..., str]) -> None:
    simulated = read_back(ledger.summary(session(ledger)))
    for each in simulated:
        assert [label.code for label in each.meta.security] == ["HTEST"]
        assert [tag.code for tag in each.meta.tag] == ["SIMULATOR"]
    assert of_kind(simulated, "Procedure")[0].subject.identifier is None
    ledger.append("s-1", "opened", 0, {"simulator": False, "subject": "person", "pseudonym": "P-07"})
    ledger.append("s-1", "adverse", 0, {"text": "fainted", "severity": "mild"})
    ledger.append("s-1", "note", 0, {"text": "quiet", "author": "AO"})
    ledger.append("s-1", "outcome", 0, {"when": "before", "pain": 0})
    real = read_back(ledger.summary("s-1"))
    assert [each.meta.security for each in real] == [None] * len(real)
    (procedure,) = of_kind(real, "Procedure")
    assert procedure.subject.identifier.value == "P-07"
    assert procedure.complication[0].text == "mild: fainted"
    assert (procedure.note[0].text, procedure.note[0].authorString) == ("quiet", "AO")
    assert [each.valueQuantity.value for each in of_kind(real, "Observation")] == [0]
    assert of_kind(real, "Patient") == []


def test_a_device_stands_once_and_no_session_is_a_bundle_too(ledger: Ledger, session: Callable[..., str]) -> None:
    resources = read_back(ledger.summary(session(ledger)), ledger.summary(session(ledger)))
    assert (len(of_kind(resources, "Device")), len(of_kind(resources, "Procedure"))) == (1, 2)
    assert read_back() == []


def test_what_is_no_fhir_is_told() -> None:
    with pytest.raises(Misuse, match="cannot be said as FHIR R4B"):
        validate({"resourceType": "Bundle", "type": "collection", "heap": 1})


def test_what_was_corrected_is_told(ledger: Ledger) -> None:
    one = "s-1"
    ledger.append(one, "opened", 0, {"simulator": False, "subject": "person", "pseudonym": "P-17"})
    for pain in (9, 6):
        ledger.append(one, "outcome", 1, {"when": "before", "pain": pain, "sensation": None})
    ledger.append(one, "outcome", 1, {"when": "after", "pain": 3})
    ledger.append(one, "correction", 2, {"number": 1, "text": "the needle was 0.25 mm", "author": "AO"})
    found = read_back(ledger.summary(one))
    scores = [(each.valueQuantity.value, each.status) for each in of_kind(found, "Observation") if each.valueQuantity]
    assert [(float(value), status) for value, status in scores] == [
        (9, "entered-in-error"),
        (6, "final"),
        (3, "final"),
    ]
    (procedure,) = of_kind(found, "Procedure")
    assert procedure.note[0].text == "correction of entry 1: the needle was 0.25 mm"
