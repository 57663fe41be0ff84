"""Sessions as a FHIR R4B Bundle: a Procedure for each, its Device, and its doses as Observations with UCUM units.

A figure that nobody knows is absent, with the reason said, and never 0. A delivery is `final` where it was confirmed,
`preliminary` where it is only commanded, and `unknown` where it is uncertain; `method` says how the figure is known.
The subject is a pseudonym's identifier, and no Patient resource is made. What no person had on a real device is marked
as test data (HTEST) in every resource. Codes are texts and this program's own: no code of a terminology was verified.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from stimctl.errors import Misuse
from stimctl.ledger.delivery import DeliveryState, delivery_of
from stimctl.ledger.export import at, pair_text
from stimctl.ledger.heads import CLOSED, RUNNING, SessionHead
from stimctl.ledger.reading import Entry
from stimctl.ledger.standing import FigureStanding
from stimctl.ledger.summary import ChannelSummary, SessionSummary
from stimctl.wire.codes import SATURATED_OHM

Resource = dict[str, Any]
SYSTEM = "urn:stimctl"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_UCUM = "http://unitsofmeasure.org"
_LIVING = ("person", "animal")
_OF_DELIVERY = {
    DeliveryState.CONFIRMED: "final",
    DeliveryState.COMMANDED: "preliminary",
    DeliveryState.UNCERTAIN: "unknown",
    DeliveryState.NONE: "cancelled",
}
_UNKNOWN = {"coding": [{"system": f"{_HL7}/data-absent-reason", "code": "unknown"}]}
# UCUM code by the end of a figure's name.
UNITS = {"pulses": "{pulses}", "hits": "{hits}", "pc": "pC", "ua": "uA", "us": "us", "nj": "nJ", "ohm": "Ohm"}


def bundle(summaries: Iterable[SessionSummary]) -> Resource:
    """All sessions in one Bundle of type `collection`; a device stands in it once."""
    found: dict[str, Resource] = {}
    for summary in summaries:
        for resource in _Session(summary).resources():
            found.setdefault(_url(resource["id"]), resource)
    entries = [{"fullUrl": url, "resource": resource} for url, resource in found.items()]
    # FHIR has no empty lists.
    return {"resourceType": "Bundle", "type": "collection", **({"entry": entries} if entries else {})}


def validate(document: Resource) -> bool:
    """Have `fhir.resources` check a bundle. False where that is not installed; raises `Misuse` for what is no R4B."""
    try:
        from fhir.resources.R4B.bundle import Bundle
    except ImportError:
        return False
    try:
        Bundle.model_validate(document)
    except ValueError as wrong:
        raise Misuse(f"this cannot be said as FHIR R4B; --format json says it as it is: {wrong}") from None
    return True


def _id(*parts: object) -> str:
    """The same for the same thing, in every export."""
    return str(uuid5(NAMESPACE_URL, ":".join((SYSTEM, *map(str, parts)))))


def _url(identity: str) -> str:
    return f"urn:uuid:{identity}"


def _code(name: str, text: str) -> Resource:
    return {"coding": [{"system": f"{SYSTEM}:figure", "code": name.replace("_", "-")}], "text": text}


def _period(head: SessionHead) -> Resource:
    """When it was; a start or an end that nobody knows is absent, and says so."""
    period: Resource = {}
    for name, utc in (("start", head.started_utc), ("end", head.ended_utc)):
        if utc is not None:
            period[name] = utc
        elif not (name == "end" and head.state == RUNNING):
            url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
            period[f"_{name}"] = {"extension": [{"url": url, "valueCode": "unknown"}]}
    return period


class _Session:
    """One session's resources."""

    def __init__(self, summary: SessionSummary) -> None:
        self.summary, self.head = summary, summary.head
        self.procedure_id = _id("session", self.head.session_id)
        self.device_id = _id("device", *(getattr(self.head, f"device_{name}") for name in _DEVICE))

    def resources(self) -> Iterator[Resource]:
        yield self._marked("Device", self.device_id, **self._device())
        yield self._marked("Procedure", self.procedure_id, **self._procedure())
        for channel in self.summary.channels:
            for name in ("commanded", "delivered", "measured"):
                yield self._dose(channel, name)
        last: dict[str, Entry] = {}
        for entry in self.summary.remarks:
            if entry.kind == "outcome":
                last |= {_score(entry, name): entry for name in _SCORES if _is_figure(entry.body.get(name))}
        for entry in self.summary.remarks:
            if entry.kind == "outcome":
                yield from self._scores(entry, last)

    def _marked(self, kind: str, identity: str, **fields: Any) -> Resource:
        """A resource that says what it is of: a simulator or hardware, and whether it can be believed."""
        mark = self.head.watermark
        tags = [{"system": f"{SYSTEM}:watermark", "code": mark.replace(" ", "-"), "display": mark}]
        tags += [{"system": f"{SYSTEM}:verifies", "code": "false"}] if self.summary.faults else []
        test = [{"system": f"{_HL7}/v3-ActReason", "code": "HTEST", "display": "test health data"}]
        real = mark == "HARDWARE" and (kind == "Device" or self.head.subject in _LIVING)
        meta = {"tag": tags, **({} if real else {"security": test})}
        return {"resourceType": kind, "id": identity, "meta": meta, **fields}

    def _device(self) -> Resource:
        head = self.head
        calibrated = {"type": {"text": "calibrated on"}, "valueCode": [{"text": str(head.device_calibrated_on)}]}
        fields = {
            "serialNumber": head.device_serial,
            "modelNumber": head.device_model,
            "version": [{"value": head.device_firmware}] if head.device_firmware else None,
            "property": [calibrated] if head.device_calibrated_on else None,
        }
        return {"type": {"text": "electroacupuncture stimulator"}, **_there(fields)}

    def _procedure(self) -> Resource:
        head, summary = self.head, self.summary
        words = {"adverse": [], "note": [], "correction": []}  # type: dict[str, list[Entry]]
        for entry in summary.remarks:
            words.get(entry.kind, []).append(entry)
        told = [[str(entry.body.get(name) or "") for name in ("severity", "text")] for entry in words["adverse"]]
        complications = [{"text": ": ".join(filter(None, each)) or "an event whose text is not there"} for each in told]
        notes = [_annotation(entry) for entry in (*words["note"], *words["correction"]) if entry.body.get("text")]
        notes += [{"text": f"DOES NOT VERIFY: {fault}"} for fault in summary.faults]
        fields = {
            "statusReason": {"text": summary.end_text or head.end_reason} if head.end_reason else None,
            "performer": [{"actor": {"display": head.operator}}] if head.operator else None,
            "bodySite": [{"text": text} for channel in summary.channels if (text := pair_text(channel.plan))],
            "complication": complications,
            "note": notes,
            "instantiatesUri": self._profile(),
        }
        return {
            "identifier": [{"system": f"{SYSTEM}:session", "value": head.session_id}],
            "status": self._status(),
            "code": {"text": "electroacupuncture"},
            "subject": self._subject(),
            "performedPeriod": _period(head),
            "usedReference": [{"reference": _url(self.device_id)}],
            **_there(fields),
        }

    def _profile(self) -> list[str] | None:
        head = self.head
        return [f"{SYSTEM}:profile:{head.profile_id}:{head.profile_version}"] if head.profile_id else None

    def _status(self) -> str:
        if self.summary.armed is False:
            return "not-done"
        if self.head.state == RUNNING:
            return "in-progress"
        if self.head.state != CLOSED or self.head.end_reason == "interrupted":
            return "unknown"
        return "completed" if self.head.end_reason == "timer" else "stopped"

    def _subject(self) -> Resource:
        head = self.head
        if head.subject in _LIVING and head.pseudonym:
            return {"type": "Patient", "identifier": {"system": f"{SYSTEM}:pseudonym", "value": head.pseudonym}}
        return {"display": f"{(head.subject or 'unknown').replace('_', ' ')}: no patient"}

    def _observation(self, identity: str, status: str, code: Resource, **fields: Any) -> Resource:
        about = {
            "status": "unknown" if self.summary.faults else status,
            "code": code,
            "subject": self._subject(),
            "effectivePeriod": _period(self.head),
            "partOf": [{"reference": _url(self.procedure_id)}],
            "device": {"reference": _url(self.device_id)},
        }
        return self._marked("Observation", identity, **about, **_there(fields))

    def _dose(self, channel: ChannelSummary, name: str) -> Resource:
        """One of a channel's doses, with how it is known."""
        standing = channel.standing.get(name) or (
            FigureStanding.COMMANDED if channel.commanded else FigureStanding.UNKNOWN
        )
        status = "final" if getattr(channel, name) else "unknown"
        if name == "delivered":
            status = _OF_DELIVERY[delivery_of(self.summary, standing)]
        pair = pair_text(channel.plan)
        return self._observation(
            _id("dose", self.head.session_id, channel.channel, name),
            status,
            _code(f"{name}_dose", f"{name} dose of channel {channel.channel}"),
            method={"text": str(standing)},
            bodySite={"text": pair} if pair else None,
            component=[*self._bands(channel, name, standing), *(_readings(channel) if name == "measured" else ())],
        )

    def _bands(self, channel: ChannelSummary, name: str, standing: str) -> Iterator[Resource]:
        dose = getattr(channel, name) or {}
        most = "<=" if name == "delivered" and standing == FigureStanding.AT_MOST else None
        for band in range(len(self.summary.bands) or 2):
            for figure in ("charge_pc",) if name == "measured" else ("pulses", "charge_pc"):
                yield _component(f"{figure}_{band + 1}", figure, at(dose.get(figure), band), most)

    def _scores(self, entry: Entry, last: Mapping[str, Entry]) -> Iterator[Resource]:
        """The scores of one entry. One that was given anew later, the last of which counts, was in error."""
        for name in _SCORES:
            score = entry.body.get(name)
            if _is_figure(score):
                when = str(entry.body.get("when") or "")
                code = _code(f"{name}_{when}".strip("_"), f"{name}, 0 to 10, {when} the session")
                value = {"value": score, "unit": "{score}", "system": _UCUM, "code": "{score}"}
                status = "final" if last[_score(entry, name)] is entry else "entered-in-error"
                yield self._observation(_id("score", entry.hash, name), status, code, valueQuantity=value)


def _is_figure(score: object) -> bool:
    return isinstance(score, int | float)


def _score(entry: Entry, name: str) -> str:
    return f"{name} {entry.body.get('when')}"


_SCORES = ("pain", "sensation")
_DEVICE = ("model", "serial", "firmware", "calibrated_on")


def _there(fields: Resource) -> Resource:
    """Without what is empty: FHIR has no null and no empty list."""
    return {name: value for name, value in fields.items() if value not in (None, [], "")}


def _annotation(entry: Entry) -> Resource:
    text = entry.body["text"]
    if entry.kind == "correction":
        text = f"correction of entry {entry.body.get('number')}: {text}"
    return _there({"authorString": entry.body.get("author"), "time": entry.utc, "text": text})


def _readings(channel: ChannelSummary) -> Iterator[Resource]:
    measured = channel.measured or {}
    for name in ("net_charge_pc", "max_amplitude_ua", "compliance_hits", "energy_nj"):
        yield _component(name, name, measured.get(name))
    for name in ("applied_ua", "measured_ua", "ohm"):
        for figure, value in (channel.spreads.get(name) or {}).items():
            open_circuit = name == "ohm" and value == SATURATED_OHM  # the most that is told, of an open circuit too
            yield _component(f"{name}_{figure}", name, value, ">=" if open_circuit else None)


def _component(code: str, figure: str, value: object, comparator: str | None = None) -> Resource:
    unit = UNITS[figure.rpartition("_")[2]]
    about = {"code": _code(code, code.replace("_", " "))}
    if not isinstance(value, int | float):
        return {**about, "dataAbsentReason": _UNKNOWN}
    quantity = {"value": value, "comparator": comparator, "unit": unit, "system": _UCUM, "code": unit}
    return {**about, "valueQuantity": _there(quantity)}
