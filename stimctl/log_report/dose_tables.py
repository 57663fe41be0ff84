"""The tables of a session's figures: channels and needles, the four doses, and what the device measured."""

from collections.abc import Iterator
from typing import Any

from stimctl.ledger import ChannelSummary, SessionSummary
from stimctl.ledger.export import at
from stimctl.log_report import figures as f
from stimctl.log_report.blocks import Block, DataTable, Passage
from stimctl.log_report.case import SessionCase
from stimctl.log_report.words import ReportWords
from stimctl.units import UA_PER_MA

DOSES = ("planned", "commanded", "delivered", "measured")


def used(summary: SessionSummary) -> list[ChannelSummary]:
    """The channels that were prescribed, or delivered something all the same."""
    return [channel for channel in summary.channels if channel.plan or channel.planned or _gave(channel)]


def _gave(channel: ChannelSummary) -> bool:
    delivered = channel.delivered or {}
    return any((*(delivered.get("pulses") or ()), *(delivered.get("charge_pc") or ())))


def needle_table(words: ReportWords, case: SessionCase) -> Block:
    """The needles of each channel, its current, and how dense that is at the ceiling."""
    summary = case.summary
    titrated = bool(summary.prescription.get("titrate"))
    rows = []
    for channel in used(summary):
        plan = channel.plan
        asked = f.current(plan.get("amplitude_ua"))
        rows.append(
            (
                str(channel.channel),
                f.pair(words, plan),
                f.needle(words, plan.get("needle")),
                words("value.titrated", current=asked) if titrated and asked else asked,
                f.current(case.reached_ua(channel.channel)),
                *(_decimal(plan.get(name)) for name in ("density_uc_per_cm2", "shannon_k", "rms_ma_per_cm2")),
            )
        )
    names = ("channel", "pair", "needle", "prescribed", "reached", "density", "shannon", "rms")
    head = tuple(words(f"column.{name}") for name in names)
    return (
        DataTable(head, tuple(rows), frozenset({1}), frozenset(range(3, 8)))
        if rows
        else Passage(words("text.no_channels"))
    )


def _decimal(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else ""


def band_table(words: ReportWords, case: SessionCase) -> Block:
    """Each band: its pulses' widths, how long a turn is, and how long it lasted in all."""
    summary = case.summary
    segments = f.mapping(summary.prescription.get("program")).get("segments")
    rows = []
    for index, name in enumerate(summary.bands):
        segment = f.mapping(at(segments, index))
        widths = (_us(segment.get("width_us")), _us(segment.get("second_width_us")))
        turn_us = segment.get("dwell_us")
        turn = f"{turn_us / 1e6:g} s" if isinstance(turn_us, int) and len(summary.bands) > 1 else ""
        lasted = f.clock(at(summary.band_us, index)) if case.delivery.known else ""
        rows.append((name, *widths, turn, lasted))
    head = tuple(words(f"column.{name}") for name in ("band", "width", "second", "dwell", "stimulated"))
    return DataTable(head, tuple(rows), frozenset(range(5)), frozenset(range(1, 5)))


def _us(width_us: object) -> str:
    return f"{width_us} µs" if isinstance(width_us, int) and width_us else ""


def dose_table(words: ReportWords, summary: SessionSummary) -> Iterator[Block]:
    """The four doses beside each other, by channel and band: pulses, charge, and how both are known."""
    rows = []
    for channel in used(summary):
        for index in range(len(summary.bands) or 2):
            band = at(summary.bands, index) or f"{words('column.band')} {index + 1}"
            doses = (_dose(words, channel, name, index) for name in DOSES)
            rows.append((str(channel.channel), band, *doses))
    if not rows:
        yield Passage(words("text.no_dose"))
        return
    head = tuple(words(f"column.{name}") for name in ("channel", "band", *DOSES))
    yield Passage(words("text.dose"))  # before the table, so that it never stands alone on the next page
    yield DataTable(head, tuple(rows), frozenset(range(2, 6)), frozenset(range(2, 6)))


def _dose(words: ReportWords, channel: ChannelSummary, name: str, index: int) -> str:
    dose: dict[str, Any] = getattr(channel, name) or {}
    pulses = f.count(at(dose.get("pulses"), index))
    said = [words("value.pulses", pulses=pulses) if pulses else "", f.charge(at(dose.get("charge_pc"), index))]
    if not any(said):
        told = name == "measured" and channel.delivered  # the device was asked, and measured none
        return words("value.not_measured") if told else words.of("standing", "unknown")
    standing = words.of("standing", channel.standing.get(name, name))
    basis = channel.basis if name == "delivered" else {}
    if at(basis.get("estimated"), index):
        counted, most = at(basis.get("counted"), index) or 0, at(dose.get("pulses"), index)
        least = counted + (at(basis.get("least"), index) or 0)
        standing += f"\n{words('value.bounds', least=f.count(least), most=f.count(most))}"
    return "\n".join([*(line for line in said if line), standing])


def measured_table(words: ReportWords, summary: SessionSummary) -> Block:
    """The device's measurements, channel by channel. What it does not measure is said to be so."""
    none = words("value.not_measured")
    rows = []
    for channel in used(summary):
        measured, spreads = channel.measured or {}, channel.spreads
        energy_nj = measured.get("energy_nj")
        told = (
            f.spread(words, spreads.get("measured_ua"), UA_PER_MA),
            f.spread(words, spreads.get("ohm"), 1),
            f.charge(measured.get("net_charge_pc")),
            f.count(measured.get("compliance_hits")),
            f"{energy_nj / 1e6:.2f} mJ" if isinstance(energy_nj, int) else "",
        )
        if any(told):
            rows.append((str(channel.channel), *(one or none for one in told)))
    names = ("channel", "current", "impedance", "net_charge", "rail", "energy")
    head = tuple(words(f"column.{name}") for name in names)
    return (
        DataTable(head, tuple(rows), frozenset({1, 2}), frozenset({3, 4, 5}))
        if rows
        else Passage(words("text.no_measured"))
    )
