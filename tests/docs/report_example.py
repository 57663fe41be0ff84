"""A course for the pictures of the reports: sessions of the simulator, put into a ledger over two weeks of its own."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from stimctl.course.plan import plan_of
from stimctl.entries import AdverseEvent, CourseBegun, NoteTaken
from stimctl.ledger import Entry, Ledger
from stimctl.profile import load
from tests.stimctl.cli.terminal import STIMCTL

PSEUDONYM = "example-017"
BEGUN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAYS = (0, 3, 7, 10, 14)
AMPLITUDES_MA = (1.0, 1.2, 1.4, 1.5, 1.6)
IDS = tuple(
    f"{BEGUN + timedelta(days=day):%Y%m%d-%H%M%S}-{end}"
    for day, end in zip(DAYS, ("x3baw", "nk41p", "ta776", "r734v", "9mnsz"), strict=True)
)
COURSE = f"course-{BEGUN:%Y%m%d-%H%M%S}-c0urs"
BROKEN_OFF, AFTER_US = 3, 700_000_000  # the program of one session dies on its way
SIDES = ("left", "right")


@contextmanager
def course_ledger() -> Iterator[Ledger]:
    """Five sessions with scores, an alarm, an adverse event, a note, and one delivery that is uncertain."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        sessions = [_run(folder, number, ma) for number, ma in enumerate(AMPLITUDES_MA)]
        now = [BEGUN]
        with Ledger(folder / "course" / "ledger.sqlite", now=lambda: now[0]) as ledger:
            profile = load("low-back-pain")
            of = {"id": profile.id, "version": profile.version, "title": profile.title, "sha256": profile.sha256}
            plan = plan_of(profile).record()
            course = CourseBegun(pseudonym=PSEUDONYM, profile=of, plan=plan, follow_up=[], simulated=True)
            ledger.append(COURSE, course.kind, 0, course.body())
            for number, entries in enumerate(sessions):
                _put(ledger, now, number, entries)
            yield ledger


def _run(folder: Path, number: int, amplitude_ma: float) -> list[Entry]:
    channels = "".join(
        f'\n[[channels]]\nchannel = {channel}\nfirst = {{ point = "BL-23", side = "{side}" }}\n'
        f'second = {{ point = "BL-25", side = "{side}" }}\namplitude_ma = {amplitude_ma + 0.1 * channel:.1f}\n'
        'needle = { diameter_mm = 0.30, inserted_mm = 30, coating = "none" }\n'
        for channel, side in enumerate(SIDES, 1)
    )
    file, data = folder / f"{number}.toml", folder / f"run{number}"
    head = f'format = 1\nprofile = "low-back-pain"\nsubject = "simulator"\noperator = "AO"\npseudonym = "{PSEUDONYM}"\n'
    file.write_text(f"{head}minutes = 20\nceiling_ma = 2.0\n{channels}", "utf-8")
    arguments = ("run", "low-back-pain", "--port", "sim://", "--prescription", str(file), "--unattended")
    environment = {**os.environ, "STIMCTL_DATA": str(data)}
    subprocess.run([*STIMCTL, *arguments], check=True, env=environment, stdout=subprocess.DEVNULL)
    with Ledger(data / "ledger.sqlite", read_only=True) as ledger:
        return list(ledger.entries())


def _put(ledger: Ledger, now: list[datetime], number: int, entries: list[Entry]) -> None:
    begun, one = BEGUN + timedelta(days=DAYS[number]), IDS[number]
    for entry in entries:
        if number == BROKEN_OFF and (entry.at_us > AFTER_US or entry.kind == "closed"):
            continue
        now[0] = begun + timedelta(microseconds=entry.at_us - entries[0].at_us)
        if entry.kind == "closed":
            _before_the_end(ledger, one, number, entry.at_us)
        more = {"course": COURSE} if entry.kind == "opened" else {}
        ledger.append(one, entry.kind, entry.at_us, {**entry.body, **more})
        if entry.kind == "opened":
            ledger.append(one, "outcome", entry.at_us, {"when": "before", "pain": 7 - number})
    now[0] += timedelta(minutes=40)
    if number == BROKEN_OFF:
        ledger.mark_interrupted(one, "the program that ran it ended without closing it", {})
    elif number == 2:
        text = "Felt faint after the needles were out; lay down, well after 10 minutes."
        ledger.add(one, AdverseEvent(text=text, severity="mild", author="AO"))


def _before_the_end(ledger: Ledger, one: str, number: int, at_us: int) -> None:
    ledger.append(one, "outcome", at_us, {"when": "after", "pain": max(1, 5 - number)})
    if number == 1:
        text, action = "channel 2: contact is poor", "press the clip on, or hold"
        ledger.append(one, "alarm", at_us, {"source": "host", "priority": "MEDIUM", "text": text, "action": action})
        ledger.append(one, "note", at_us, NoteTaken(text="Clip of channel 2 changed.", author="AO").body())
