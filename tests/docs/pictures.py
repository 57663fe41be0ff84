"""The pictures of the documents, made from the real thing: `make pictures`.

    python -m tests.docs.pictures [plan] [live-screen] [conformance] [trend] [reports]      all, where none is named

Each is what a command shows on the simulator. The live screen is a session on a real terminal, the head of a report of
conformance a page in Chromium, which has to be on the machine; a Chinese font, too, for the pages of a clinic's reports
(Debian: apt-get install chromium fonts-wqy-microhei).
"""

import io
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from functools import partial
from itertools import groupby
from pathlib import Path

import pyte
from PIL import Image
from rich.console import Console
from rich.text import Text

from stimctl.api import Session
from stimctl.ledger import Ledger, ledger_path
from stimctl.log_report import LANGUAGES
from stimctl.log_report.as_typst import typeset
from stimctl.log_report.case import by_plan, case_of, cases_of, head_of
from stimctl.log_report.course_report import course_report
from stimctl.log_report.session_report import session_report
from stimctl.log_report.words import ReportWords
from stimctl.prescription import from_mapping, values_in
from stimctl.profile import load, load_profiles
from tests.docs.report_example import IDS, PSEUDONYM, course_ledger
from tests.stimctl.cli.terminal import STIMCTL, Terminal

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
PRESCRIPTION = str(ROOT / "profiles" / "examples" / "low-back-pain.toml")
COLUMNS, LINES = 100, 14
_NAMES = {"brown": "yellow", "brightbrown": "bright_yellow"}  # as rich calls a terminal's colours


def plan() -> None:
    """A prescription's pulses, pattern and session, by `stimctl preview`."""
    _stimctl("preview", "low-back-pain", "--prescription", PRESCRIPTION, "-o", str(PICTURES / "plan.png"))


def live_screen() -> None:
    """A session's screen at full amplitude, by `stimctl run` on a terminal."""
    arguments = ("run", "low-back-pain", "--port", "sim://?pace=real&seed=1", "--prescription", PRESCRIPTION)
    with (
        tempfile.TemporaryDirectory() as home,
        Terminal(*arguments, columns=COLUMNS, lines=LINES, environment={"STIMCTL_DATA": home}) as terminal,
    ):
        terminal.wait_for("connect the leads, then press Enter")
        terminal.press("\r")
        terminal.wait_for("press Enter to start the ramp")
        terminal.watch(1.0)  # a key pressed before counts as held down
        terminal.press("\r")
        terminal.wait_for(r"1\.50 mA +1\.50 mA +1\.\d\d mA")
        terminal.watch(6.0)
        screen = pyte.Screen(COLUMNS, LINES)
        pyte.Stream(screen).feed(terminal.shown)
        terminal.press("q")
        terminal.ended()
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), color_system="truecolor")
    for number in range(LINES):
        console.print(_line(screen, number), no_wrap=True)
    drawn = console.export_svg(title="stimctl run low-back-pain", unique_id="live-screen")
    # The letters are the reader's own: nothing is fetched to show them.
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    (PICTURES / "live-screen.svg").write_text("\n".join(map(str.rstrip, drawn.splitlines())) + "\n", "utf-8")


def _line(screen: pyte.Screen, number: int) -> Text:
    cells = [screen.buffer[number][column] for column in range(COLUMNS)]
    runs = groupby(cells, key=lambda cell: cell._replace(data=""))
    return Text.assemble(*(("".join(cell.data for cell in run), _style(like)) for like, run in runs))


def _style(cell: pyte.screens.Char) -> str:
    return f"{'bold ' * cell.bold}{'reverse ' * cell.reverse}{_colour(cell.fg)} on {_colour(cell.bg)}"


def _colour(name: str) -> str:
    name = _NAMES.get(name, name)
    return f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else re.sub("^bright(?=[a-z])", "bright_", name)


def conformance() -> None:
    """The head of a report, by `stimctl conformance` and Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.html")
        _stimctl("conformance", "--port", "sim://", "--html", str(report))
        page(report, PICTURES / "conformance.png")


def trend() -> None:
    """Seven visits of a simulated course, by `stimctl course trend`: the sessions are played, the scores made up."""
    days = ("03-02", "03-05", "03-09", "03-12", "03-16", "03-20", "03-23")
    values = values_in(Path(PRESCRIPTION)) | {"pseudonym": "S-1"}
    with tempfile.TemporaryDirectory() as home:
        _stimctl("course", "--data", home, "new", "S-1", "low-back-pain", "--simulated")
        for number, day in enumerate(days):
            values["channels"][0]["amplitude_ma"] = 1.2 + 0.1 * min(number, 4)
            with Ledger(
                ledger_path(Path(home)), now=partial(datetime.fromisoformat, f"2026-{day}T12:00:00+00:00")
            ) as ledger:
                (course,) = {entry.session_id for entry in ledger.of_courses()}
                rx = from_mapping(values, load_profiles(), source="the picture")
                with Session(f"sim://?seed={number}", rx, ledger, course=course) as session:
                    for when, pain in (("before", 7 - number * 2 // 3), ("after", 5 - number // 2)):
                        ledger.append(session.session_id, "outcome", 0, {"when": when, "pain": pain, "sensation": 0})
                    session.run()
        _stimctl("course", "--data", home, "trend", "S-1", "-o", str(PICTURES / "trend.png"), "--force")


def page(html: Path, picture: Path, width: int = 1000, height: int = 620) -> None:
    """The head of a page as PNG."""
    chromium = ("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    options = (f"--window-size={width},{height}", f"--screenshot={picture}", html.as_uri())
    subprocess.run([*chromium, *options], check=True, stderr=subprocess.DEVNULL)


def reports() -> None:
    """The pages of a session's report and of a course's, in both languages, by `stimctl log report`'s own parts."""
    with course_ledger() as ledger:
        session = case_of(ledger, IDS[1]), head_of(ledger), load("low-back-pain"), "2026-03-16 10:40 UTC", "stimctl"
        cases = cases_of(ledger, PSEUDONYM)
        course = (
            PSEUDONYM,
            cases,
            by_plan(ledger, PSEUDONYM, cases),
            (),
            (),
            head_of(ledger),
            "2026-03-16 10:40 UTC",
            "stimctl",
        )
        for language in LANGUAGES:
            words = ReportWords(language)
            made = {"session": session_report(words, *session), "course": course_report(words, *course)}
            for what, report in made.items():
                for number, picture in enumerate(typeset(report).png(dots_per_inch=90), 1):
                    few = Image.open(io.BytesIO(picture)).convert("RGB").quantize(96)
                    few.save(PICTURES / f"report-{what}-{language}-{number}.png", optimize=True)


def _stimctl(*arguments: str) -> None:
    subprocess.run([*STIMCTL, *arguments], check=True, stdout=subprocess.DEVNULL)


MADE = {
    "plan": plan,
    "live-screen": live_screen,
    "conformance": conformance,
    "trend": trend,
    "reports": reports,
}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or MADE:
        MADE[wanted]()
        print(f"docs/pictures/{wanted}")
