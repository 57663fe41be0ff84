"""Exports one session as CSV or JSON, for a lab's own tools.

Every row, or the top of the document, says SIMULATOR or HARDWARE. Three forms: `json` holds everything, hashes
included, so that a copy can be checked against the ledger; `csv` of channels has one row a channel, with a column for
each band and each of planned, commanded, delivered and measured, so that nothing stands twice and nothing is summed;
`csv` of entries has one row an entry, its body as JSON.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from stimctl.ledger.document import document
from stimctl.ledger.summary import ChannelSummary, Entry, SessionSummary

BANDS = (0, 1)


class CsvTable(StrEnum):
    """The kind of rows in a CSV."""

    CHANNELS = "channels"
    ENTRIES = "entries"


def json_text(summary: SessionSummary, entries: Iterable[Entry]) -> str:
    """The whole session as one JSON document."""
    return json.dumps(document(summary, entries=entries), indent=2) + "\n"


def csv_of_entries(summary: SessionSummary, entries: Iterable[Entry]) -> str:
    """One row an entry."""
    return _csv({"watermark": summary.head.watermark, **asdict(entry), "body": _json(entry.body)} for entry in entries)


def csv_of_channels(summary: SessionSummary) -> str:
    """One row a channel. A session without channels gives one row with the channel left empty."""
    none = ChannelSummary(0, {}, None, None, None, None, {})
    rows = [_channel_row(summary, channel) for channel in summary.channels or (none,)]
    return _csv(rows)


def _channel_row(summary: SessionSummary, channel: ChannelSummary) -> dict[str, Any]:
    head = asdict(summary.head)
    return {
        "watermark": head.pop("watermark"),
        **head,
        "channel": channel.channel or None,
        "pair": pair_text(channel.plan),
        "needle": _json(channel.plan["needle"]) if channel.plan.get("needle") else None,
        **{name: channel.plan.get(name) for name in ("amplitude_ua", "density_uc_per_cm2", "shannon_k")},
        **dict(_band_columns(summary, channel)),
        **dict(_measured_columns(channel)),
        "held_us": summary.held_us,
        "zero_confirmed_us": summary.zero_confirmed_us,
        "counted_as_commanded": summary.agreement.get("exact"),
        "measured_agrees": summary.agreement.get("measured"),
        "entries": summary.entries,
        "last_hash": summary.last_hash,
    }


def _band_columns(summary: SessionSummary, channel: ChannelSummary) -> Iterator[tuple[str, Any]]:
    for band in BANDS:
        yield f"band_{band + 1}", summary.bands[band] if band < len(summary.bands) else None
        yield f"band_{band + 1}_us", at(summary.band_us, band)
        for name in ("planned", "commanded", "delivered"):
            dose = getattr(channel, name) or {}
            yield f"{name}_pulses_{band + 1}", at(dose.get("pulses"), band)
            yield f"{name}_charge_pc_{band + 1}", at(dose.get("charge_pc"), band)
        yield f"measured_charge_pc_{band + 1}", at((channel.measured or {}).get("charge_pc"), band)


def _measured_columns(channel: ChannelSummary) -> Iterator[tuple[str, Any]]:
    measured = channel.measured or {}
    for name in ("net_charge_pc", "max_amplitude_ua", "compliance_hits", "energy_nj"):
        yield f"measured_{name}", measured.get(name)
    for name, figures in (("applied_ua", ("min", "median", "max")), ("measured_ua", ("min", "median", "max"))):
        for figure in figures:
            yield f"{name}_{figure}", (channel.spreads.get(name) or {}).get(figure)
    for figure in ("first", "min", "median", "max"):
        yield f"ohm_{figure}", (channel.spreads.get("ohm") or {}).get(figure)


def pair_text(plan: dict[str, Any]) -> str:
    """A channel's two needles as people write them: `BL-23 left - BL-25 left`."""
    pair = plan.get("pair")
    ends = [end for end in pair if isinstance(end, dict)] if isinstance(pair, list) else []
    return " - ".join(" ".join(_end_words(end)) for end in ends)


def _end_words(end: dict[str, Any]) -> Iterator[str]:
    for name in ("point", "side", "spot"):
        if end.get(name) not in (None, "", "none"):
            yield str(end[name])


def at(values: object, index: int) -> Any:
    """One band's figure of a list, or None where there is none."""
    return values[index] if isinstance(values, list | tuple) and index < len(values) else None


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _csv(rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    # What a terminal once gave as broken text is shown as escapes, so that any program can read the file.
    return text.getvalue().encode("utf-8", "backslashreplace").decode()
