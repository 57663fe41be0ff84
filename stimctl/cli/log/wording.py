"""Puts each entry of the ledger into words.

Reading tolerates whatever a ledger holds: an entry that lacks what its sentence needs is told field by field.
"""

from collections.abc import Callable, Mapping
from typing import Any

from stimctl.ledger.export import at
from stimctl.ledger.reading import Entry
from stimctl.ledger.summary import SessionSummary
from stimctl.units import US_PER_MS, charge_text, clock_text, counted, ma_text
from stimctl.wire.codes import CHANNELS, EndReason, Purpose, SelfTestFailure, ohm_text

_UNITS: dict[str, Callable[[int], str]] = {"ua": ma_text, "pc": charge_text}


def ms(duration_us: int) -> str:
    """A short duration: `20000` is `20 ms`."""
    return f"{duration_us / US_PER_MS:,g} ms"


def happened(entry: Entry, summary: SessionSummary) -> tuple[str, str]:
    """What an entry is called, and what it says."""
    if entry.kind == "adverse":
        return "ADVERSE EVENT", _note(entry.body) if entry.body.get("text") else _fields(entry.body)
    name = "ended" if entry.kind == "closed" else entry.kind.replace("_", " ")
    if entry.kind == "stop" and entry.body.get("tried"):
        name = "stop tried"
    try:
        if entry.kind == "recovered":
            return name, _recovered(entry.body, summary)
        words = _WORDS.get(entry.kind)
        return name, words(entry.body) if words else _fields(entry.body)
    except (AttributeError, KeyError, TypeError, ValueError):
        return name, _fields(entry.body)


def _fields(body: Mapping[str, Any]) -> str:
    return ", ".join(_field(name, value) for name, value in body.items() if value not in (None, ""))


def _field(name: str, value: object) -> str:
    stem, _, unit = name.rpartition("_")
    if isinstance(value, int) and stem and unit == "us":
        return f"{stem} {ms(value)}"
    if isinstance(value, int) and stem and unit in _UNITS:
        return f"{stem} {_UNITS[unit](value)}"
    return f"{name} {value:,}" if type(value) is int else f"{name} {value}"


def _note(body: Mapping[str, Any]) -> str:
    by = f" ({body['author']})" if body.get("author") else ""
    severity = f"{body['severity']}: " if body.get("severity") else ""
    return f"{severity}{body['text']}{by}"


def _signed(body: Mapping[str, Any]) -> str:
    by = f" by {body['signer']}" if body.get("signer") else ""
    return f"entry {body['number']} and all before it{by}, key {body['public_key'][:16]}..."


def _correction(body: Mapping[str, Any]) -> str:
    return f"of entry {body['number']}: {_note(body)}"


def _self_test(body: Mapping[str, Any]) -> str:
    failures = SelfTestFailure(body["failures"])
    said = f"FAILED: {failures.name or body['failures']}" if failures else "passed"
    note = f"; {body['note']}" if body.get("note") else ""
    return f"{said}, {body['zero_ua']} uA at zero{note}"


def _stop(body: Mapping[str, Any]) -> str:
    first = "before any lead was on: " if body["tried"] else ""
    if not body.get("measured", True):
        return f"{first}acknowledged after {ms(body['answered_us'])}, zero NOT measured"
    return f"{first}zero measured ({body['measured_ua']} uA) after {ms(body['after_us'])}"


def _impedance(body: Mapping[str, Any]) -> str:
    return (
        f"channel {body['channel']}: {ohm_text(body['ohm'])} "
        f"({counted(body['pulses'], 'pulse')} of {ma_text(body['amplitude_ua'])}, "
        f"{ma_text(body['measured_ua'])} measured)"
    )


def _armed(body: Mapping[str, Any]) -> str:
    what = "for stimulation" if Purpose(body["purpose"]) is Purpose.STIMULATE else "for the impedance check"
    channels = ", ".join(str(bit + 1) for bit in range(CHANNELS) if body["channel_mask"] >> bit & 1)
    return f"{what}: channel {channels}, ceiling {ma_text(body['ceiling_ua'])}, the device's session {body['session']}"


def _started(body: Mapping[str, Any]) -> str:
    targets = ", ".join(f"channel {channel} to {ma_text(ua)}" for channel, ua in body["targets_ua"].items())
    return f"{targets}, {_stimulated(body)}"


def _target(body: Mapping[str, Any]) -> str:
    if "refused" in body:
        return f"{body['refused']['order']} refused by the device: {body['refused']['reason']}"
    return f"channel {body['channel']} to {ma_text(body['target_ua'])}, {_stimulated(body)}"


def _stimulated(body: Mapping[str, Any]) -> str:
    return f"at {clock_text(body['stimulation_us'])} of stimulation"


def _alarm(body: Mapping[str, Any]) -> str:
    if body.get("source") == "device":
        where = f", channel {body['channel']}" if body.get("channel") else ""
        return f"by the device: {body['reason'].replace('_', ' ')}{where}, value {body['value']:,}"
    return "; ".join([f"{body['priority']}: {body['text']}", *([body["action"]] if body.get("action") else [])])


def _ended(body: Mapping[str, Any]) -> str:
    reason = str(body["end_reason"])
    more = body.get("end_text") or body.get("reason")
    return reason if more in (None, reason) else f"{reason}: {more}"


def _recovered(body: Mapping[str, Any], summary: SessionSummary) -> str:
    """What the device still held, channel by channel, and why it had ended the session."""
    planned = {channel.channel for channel in summary.channels if channel.plan}
    delivered = [
        _delivered(each, summary.bands)
        for each in body["counters"]
        if each["channel"] in planned or each["pulses_0"] or each["pulses_1"]
    ]
    reason = (body.get("record") or {}).get("end_reason")
    said = [] if reason is None else [f"the device had ended it: {EndReason(reason).name.lower().replace('_', ' ')}"]
    said += [f"its last check of {_impedance(each)}" for each in body.get("checked") or ()]
    return "; ".join([*(delivered or ["nothing was delivered"]), *said])


def _delivered(each: Mapping[str, Any], bands: tuple[str, ...]) -> str:
    names = [at(bands, index) or (f"band {index + 1}" if not bands else None) for index in (0, 1)]
    pulses = [f"{counted(each[f'pulses_{index}'], 'pulse')} at {name}" for index, name in enumerate(names) if name]
    return f"channel {each['channel']}: {', '.join(pulses)}, {charge_text(each['charge_0_pc'] + each['charge_1_pc'])}"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "self_test": _self_test,
    "stop": _stop,
    "impedance": _impedance,
    "armed": _armed,
    "started": _started,
    "target": _target,
    "held": _stimulated,
    "alarm": _alarm,
    "closed": _ended,
    "note": _note,
    "adverse": _note,
    "signed": _signed,
    "correction": _correction,
}
