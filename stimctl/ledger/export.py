"""Exports sessions as JSON and as rows of a table, for a lab's own tools; rows as CSV, or as Parquet elsewhere.

Every row, or the top of the document, says SIMULATOR or HARDWARE, and whether the session verifies. Three forms:
`json` holds everything, hashes included, so that a copy can be checked against the ledger; `csv` of channels has one
row a channel, with a column for each band and each of planned, commanded, delivered and measured, and the standing of
the last two, so that nothing stands twice and nothing is summed; what nobody knows is empty, and never 0. `csv` of
entries has one row an entry, its body as JSON.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from stimctl.label import printable
from stimctl.ledger.columns import BANDS, CHANNEL_COLUMNS, ENTRY_COLUMNS, Columns
from stimctl.ledger.delivery import delivery_of
from stimctl.ledger.document import document
from stimctl.ledger.reading import Entry
from stimctl.ledger.standing import FigureStanding
from stimctl.ledger.summary import ChannelSummary, SessionSummary

_NO_CHANNEL = ChannelSummary(0, {}, None, None, None, None, {}, {}, {})
# Of the delivered pulses, where the host kept the counts: how many are bounded by time only, how many of those
# certainly flowed, and in how many the current was measured.
_BASIS = {"estimated": "estimated_pulses", "least": "estimated_pulses_at_least", "measured": "measured_pulses"}
# What a spreadsheet takes for a formula where a cell begins with it.
_FORMULA = ("=", "+", "-", "@")


def json_text(summary: SessionSummary, entries: Iterable[Entry]) -> str:
    """The whole session as one JSON document."""
    return json.dumps(document(summary, entries=entries), indent=2) + "\n"


def csv_of_entries(summary: SessionSummary, entries: Iterable[Entry]) -> str:
    """One row an entry."""
    return "".join(csv_lines(ENTRY_COLUMNS, entry_rows(summary, entries)))


def csv_of_channels(summary: SessionSummary) -> str:
    """One row a channel."""
    return "".join(csv_lines(CHANNEL_COLUMNS, channel_rows(summary)))


def entry_rows(summary: SessionSummary, entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    """One row an entry."""
    for entry in entries:
        row = {"watermark": summary.head.watermark, **asdict(entry), "body": _json(entry.body)}
        yield {**row, "verifies": not entry.fault}


def channel_rows(summary: SessionSummary) -> Iterator[dict[str, Any]]:
    """One row a channel. A session without channels gives one row with the channel left empty."""
    for channel in summary.channels or (_NO_CHANNEL,):
        yield _channel_row(summary, channel)


def _channel_row(summary: SessionSummary, channel: ChannelSummary) -> dict[str, Any]:
    head = asdict(summary.head)
    for name in ("delivered_pc", "delivered_standing", "stimulated_us"):
        del head[name]  # of all channels together: here each stands for itself
    standing = channel.standing.get("delivered", FigureStanding.UNKNOWN)
    return {
        "watermark": head.pop("watermark"),
        "verifies": not summary.faults,
        **head,
        "software": summary.software,
        "lacks": "; ".join(summary.lacks),
        "channel": channel.channel or None,
        "pair": pair_text(channel.plan),
        "needle": _json(channel.plan["needle"]) if channel.plan.get("needle") else None,
        **{name: channel.plan.get(name) for name in ("amplitude_ua", "density_uc_per_cm2", "shannon_k")},
        **dict(_band_columns(summary, channel)),
        "delivered_standing": channel.standing.get("delivered"),
        "delivery": str(delivery_of(summary, standing)),
        "measured_standing": channel.standing.get("measured"),
        **dict(_measured_columns(channel)),
        "held_us": summary.held_us,
        "zero_confirmed_us": summary.zero_confirmed_us,
        "zero_measured": summary.zero_measured,
        "counted_as_commanded": summary.agreement.get("exact"),
        "agreement_reason": summary.agreement.get("reason"),
        "measured_agrees": summary.agreement.get("measured"),
        "contradiction": summary.agreement.get("contradiction"),
        "entries": summary.entries,
        "last_hash": summary.last_hash,
        "does_not_verify": "; ".join(summary.faults),
        "lost_earlier": "; ".join(summary.losses),
    }


def _band_columns(summary: SessionSummary, channel: ChannelSummary) -> Iterator[tuple[str, Any]]:
    for band in BANDS:
        there = not summary.bands or band < len(summary.bands)  # the program may have one band only
        for name, figures in _of_bands(summary, channel):
            yield f"{name}_{band + 1}", at(figures, band) if there else None


def _of_bands(summary: SessionSummary, channel: ChannelSummary) -> Iterator[tuple[str, Any]]:
    """Each column that there is once for every band, with its figures by band."""
    yield "band", summary.bands
    yield "band_us", summary.band_us
    for name in ("planned", "commanded", "delivered"):
        dose = getattr(channel, name) or {}
        yield f"{name}_pulses", dose.get("pulses")
        yield f"{name}_charge_pc", dose.get("charge_pc")
    for name, column in _BASIS.items():
        unmeasured = name == "measured" and channel.measured is None  # the host's own count, of which nothing was
        yield column, None if unmeasured else channel.basis.get(name)
    yield "measured_charge_pc", (channel.measured or {}).get("charge_pc")


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


def csv_lines(columns: Columns, rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Rows as CSV, a line at a time, under one header; nothing where there is no row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: cell(value) for name, value in row.items()})
        # What a terminal once gave as broken text is shown as escapes, so that any program can read the file.
        yield text.getvalue().encode("utf-8", "backslashreplace").decode()
        text.seek(0)
        text.truncate()


def cell(value: object) -> object:
    """A value as a cell that no program takes for a formula and no terminal for an order."""
    if not isinstance(value, str):
        return value
    text = "\n".join(map(printable, value.split("\n")))
    return f"'{text}" if text.startswith(_FORMULA) else text
