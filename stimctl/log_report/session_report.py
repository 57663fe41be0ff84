"""The report of one session, in blocks."""

from collections.abc import Iterator, Sequence
from functools import partial

from stimctl.label import printable
from stimctl.ledger.delivery import DeliveryState
from stimctl.ledger.heads import REHEARSAL, RUNNING
from stimctl.ledger.moments import local_and_utc
from stimctl.log_report import figures as f
from stimctl.log_report import happenings as h
from stimctl.log_report.blocks import Block, FactList, LogReport, Passage, Plot, ReportSection, SignatureLines
from stimctl.log_report.case import LedgerHead, SessionCase
from stimctl.log_report.dose_tables import band_table, dose_table, measured_table, needle_table
from stimctl.log_report.figures import mapping
from stimctl.log_report.words import ReportWords
from stimctl.profile import Profile

Facts = Iterator[tuple[str, str]]


def session_report(
    words: ReportWords, case: SessionCase, head: LedgerHead, profile: Profile | None, made: str, tool: str
) -> LogReport:
    """All that the log holds of one session. `profile` is the file that it followed, where it is on this computer."""
    summary = case.summary
    sections = _sections(words, case, head, profile)
    return LogReport(
        language=words.language,
        title=words("title.session"),
        subtitle=f"{summary.head.profile_id or ''}  {summary.head.session_id}".strip(),
        marks=marks(words, {case.mark}, verifies=not summary.faults),
        said=(words(f"mark.{case.mark}_said"),) if case.mark else (),
        warnings=tuple(_warnings(words, case)),
        sections=tuple(ReportSection(words(f"section.{name}"), blocks) for name, blocks in sections.items()),
        page_of=words("foot.page"),
        foot=foot(words, made, tool),
    )


def _sections(
    words: ReportWords, case: SessionCase, head: LedgerHead, profile: Profile | None
) -> dict[str, tuple[Block, ...]]:
    summary = case.summary
    return {
        "session": (_facts(_session(words, case)),),
        "device": (_facts(_device(words, case)),),
        "profile": (_facts(_profile(words, case, profile)),),
        "prescription": (
            _facts(_prescription(words, case)),
            needle_table(words, case),
            band_table(words, case),
        ),
        "delivery": (_delivered(words, case), _facts(_delivery(words, case))),
        "dose": tuple(dose_table(words, summary)),
        "measured": (measured_table(words, summary),),
        "plots": (_plot(words, case),),
        "safety": (_facts(h.checks(words, case)),),
        "alarms": tuple(h.alarms(words, case)),
        "adverse": (h.written(words, "adverse", [case]),),
        "scores": (h.scores(words, case),),
        "notes": (h.written(words, "note", [case]),),
        "screening": tuple(h.screening(words, case)),
        "events": (h.events(words, case),),
        "proof": (_facts(_proof(words, case, head)), Passage(words("text.proof"))),
        "signatures": signature_lines(words),
    }


def marks(words: ReportWords, found: set[str], *, verifies: bool) -> tuple[str, ...]:
    """The words that are printed across each page."""
    names = [name for name in (REHEARSAL, "SIMULATOR", "UNKNOWN") if name in found]
    names += ["SIMULATOR"] if REHEARSAL in found and "SIMULATOR" not in found else []
    return (*(() if verifies else (words("mark.unverified"),)), *(words(f"mark.{name}") for name in names))


def foot(words: ReportWords, made: str, tool: str) -> tuple[str, ...]:
    """The lines below each page."""
    return words("foot.made", made=made, tool=tool), f"{words('foot.disclaimer')} {words('foot.as_written')}"


def signature_lines(words: ReportWords) -> tuple[Block, ...]:
    """Lines to sign by hand, and what they stand for."""
    head = tuple(words(f"column.{name}") for name in ("role", "name", "signature", "date"))
    roles = words("role.operator"), words("role.clinician")
    return SignatureLines(head, roles), Passage(words("text.signatures"))


def faults_said(words: ReportWords, *cases: SessionCase, more: Sequence[str] = ()) -> Iterator[str]:
    """Faults and losses as warnings; none where all is sound."""
    faults = [*(fault for case in cases for fault in case.summary.faults), *more]
    if faults:
        yield "\n".join([words("mark.unverified_said"), *map(printable, dict.fromkeys(faults))])
    losses = [loss for case in cases for loss in case.summary.losses]
    if losses:
        yield "\n".join([words("mark.lost_said"), *map(printable, dict.fromkeys(losses))])


def proof_of_head(words: ReportWords, head: LedgerHead) -> Facts:
    """The newest entry of the log, and its anchor."""
    yield words("label.head"), words("value.head", number=head.newest.number, hash=head.newest.hash.hex())
    anchor = head.anchor
    told = words("value.anchor", number=anchor.number, hash=anchor.hash.hex()) if anchor else words("value.no_anchor")
    yield words("label.anchor"), told


def _warnings(words: ReportWords, case: SessionCase) -> Iterator[str]:
    yield from faults_said(words, case)
    if case.summary.head.state == RUNNING:
        yield words("mark.running_said")


def _facts(rows: Facts) -> FactList:
    return FactList(tuple(rows))


def _session(words: ReportWords, case: SessionCase) -> Facts:
    head, summary = case.summary.head, case.summary
    yield words("label.id"), head.session_id
    yield words("label.subject"), words.of("kind", head.subject)
    yield words("label.pseudonym"), printable(head.pseudonym or "")
    yield words("label.operator"), printable(head.operator or "")
    yield from _times(words, case)
    yield words("label.state"), words.of("state", head.state)
    yield words("label.end"), h.ended(words, case)
    yield words("label.software"), printable(summary.software or "")


def _times(words: ReportWords, case: SessionCase) -> Facts:
    head = case.summary.head
    if head.fetched_utc:
        yield words("label.fetched"), local_and_utc(head.fetched_utc)
        yield words("label.started"), words("value.unknown")
        return
    yield words("label.started"), local_and_utc(head.started_utc)
    if head.ended_utc:
        yield words("label.ended"), local_and_utc(head.ended_utc)
    elif head.closed_utc:
        yield words("label.ended"), words("value.cut_short")
        yield words("label.last_seen"), local_and_utc(head.last_seen_utc) if head.last_seen_utc else ""
        yield words("label.closed"), local_and_utc(head.closed_utc)
    if head.duration_us is not None:
        lasted = f.clock(head.duration_us)
        yield words("label.lasted"), words("value.virtual", time=lasted) if head.clock == "virtual" else lasted


def _device(words: ReportWords, case: SessionCase) -> Facts:
    head = case.summary.head
    values = head.device_model, head.device_serial, head.device_firmware, head.device_calibrated_on, case.summary.url
    for name, value in zip(("model", "serial", "firmware", "calibrated", "line"), values, strict=True):
        yield words(f"label.{name}"), printable(value or words("value.unknown"))
    if case.summary.calibration:
        none = case.summary.calibration == "none"
        yield words("label.calibration"), words("value.none") if none else printable(case.summary.calibration)
    if case.summary.lacks:
        yield words("label.lacks"), "\n".join(map(printable, case.summary.lacks))


def _profile(words: ReportWords, case: SessionCase, profile: Profile | None) -> Facts:
    head, named = case.summary.head, mapping(case.opened.get("profile"))
    yield words("label.profile"), printable(" ".join(str(one) for one in (named.get("title"), head.profile_id) if one))
    yield words("label.version"), printable(head.profile_version or "")
    yield words("label.variant"), printable(named.get("variant") or "")
    yield words("label.sha256"), printable(head.profile_sha256 or "")
    if profile is None:
        told = words("value.other_file")
    elif profile.source is None:
        told = words("value.no_source")
    else:
        told = words("value.source_is", title=profile.source.title, section=profile.source.section)
        told += f"\nSHA-256 {profile.source.sha256}"
    yield words("label.source"), told


def _prescription(words: ReportWords, case: SessionCase) -> Facts:
    rx = case.summary.prescription
    yield words("label.pattern"), printable(rx.get("mode") or "")
    yield words("label.time"), f.clock(rx.get("stimulation_us"))
    yield words("label.ceiling"), f.current(rx.get("ceiling_ua"))
    program = mapping(rx.get("program"))
    slope, down_us = program.get("ramp_slope_ua_per_s"), program.get("ramp_down_us")
    if isinstance(slope, int) and isinstance(down_us, int):
        yield words("label.ramp"), words("value.ramp", ma=f"{slope / 1000:g}", seconds=f"{down_us / 1e6:g}")
    origins = mapping(rx.get("provenance")).items()
    if origins:
        listed = (f"{words.of('origin', name)}: {words.of('origin', origin)}" for name, origin in origins)
        yield words("label.origins"), ", ".join(listed)
    clinician = mapping(rx.get("clinician"))
    if clinician:
        yield words("label.clinician"), printable(clinician.get("name") or "")
    if rx.get("approval"):
        yield words("label.approval"), printable(rx["approval"])
    flags = rx.get("flags")
    if isinstance(flags, list) and flags:
        yield words("label.flags"), "\n".join(map(printable, flags))


def _delivered(words: ReportWords, case: SessionCase) -> Passage:
    loud = case.delivery.state is DeliveryState.UNCERTAIN
    return Passage(words(f"delivery.{case.delivery.reason}_said"), loud)


def _delivery(words: ReportWords, case: SessionCase) -> Facts:
    summary = case.summary
    yield words("label.delivery"), words(f"delivery.{case.delivery.state}")
    numbers = ", ".join(map(str, case.delivery.numbers)) or words("value.none")
    yield words("label.device_session"), words("value.no_number") if case.readings.by_lease else numbers
    if summary.kept:
        evidence, source = (
            words.of("standing", summary.kept.get("evidence")),
            printable(summary.kept.get("source") or ""),
        )
        yield words("label.basis"), f"{evidence}: {source}"
    stimulated = f.clock(summary.head.stimulated_us)
    if stimulated and case.delivery.state is DeliveryState.UNCERTAIN:
        stimulated += f", {words.of('standing', 'commanded')}"
    yield words("label.stimulated"), stimulated or words("value.unknown")
    yield words("label.held"), f.clock(summary.held_us) or words("value.unknown")


def _plot(words: ReportWords, case: SessionCase) -> Block:
    readings = case.readings
    there = {
        "A": bool(readings.applied or readings.measured),
        "B": bool(readings.impedance),
        "C": bool(readings.charge),
        "D": bool(readings.bands),
    }
    if not any(there.values()):
        return Passage(words("text.no_readings"))
    more = {
        "A": words("text.plots_A_lease" if readings.by_lease else "text.plots_A_more"),
        "C": words("text.plots_C_lease" if readings.by_lease else "text.plots_C_counted"),
    }
    said = [
        f"{words(f'text.plots_{letter}')} {more.get(letter, '')}".strip() for letter, drawn in there.items() if drawn
    ]
    names = zip(("current", "impedance", "charge", "bands"), there.values(), strict=True)
    lack = ", ".join(words(f"text.lack_{name}") for name, drawn in names if not drawn)
    told = [words("text.plots_lack", lack=lack)] if lack else []
    return Plot(partial(_drawn, case), " ".join([*said, words("text.plots_more"), *told]))


def _drawn(case: SessionCase) -> str:
    from stimctl.log_report.plots import session_svg

    return session_svg(case.readings, case.summary.bands)


def _proof(words: ReportWords, case: SessionCase, head: LedgerHead) -> Facts:
    summary = case.summary
    yield words("label.verifies"), words("value.verifies_not" if summary.faults else "value.verifies")
    first, last = summary.first_number, summary.last_number
    yield words("label.entries"), words("value.count", entries=summary.entries, first=first, last=last)
    yield words("label.last_hash"), summary.last_hash
    yield from proof_of_head(words, head)
    for entry in case.remarks("signed"):
        body = entry.body
        who, key = body.get("signer") or words("value.unknown"), str(body.get("public_key"))[:16]
        yield words("label.signed"), words("value.signed", number=body.get("number"), signer=who, key=key)
