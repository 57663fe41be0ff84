"""From what was typed to a prescription that can be run: from its file, from the log, or by questions.

The device comes first: before anybody is asked anything its port is open and it has said who it is.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from stimctl.calibration import standing_of
from stimctl.cli.ask.answers import Amount
from stimctl.cli.ask.confirm import confirmed
from stimctl.cli.ask.draft import Draft
from stimctl.cli.ask.form import HELP, Form, Unfit
from stimctl.cli.ask.prescription import PrescriptionQuestions, answers_for
from stimctl.cli.ask.screening import ScreeningQuestions
from stimctl.cli.run import wording as words
from stimctl.cli.run.again import earlier_values, last_session
from stimctl.cli.run.course import CourseOfRun
from stimctl.cli.run.device_first import OpenDevice
from stimctl.cli.session_log import session_log
from stimctl.errors import Misuse, Unsafe, WrongDevice
from stimctl.label import Label
from stimctl.ledger.files import require_room
from stimctl.ledger.heads import REHEARSAL
from stimctl.ledger.place import data_folder, ledger_is_there, ledger_path
from stimctl.prescription import (
    PaperPrescription,
    Prescription,
    Subject,
    from_file,
    from_mapping,
    paper_from_file,
    paper_from_mapping,
    subject_of,
    values_in,
)
from stimctl.prescription.plan import LIVING
from stimctl.profile import Profile, Profiles, choose, load_profiles
from stimctl.stimulators.base import Identity
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.interlocks import check_fit, check_kind, no_front_end
from stimctl.wire.codes import simulator_or_hardware

_SCORES = (("pain", "Pain"), ("sensation", "Sensation at the needles"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What was typed. `again` is a pseudonym, a session's id, or empty for whoever came last."""

    name: str | None
    url: str
    choice: DeviceChoice
    attended: bool
    file: Path | None = None
    again: str | None = None
    variant: str | None = None
    rehearse: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A prescription; what was asked with it: the open device, the scores before, the draft of the answers; and the
    course that the session joins."""

    prescription: Prescription
    values: Mapping[str, Any]
    device: OpenDevice | None = None
    before: Mapping[str, Any] | None = None
    draft: Draft | None = None
    course_id: str | None = None


def prepare(request: RunRequest, stack: ExitStack) -> PreparedRun:
    """Everything that comes before a session. `stack` closes the port when there is none."""
    profiles = load_profiles()
    given = _given(request, profiles)
    profile = choose(profiles, str(request.name if given is None else given["profile"]))
    if profile.stimulation is None:
        profile.variant(request.variant)  # raises, saying why there is nothing to stimulate
    if not request.attended and (request.rehearse or request.file is None):
        raise Misuse("the questions are asked only at a terminal; here, give a prescription with --prescription FILE")
    if request.file is not None and given is not None and given["subject"] != Subject.PERSON:
        prescription = _rehearsed(request, from_file(request.file, profiles))
        course = CourseOfRun(profile.id, profiles, rehearsal=request.rehearse, to_stderr=request.as_json)
        course.find(prescription.subject, prescription.pseudonym)
        return PreparedRun(prescription, given, course_id=course.course_id)
    device = stack.enter_context(OpenDevice(request.url, request.choice))
    identity = device.identity
    kind = REHEARSAL if request.rehearse else simulator_or_hardware(identity.simulator)
    click.echo(f"{kind}: {identity.model} {identity.serial}, firmware {identity.firmware}")
    _check_log()
    _ask_of_calibration(identity)
    return _AskedRun(request, profiles, profile, device).prepared(given)


def _check_log() -> None:
    """No session begins on a log that cannot be written or does not hold: told before anybody is asked anything."""
    path = ledger_path()
    if ledger_is_there(path):
        with session_log():
            pass
    else:
        require_room(path)


def _ask_of_calibration(identity: Identity) -> None:
    """One that does not count any more is a person's to decide, before anything else is asked."""
    today = datetime.now(UTC).date()
    standing = standing_of(data_folder(), identity.model, identity.serial, today, identity.firmware)
    if not standing.overdue:
        return
    click.secho(
        f"The {standing.overdue}." if standing.overdue.startswith("calibration") else standing.overdue, fg="yellow"
    )
    if not confirmed("Go on with this device all the same?"):
        raise Misuse("its calibration is past due, of other firmware, or cannot be read: nothing was armed")


def _given(request: RunRequest, profiles: Profiles) -> dict[str, Any] | None:
    """What stands in the file or the log; None where all is asked. Raises what cannot be run here."""
    if request.file is not None:
        values = {**values_in(request.file), "subject": subject_of(request.file)[0]}
    elif request.again is not None:
        profile_id = None if request.name is None else choose(profiles, request.name).id
        try:
            values, followed = earlier_values(request.again, profile_id, rehearsal=request.rehearse)
        except Misuse as none:
            left = _left_of(profiles if profile_id is None else [profile_id], rehearsal=request.rehearse)
            raise Misuse("; ".join([str(none), *left])) from None
        for told in _left_of([values["profile"]], rehearsal=request.rehearse):
            click.echo(f"{told[0].upper()}{told[1:]}.")
        _tell_change(choose(profiles, values["profile"]), followed)
        return values
    elif request.name is None:
        raise click.UsageError("Missing argument 'NAME': name a profile, or --again for an earlier prescription")
    else:
        return None
    subject = Subject(values["subject"])
    if subject in LIVING and not request.attended:
        raise Unsafe([no_front_end(subject)])
    paper = paper_from_file(request.file, profiles)
    _check_file(request, paper, profiles)
    if request.rehearse and subject not in LIVING:
        values = {name: value for name, value in values.items() if name != "declared_ohm"} | {"subject": "person"}
        paper_from_mapping(values, profiles, source=f"{request.file}, rehearsed on a person")
    elif not request.rehearse:
        no_simulation(request.url, subject)
    return values


def _left_of(profile_ids: Iterable[str], *, rehearsal: bool) -> list[str]:
    """Where answers of a session that never came to be wait, and how to go on from them."""
    left = [each for each in profile_ids if Draft(each, rehearsal=rehearsal).load()]
    more = " --rehearse" if rehearsal else ""
    return [f"answers of {each} were left: `stimctl run {each}{more}` goes on from them" for each in left]


def _tell_change(profile: Profile, followed: Mapping[str, Any]) -> None:
    """A prescription of another text of the profile is checked against the present one; the person should know."""
    if followed.get("sha256") != profile.sha256:
        told = f"{profile.id} {followed.get('version')} was followed then; now it is {profile.version}, with other text"
        click.secho(f"The profile has changed: {told}. Look at each answer.", fg="yellow")


def _check_file(request: RunRequest, paper: PaperPrescription, profiles: Profiles) -> None:
    file = request.file
    if request.name is not None and (meant := choose(profiles, request.name)).id != paper.profile.id:
        raise Misuse(f"{file} prescribes {paper.profile.id}, not {meant.id}: name the one that is meant")
    if request.variant is not None and paper.variant != request.variant:
        raise Misuse(f"{file} prescribes the variant {paper.variant}, not {request.variant}")


def no_simulation(url: str, subject: Subject) -> None:
    """Before any question; the session itself asks the port, whatever it is called."""
    if subject in LIVING and url.lower().startswith("sim://"):
        raise WrongDevice(f"{url} is a simulation: no {subject} can be connected to it")


def _rehearsed(request: RunRequest, prescription: Prescription) -> Prescription:
    return replace(prescription, rehearsal=True) if request.rehearse else prescription


class _AskedRun:
    """The questions of one run at a terminal."""

    def __init__(self, request: RunRequest, profiles: Profiles, profile: Profile, device: OpenDevice) -> None:
        self._request, self._profiles, self._profile, self._device = request, profiles, profile, device
        self._course = CourseOfRun(profile.id, profiles, rehearsal=request.rehearse)
        self._asked_of: str | None = None
        self._taken: set[str] = set()  # the answers that stand because they did for this subject before
        self._screening = ScreeningQuestions(
            device.now_us, lambda pseudonym: last_session(pseudonym, rehearsal=request.rehearse)
        )
        self._questions = PrescriptionQuestions(
            profile, request.variant, profiles, Subject.PERSON if request.rehearse else None, self._allowed
        )

    def prepared(self, given: dict[str, Any] | None) -> PreparedRun:
        """Ask until there is a prescription. Raises `Unsafe`, `click.Abort`."""
        click.secho(f"{self._profile.title} ({self._profile.id} {self._profile.version})", bold=True)
        click.echo(HELP)
        if self._request.file is not None and given is not None:
            form = Form(before_each=self._device.check)
            prescription, before = form.fill(lambda each: self._of_values(each, given))
            return PreparedRun(prescription, given, self._device, before, course_id=self._course.course_id)
        again_of = None if given is None else str(given["pseudonym"])
        draft = Draft(self._profile.id, rehearsal=self._request.rehearse, again_of=again_of)
        answers = draft.offered() or ({} if given is None else answers_for(given, self._profile))
        if answers:
            self._asked_of = answers.get("pseudonym")
            self._taken = set(answers) - {"subject", "pseudonym"}
        form = Form(answers, draft.save, self._device.check)
        values, (prescription, before) = form.fill(self._everything)
        return PreparedRun(prescription, values, self._device, before, draft, self._course.course_id)

    def _allowed(self, subject: Subject) -> None:
        if not self._request.rehearse:
            no_simulation(self._request.url, subject)
        check_kind(subject, self._device.identity, rehearsal=self._request.rehearse)

    def _everything(self, form: Form) -> tuple[dict[str, Any], tuple[Prescription, dict[str, Any] | None]]:
        subject, pseudonym = self._questions.who(form)
        if self._asked_of not in (None, pseudonym):  # a slip was put right: nothing of the other person stays
            form.forget(self._taken)
            self._taken = set()
        self._asked_of = pseudonym
        self._take_settings(form, self._course.find(subject, pseudonym))
        if subject is Subject.PERSON:
            self._screening.of_person(form, pseudonym)
        values = self._questions.rest(form, subject, pseudonym)
        return values, self._finish(form, values)

    def _take_settings(self, form: Form, last: tuple[Mapping[str, Any], Mapping[str, Any]] | None) -> None:
        """What stood in the last session of the course stands again, but for what was answered already."""
        if last is not None:
            values, followed = last
            _tell_change(self._profile, followed)
            self._taken |= form.take(answers_for(values, self._profile))
            if self._taken:
                click.echo("Its settings are those of the last session: the list at the end changes any of them.")

    def _of_values(self, form: Form, values: dict[str, Any]) -> tuple[Prescription, dict[str, Any] | None]:
        """A person's file: the screening alone is asked."""
        self._allowed(Subject(values["subject"]))
        self._course.find(Subject(values["subject"]), Label(values["pseudonym"]))
        self._screening.of_person(form, values["pseudonym"])
        return self._finish(form, values)

    def _finish(self, form: Form, values: dict[str, Any]) -> tuple[Prescription, dict[str, Any] | None]:
        paper = paper_from_mapping(values, self._profiles, source="the answers")
        try:
            check_fit(paper, self._device.identity)
        except WrongDevice as wrong:
            raise Unfit(str(wrong)) from None
        if paper.subject is not Subject.PERSON:
            return _rehearsed(self._request, from_mapping(values, self._profiles)), None
        placed = [*words.plan_lines(paper), *(f"! {flag}" for flag in paper.flags)]
        screened = self._screening.of_needles(form, paper.pseudonym, placed)
        prescription = from_mapping(values, self._profiles, source="the answers", screening=screened)
        return _rehearsed(self._request, prescription), ask_scores(form, "before")


def ask_scores(form: Form, when: str) -> dict[str, Any]:
    """Pain and sensation, 0 to 10, `before` or `after`."""
    form.note(click.style(f"\nScores {when} the session", bold=True))
    scores = {name: form.ask(f"score {name}", title, Amount(title, 0, 10), of_moment=True) for name, title in _SCORES}
    return {"when": when, **scores}
