"""Renders one session of the ledger as a page of text: people, device, doses and events."""

from collections.abc import Iterator
from typing import Any

from stimctl.cli.log.wording import happened, ms
from stimctl.cli.run.wording import OPEN
from stimctl.cli.table import pairs, table
from stimctl.label import printable as plain
from stimctl.ledger.export import at, pair_text
from stimctl.ledger.summary import CLOSED, ChannelSummary, Entry, SessionSummary
from stimctl.units import charge_text, clock_text, ma_text
from stimctl.wire.codes import SATURATED_OHM

# What each fact is, in the order in which they came to be. They are never summed.
FACTS = ("planned", "commanded", "delivered", "measured")
_FACTS_SAID = """planned: by the prescription; commanded: what the driver ordered and the device confirmed;
delivered: what the device counted; measured: what the device measured"""
_MISSING = "-"


def page(summary: SessionSummary) -> str:
    parts = [
        f"{summary.head.watermark}: session {summary.head.session_id}",
        pairs(_head(summary)),
        "Dose, one phase\n" + table(("CHANNEL", "BAND", "FACT", "PULSES", "CHARGE"), _doses(summary)),
        _FACTS_SAID,
        "Measured\n"
        + table(("CHANNEL", "CURRENT, mA", "IMPEDANCE, ohm", "NET CHARGE", "AT THE RAIL"), _measured(summary)),
        "What happened\n" + (table(("TIME", "WHAT", "DETAIL"), map(_remark(summary), summary.remarks))),
    ]
    return "\n\n".join(parts)


def _head(summary: SessionSummary) -> Iterator[tuple[str, str]]:
    head, rx = summary.head, summary.prescription
    why = f", {summary.end_text}" if summary.end_text and summary.end_text != head.end_reason else ""
    yield "state", plain(f"{head.state}: {head.end_reason}{why}" if head.end_reason else head.state)
    yield "started", plain(head.started_utc)
    yield "ended", plain(head.ended_utc or _MISSING)
    yield "subject", _words(head.subject, head.pseudonym)
    yield "operator", _words(head.operator)
    yield "profile", _words(head.profile_id, head.profile_version, head.profile_sha256 and head.profile_sha256[:12])
    calibrated = head.device_calibrated_on and f"calibrated {head.device_calibrated_on}"
    yield "device", _words(head.device_model, head.device_serial, head.device_firmware, calibrated)
    yield "line", _words(summary.url)
    ceiling_ua = rx.get("ceiling_ua")
    yield "ceiling", ma_text(ceiling_ua) if isinstance(ceiling_ua, int) else _MISSING
    yield "bands", ", ".join(_bands(summary)) or _MISSING
    yield "on hold", clock_text(summary.held_us) if isinstance(summary.held_us, int) else _MISSING
    zero_us = summary.zero_confirmed_us
    how = "confirmed" if summary.zero_measured else "acknowledged, NOT measured,"
    yield "zero after stop", f"{how} after {ms(zero_us)}" if isinstance(zero_us, int) else _no_zero(summary)
    nothing = "nothing to compare: never armed, nothing was delivered" if summary.armed is False else _MISSING
    yield "counted as commanded", _yes_or_no(summary.agreement.get("exact"), "yes, exactly", nothing)
    yield "measured as counted", _yes_or_no(summary.agreement.get("measured"), "yes, within its stated error", nothing)
    yield from _origins(summary)
    yield from (("not known", plain(text)) for text in summary.unknown)
    yield "entries", f"{summary.entries}, numbers {summary.first_number} to {summary.last_number}"
    yield "hash of the last", summary.last_hash


def _origins(summary: SessionSummary) -> Iterator[tuple[str, str]]:
    """What the delivered figures rest on, where the device holds no counts of its own."""
    if summary.kept:
        yield "delivered is", f"{summary.kept.get('evidence')}: {summary.kept.get('source')}"
        for channel, pc in (summary.kept.get("unsure_pc") or {}).items():
            yield f"channel {channel} unsure by", f"{charge_text(pc)}, by what was declared of the isolator"
        gaps = summary.kept.get("handovers") or {}
        yield "hand-over gaps", ", ".join(f"{name} {value}" for name, value in gaps.items())


def _no_zero(summary: SessionSummary) -> str:
    if summary.head.state != CLOSED:
        return _MISSING
    return "not known: the program ended before it could ask" if summary.unknown else "NOT CONFIRMED"


def _yes_or_no(agrees: object, yes: str, nothing: str) -> str:
    return yes if agrees is True else "NO: do not trust this device" if agrees is False else nothing


def _bands(summary: SessionSummary) -> Iterator[str]:
    names = summary.bands or (("band 1", "band 2") if summary.band_us else ())
    for index, name in enumerate(names):
        band_us = at(summary.band_us, index)
        yield f"{name} for {clock_text(band_us)}" if isinstance(band_us, int) else name


def _used(summary: SessionSummary) -> Iterator[ChannelSummary]:
    """The channels that were prescribed, or delivered something all the same."""
    for channel in summary.channels:
        delivered = channel.delivered or {}
        if channel.plan or channel.planned or any((*delivered.get("pulses", ()), *delivered.get("charge_pc", ()))):
            yield channel


def _doses(summary: SessionSummary) -> Iterator[tuple[str, ...]]:
    for channel in _used(summary):
        for index, band in enumerate(summary.bands or ("band 1", "band 2")):
            for fact in FACTS:
                dose: dict[str, Any] = getattr(channel, fact) or {}
                pulses, charge_pc = at(dose.get("pulses"), index), at(dose.get("charge_pc"), index)
                yield (
                    plain(_channel(channel)) if fact == FACTS[0] else "",
                    band if fact == FACTS[0] else "",
                    fact,
                    f"{pulses:,}" if isinstance(pulses, int) else _MISSING,
                    charge_text(charge_pc) if isinstance(charge_pc, int) else _MISSING,
                )


def _channel(channel: ChannelSummary) -> str:
    pair = pair_text(channel.plan)
    return f"{channel.channel} ({pair})" if pair else str(channel.channel)


def _measured(summary: SessionSummary) -> Iterator[tuple[str, ...]]:
    for channel in _used(summary):
        measured = channel.measured or {}
        net_pc = measured.get("net_charge_pc")
        yield (
            str(channel.channel),
            _spread(channel.spreads.get("measured_ua"), 1000),
            _spread(channel.spreads.get("ohm"), 1).replace(str(SATURATED_OHM), OPEN),
            charge_text(net_pc) if isinstance(net_pc, int) else _MISSING,
            _count(measured.get("compliance_hits")),
        )


def _count(number: object) -> str:
    return f"{number:,}" if isinstance(number, int) else _MISSING


def _spread(spread: Any, unit: int) -> str:
    if not isinstance(spread, dict):
        return _MISSING
    figures = (f"{name} {spread[name] / unit:g}" for name in ("first", "min", "median", "max") if name in spread)
    return ", ".join(figures)


def _remark(summary: SessionSummary) -> Any:
    def row(entry: Entry) -> tuple[str, str, str]:
        # What is added later, the end of a session cut short too, has no place on the session's own clock.
        later = entry.kind == "recovered" or (entry.kind == "closed" and bool(summary.unknown))
        on_clock = not later and entry.at_us >= summary.opened_at_us
        when = clock_text(entry.at_us - summary.opened_at_us) if on_clock else entry.utc
        what, detail = happened(entry, summary)
        return when, plain(what), plain(detail)

    return row


def _words(*words: str | None) -> str:
    return plain(" ".join(word for word in words if word) or _MISSING)
