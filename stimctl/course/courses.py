"""The courses that the ledger holds: each is its entries, in order, and what they come to.

A course is begun by one entry; whatever is said of it later (a correction, a note, its end) is a new one, and nothing
that was written is changed. Its id stands where a session's does: `course-20260131-142501-7k3fq`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stimctl.course.plan import CoursePlan, mapping, read_plan
from stimctl.entries import CourseBegun, CourseChanged, CourseEnded, LogEntry
from stimctl.errors import Misuse
from stimctl.ledger import Entry, Ledger, new_session_id
from stimctl.profile import Profile

PREFIX = "course-"


@dataclass(frozen=True, slots=True)
class Course:
    """One course. `counts` are the sessions that a person has put in or taken out; `remarks` every entry but the
    first. `faults` says what of it does not verify; then none of it can be relied on."""

    course_id: str
    pseudonym: str
    profile: Mapping[str, Any]
    plan: CoursePlan
    follow_up: tuple[str, ...]
    simulated: bool
    begun_utc: str
    author: str | None
    counts: Mapping[str, bool] = field(default_factory=dict)
    ended: str | None = None
    remarks: tuple[Entry, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def profile_id(self) -> str:
        return str(self.profile.get("id"))

    def change_of_profile(self, profiles: Mapping[str, Profile]) -> str | None:
        """That its profile's text is another one than the plan was made from, in a sentence; None if it is not."""
        now = profiles.get(self.profile_id)
        if now is None:
            return (
                f"the profile {self.profile_id}, from which its plan was made, is not on this computer or has a fault"
            )
        if now.sha256 == self.profile.get("sha256"):
            return None
        then = self.profile.get("version")
        other = f"was {then} and is {now.version}" if now.version != then else f"is still {then}, with other text"
        return (
            f"the profile {self.profile_id} has changed since the plan was made: it {other}; the plan stays as it was "
            "made (`stimctl course correct` changes it)"
        )

    @property
    def watermark(self) -> str:
        """What stands over whatever is shown of it."""
        return "SIMULATED" if self.simulated else "COURSE"


def courses(ledger: Ledger) -> list[Course]:
    """Every course, oldest first."""
    entries: dict[str, list[Entry]] = {}
    for entry in ledger.of_courses():
        entries.setdefault(entry.session_id, []).append(entry)
    doubt = ledger.doubt(listed=True) if entries else None
    found = []
    for course_id, each in entries.items():
        doubts = [*([doubt] if doubt else []), *ledger.afterwards().of_course(each[0].number)]
        found.append(_read(course_id, each, doubts))
    return [each for each in found if each is not None]


def _read(course_id: str, entries: list[Entry], doubts: list[str]) -> Course | None:
    """What its entries come to; None where the first of them is not there any more."""
    begun = next((entry for entry in entries if entry.kind == CourseBegun.kind), None)
    if begun is None:
        return None
    said = CourseBegun.read(begun.body)
    plan, ended = read_plan(said.plan), None
    counts: dict[str, bool] = {}
    for entry in entries:
        if entry.kind == CourseChanged.kind:
            change = CourseChanged.read(entry.body)
            plan, counts = plan.changed(change.plan), {**counts, **mapping(change.counts)}
        elif entry.kind == CourseEnded.kind:
            ended = CourseEnded.read(entry.body).why
    return Course(
        course_id=course_id,
        pseudonym=str(said.pseudonym),
        profile=mapping(said.profile),
        plan=plan,
        follow_up=tuple(said.follow_up) if isinstance(said.follow_up, list) else (),
        simulated=bool(said.simulated),
        begun_utc=begun.utc,
        author=said.author,
        counts=counts,
        ended=ended,
        remarks=tuple(entry for entry in entries if entry is not begun),
        faults=(*doubts, *(entry.fault for entry in entries if entry.fault)),
    )


def find(found: Iterable[Course], who: str) -> Course:
    """The course of a pseudonym (the one that goes on, else the newest), or of an id or its end. Raises `Misuse`, also
    where several go on: what is meant for one of them is not written to another."""
    every = list(found)
    of_subject = [each for each in every if each.pseudonym == who]
    if len(goes_on := [each for each in of_subject if each.ended is None]) > 1:
        named = "; ".join(f"{each.course_id}: {each.profile_id}, {each.watermark}" for each in goes_on)
        raise Misuse(f"{who} follows {len(goes_on)} courses ({named}): name one by its id, or the end of it")
    if of_subject:
        return max(of_subject, key=lambda each: (each.ended is None, each.begun_utc))
    by_id = [each for each in every if who and (each.course_id == who or each.course_id.endswith(who))]
    if len(by_id) == 1:
        return by_id[0]
    if not every:
        raise Misuse("the ledger holds no course yet; `stimctl course new` begins one")
    known = ", ".join(dict.fromkeys(each.pseudonym for each in every))
    raise Misuse(f"{who!r} means {len(by_id) or 'no'} course{'s' * (len(by_id) != 1)}; there are courses of {known}")


def going_on(found: Iterable[Course], pseudonym: str, profile_id: str, *, simulated: bool) -> Course | None:
    """The course that a session of this subject, profile and kind joins; None where there is none."""
    fits = [
        each
        for each in found
        if each.ended is None
        and (each.pseudonym, each.profile_id, each.simulated) == (pseudonym, profile_id, simulated)
    ]
    return fits[-1] if fits else None


def begin(ledger: Ledger, begun: CourseBegun) -> str:
    """Write a course's first entry; its id. Raises `Misuse` where the subject follows such a course already."""
    other = going_on(courses(ledger), begun.pseudonym, str(begun.profile["id"]), simulated=begun.simulated)
    if other is not None:
        raise Misuse(
            f"{begun.pseudonym} follows {other.profile_id} already, in {other.course_id}: `stimctl course correct` "
            "changes its plan, `stimctl course end` ends it"
        )
    course_id = PREFIX + new_session_id()
    ledger.append(course_id, begun.kind, 0, begun.body())
    return course_id


def add(ledger: Ledger, course: Course, entry: LogEntry) -> int:
    """Write what is said of a course later. Raises `Misuse` where it has ended and this would change it."""
    if course.ended is not None and isinstance(entry, CourseChanged | CourseEnded):
        raise Misuse(f"{course.course_id} has ended ({course.ended}): notes can be added to it, and nothing else")
    return ledger.add(course.course_id, entry)
