"""How a session ended, for a person: the dose, the reason, the zero, and where the log is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from stimctl.cli.agreement import agreement_text
from stimctl.cli.run.wording import end_sentence
from stimctl.cli.table import pairs, table
from stimctl.ledger.anchor import Mark
from stimctl.ledger.standing import of_channel
from stimctl.prescription import Prescription
from stimctl.session.states import End
from stimctl.session.view import Alarm, Priority, SessionReport
from stimctl.units import charge_text, clock_text, counted, hz_text, ma_text
from stimctl.wire.codes import simulator_or_hardware

_MISSING = "-"
_REHEARSAL = "REHEARSAL, on a simulator: nobody was treated, and no current flowed into anything real"
_NOTHING_ARMED = "never armed; nothing was delivered"
# Ends that say nothing of what is at the port.
_ASKED_FOR = frozenset({End.OPERATOR, End.SIGNAL, End.ELSEWHERE, End.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class SavedFiles:
    """Where what a session left behind is."""

    log: Path
    picture: Path | None = None
    traffic: Path | None = None
    # Why the log has not got the whole of it.
    log_fault: str | None = None
    # Ids of earlier sessions that had been cut short and are closed now, and what was told of doses fetched.
    interrupted: tuple[str, ...] = ()
    recovered: tuple[str, ...] = ()
    # Whether the device was taken for a native one: if none was identified, another kind may be there.
    native: bool = True
    # Number and hash of the log's newest entry, to be noted elsewhere, and what was found lost at the start.
    head: Mark | None = None
    lost: str | None = None
    # Why the record of the traffic is not whole.
    traffic_fault: str | None = None


def summary_text(prescription: Prescription, report: SessionReport, files: SavedFiles) -> str:
    """The summary as it is printed."""
    rows = [row for plan in prescription.channels for row in _rows(prescription, report, plan.channel)]
    doses = table(_HEADERS, rows)
    return "\n\n".join(["", pairs(_facts(prescription, report, files)), doses, pairs(_places(report, files))])


def _facts(prescription: Prescription, report: SessionReport, files: SavedFiles) -> list[tuple[str, object]]:
    profile = prescription.profile
    told = simulator_or_hardware(report.simulator, "not known: no device was identified")
    unreal = ": no current flowed into anything real" if report.simulator else ""
    rows: list[tuple[str, object]] = [
        ("this was", _REHEARSAL if prescription.rehearsal else told + unreal),
        ("profile", f"{profile.title} ({profile.id} {profile.version})"),
        ("ended", end_sentence(report.end, report.end_text)),
        *_advice(report, files),
        ("zero output", _zero(report)),
        ("stimulation", _stimulation(prescription, report)),
        ("on hold", clock_text(report.held_us)),
        *_reached(report),
        *_compared(report),
        *_highest(report),
        *([("contradiction", report.agreement["contradiction"])] if report.agreement.get("contradiction") else []),
    ]
    rows += [(f"{alarm.priority.name} alarm", _alarm(alarm)) for alarm in report.alarms]
    rows += [("earlier", f"session {each} had been cut short; the log says so now") for each in files.interrupted]
    rows += [("earlier", told) for told in files.recovered]
    return rows


def _advice(report: SessionReport, files: SavedFiles) -> list[tuple[str, object]]:
    """What to try where nobody answered, or somebody else did."""
    if report.simulator is not None or not files.native or report.end in _ASKED_FOR:
        return []
    return [("to try", "if it is a StimJim or a PulsePal, name it with --device")]


def _reached(report: SessionReport) -> list[tuple[str, object]]:
    """The amplitude that was reached beside the one asked for, by what was commanded."""
    if not report.armed:
        return []
    rows: list[tuple[str, object]] = []
    for channel, reached_ua in sorted(report.reached_ua.items()):
        target_ua = report.targets_ua[channel]
        if not target_ua and not reached_ua:
            continue  # a titration that nobody raised
        text = f"{ma_text(reached_ua)} reached, {ma_text(target_ua)} asked for"
        rows.append((f"channel {channel}", f"{text}: NOT REACHED" if reached_ua < target_ua else text))
    return rows


def _compared(report: SessionReport) -> list[tuple[str, object]]:
    """Whether counted, commanded and measured agree; there is nothing to compare where nothing was armed."""
    if not report.armed:
        return []
    return [
        ("counted", f"{_source(report)}, exactly what was commanded: {_agreement(report, 'exact')}"),
        *_origins(report),
        ("measured", f"charge within the device's stated accuracy: {_agreement(report, 'measured')}"),
    ]


def _zero(report: SessionReport) -> str:
    if report.zero_confirmed_us is None:
        return _red("NOT CONFIRMED: pull the leads and look at the device")
    how = "measured and confirmed" if report.zero_measured else "acknowledged by the device, NOT measured,"
    return f"{how} {report.zero_confirmed_us / 1000:.0f} ms after the stop"


def _red(text: str) -> str:
    return click.style(text, fg="red", bold=True)


def _source(report: SessionReport) -> str:
    return "by the device" if report.kept is None else f"from {report.kept['source']}"


def _origins(report: SessionReport) -> list[tuple[str, object]]:
    """What the figures rest on, where the device holds no counts."""
    if report.kept is None:
        return []
    gaps = report.kept["handovers"]
    longest, mean = (f"{gaps[name] / 1000:g} ms" for name in ("max_us", "mean_us"))
    times = f"{counted(gaps['leases'], 'time')}, at most {longest}, {mean} in the mean"
    rows: list[tuple[str, object]] = [("hand-over gaps", times)]
    for channel, basis in sorted(report.kept["channels"].items()):
        if any(basis["estimated"]):
            most, least = sum(basis["estimated"]), sum(basis["least"])
            said = f"{most:,} of its pulses are ESTIMATED by time after a stop: at least {least:,} of them flowed"
            rows.append((f"channel {channel}", said))
        if report.measured is not None and sum(basis["measured"]) != sum(basis["counted"]) + sum(basis["estimated"]):
            rows.append(
                (f"channel {channel}", f"current was measured in {counted(sum(basis['measured']), 'pulse')} only")
            )
    return rows


def _stimulation(prescription: Prescription, report: SessionReport) -> str:
    if not report.armed:
        return f"{clock_text(0)}, {_NOTHING_ARMED}"
    given = f"{clock_text(sum(report.band_us))} of {clock_text(prescription.stimulation_us)}"
    if report.delivered is None:
        return f"unknown of {clock_text(prescription.stimulation_us)}: the device did not tell its count"
    bands = zip(prescription.program.segments, report.band_us, strict=False)
    return f"{given} ({', '.join(f'{hz_text(segment.period_us)} {clock_text(us)}' for segment, us in bands)})"


def _alarm(alarm: Alarm) -> str:
    loud = alarm.priority is Priority.HIGH
    return click.style(f"{alarm.text}; {alarm.action}", fg="red" if loud else None, bold=loud)


def _agreement(report: SessionReport, name: str) -> str:
    return agreement_text(report.agreement, name, unknown="could not be compared")


_HEADERS = ("CHANNEL", "", "PLANNED", "COMMANDED", "DELIVERED", "MEASURED")


def _rows(prescription: Prescription, report: SessionReport, channel: int) -> list[list[str]]:
    """Pulses and charge of each band, and of both where there are two: one column for each kind of dose."""
    every = (report.planned, report.commanded, report.delivered, report.measured)
    doses = [(dose or {}).get(str(channel)) for dose in every]
    marks = (None, None, _mark(report, channel), "")
    bands = [(hz_text(segment.period_us), [index]) for index, segment in enumerate(prescription.program.segments)]
    if len(bands) > 1:
        bands.append(("all", [0, 1]))
    return [
        [
            str(channel),
            f"{name} {what}",
            *(_cell(dose, what, indexes, mark) for dose, mark in zip(doses, marks, strict=True)),
        ]
        for name, indexes in bands
        for what in ("pulses", "charge")
    ]


def of_dose(report: SessionReport, channel: str) -> dict[str, str]:
    """How the delivered and measured figures of a channel are known."""
    delivered, measured = (dose or {} for dose in (report.delivered, report.measured))
    return of_channel(channel, delivered.get(channel), measured.get(channel), report.kept or {})


def _mark(report: SessionReport, channel: int) -> str:
    """What a delivered figure rests on."""
    return f" {of_dose(report, str(channel))['delivered']}"


def _cell(dose: Mapping[str, Any] | None, what: str, indexes: list[int], mark: str | None) -> str:
    """A figure and what it rests on; None where that goes without saying, and nobody had to find it out."""
    if dose is None:
        return _MISSING if mark is None else f"{_MISSING} unknown"
    if what == "charge":
        return charge_text(sum(dose["charge_pc"][index] for index in indexes)) + (mark or "")
    # Pulses are counted, not measured.
    return f"{sum(dose['pulses'][index] for index in indexes):,}{mark or ''}" if "pulses" in dose else ""


def _highest(report: SessionReport) -> list[tuple[str, object]]:
    return [
        (
            f"channel {channel}",
            f"highest {ma_text(found['max_amplitude_ua'])}, net charge {charge_text(found['net_charge_pc'])}, "
            + (
                "from the means of its leases"
                if report.kept is not None
                else f"{found['energy_nj'] / 1e6:.2f} mJ, at the rail {counted(found['compliance_hits'], 'time')}"
                " (all measured)"
            ),
        )
        for channel, found in sorted((report.measured or {}).items())
    ]


def _places(report: SessionReport, files: SavedFiles) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [
        ("session", report.session_id),
        ("log", files.log),
        ("to see it", f"stimctl log show {report.session_id}"),
        *([("log head", f"entry {files.head.number}, {files.head.hash.hex()}")] if files.head else []),
        *([("log lost", files.lost)] if files.lost else []),
    ]
    if files.log_fault is not None:
        rows = [("session", report.session_id), ("log", _red(f"NOT WHOLE: {files.log_fault}; keep this summary"))]
    elif report.simulator is None:
        rows = [("log", f"{files.log} holds no entry of it: no device was identified")]
    if files.picture is not None:
        rows.append(("picture", files.picture))
    if files.traffic is not None:
        fault = files.traffic_fault
        told = _red(f"NOT WHOLE: {fault}") if fault else f"stimctl traffic show {files.traffic}"
        rows.append(("traffic", f"{files.traffic} ({told})"))
    return rows
