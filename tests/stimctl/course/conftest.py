"""What the tests of courses share: a ledger, a course in it, and sessions on days that they name."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stimctl.course.courses import Course, begin, courses, find
from stimctl.course.plan import plan_of
from stimctl.entries import CourseBegun
from stimctl.ledger import Ledger, new_session_id
from stimctl.profile import load


class Clock:
    """The wall clock of a ledger under test: noon of a day, by this computer's time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 12).astimezone()

    def __call__(self) -> datetime:
        return self.now

    def set(self, day: str) -> None:
        self.now = datetime.fromisoformat(f"{day}T12:00").astimezone()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    with Ledger(tmp_path / "data" / "ledger.sqlite", now=clock) as opened:
        yield opened


@pytest.fixture
def begun(ledger: Ledger) -> Callable[..., Course]:
    """Begins a course of P-17 by low-back-pain."""

    def begin_one(pseudonym: str = "P-17", *, simulated: bool = False, profile: str = "low-back-pain") -> Course:
        of = load(profile)
        ref = {"id": of.id, "version": of.version, "title": of.title, "sha256": of.sha256}
        plan = plan_of(of).record()
        body = CourseBegun(pseudonym=pseudonym, profile=ref, plan=plan, follow_up=[], simulated=simulated)
        course_id = begin(ledger, body)
        return find(courses(ledger), course_id)

    return begin_one


@pytest.fixture
def session(ledger: Ledger, clock: Clock) -> Callable[..., str]:
    """Writes one session of a course, on a day, with pain before and after it."""

    def write(
        course: str | None,
        day: str,
        pain: tuple[float | None, float | None] = (None, None),
        *,
        pseudonym: str = "P-17",
        simulator: bool = False,
        rehearsal: bool = False,
        profile: str = "low-back-pain",
        started: bool = True,
        closed: dict[str, Any] | None = None,
    ) -> str:
        clock.set(day)
        one = new_session_id(clock.now)
        opened = {"pseudonym": pseudonym, "subject": "person", "simulator": simulator, "device": {"model": "m"}}
        opened |= {"profile": {"id": profile}, "prescription": {"rehearsal": rehearsal}}
        ledger.append(one, "opened", 0, {**opened, **({"course": course} if course else {})})
        for when, score in zip(("before", "after"), pain, strict=True):
            if score is not None:
                ledger.append(one, "outcome", 0, {"when": when, "pain": score, "sensation": 0})
        if started:
            ledger.append(one, "started", 1, {"targets_ua": {"1": 1500}, "stimulation_us": 0})
        dose = {"1": {"pulses": [10, 100], "charge_pc": [9_000_000_000, 10_000_000_000]}}
        spread = {"first": 1, "min": 1, "median": 1, "max": 1}
        spreads = {"1": {"applied_ua": spread | {"max": 1500}, "ohm": spread | {"median": 812.5}}}
        body = {"end_reason": "timer", "commanded": dose, "delivered": dose, "spreads": spreads, **(closed or {})}
        ledger.append(one, "closed", 2, body)
        return one

    return write
