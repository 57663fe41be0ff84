"""README.md is for somebody who has two minutes, and says what is so. Its blocks run in `tests/docs/test_blocks.py`."""

import html
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from stimctl.cli import codes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")
PICTURES = re.findall(r"!\[(.+)\]\((.+)\)", README)


def test_it_is_short_and_says_first_what_it_is_not() -> None:
    lines = README.splitlines()
    assert len(lines) < 150
    assert lines[2].startswith("**Not a medical device**")
    assert lines[5] == ""


def test_it_says_what_has_to_be_there_first_and_two_commands() -> None:
    begin = README[README.index("## Two commands") :]
    places = [begin.index(words) for words in ("apt-get install make python3-venv", "make run", "make test")]
    assert places == sorted(places)


def test_the_python_example_prints_what_it_says_and_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path))
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) <= 10
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f"prints `{done.stdout.strip()}`" in README


@pytest.mark.parametrize("picture", [path for _, path in PICTURES])
def test_a_picture_is_one(picture: str) -> None:
    data = (ROOT / picture).read_bytes()
    if picture.endswith(".png"):
        assert data.startswith(b"\x89PNG")
        assert min(struct.unpack(">II", data[16:24])) >= 400
    else:
        text = html.unescape(data.decode("utf-8")).replace("\xa0", " ")
        assert "SIMULATOR" in text
        assert "STOP: s, space, q or Esc" in text
        assert "@font-face" not in text


def test_there_are_three_pictures_made_by_a_target() -> None:
    assert {Path(path).name for _, path in PICTURES} == {"plan.png", "live-screen.svg", "conformance.png"}
    assert re.search(r"^pictures:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("user", ["clinician", "bench-engineer", "firmware-engineer", "ci"])
def test_each_kind_of_user_has_a_path(user: str) -> None:
    assert f"(docs/tutorials/{user}.md)" in README


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the ceiling held in the driver?", "`stimctl/limits.py`"),
        ("In the device?", "`firmware_sim/native/gate.py`"),
        ("For a StimJim", "`stimctl/stimulators/lease/gate.py`"),
        ("What happens when a status frame is late?", "`Stimulation.watch_time`"),
        ("How would I add a load?", "simulator.md#adding-a-load"),
        ("a fault?", "faults.md#adding-a-fault"),
        ("a stimulator?", "hardware.md#adding-another-stimulator"),
    ],
)
def test_a_newcomers_question_is_answered_in_two_hops(question: str, answer: str) -> None:
    assert "(docs/architecture.md#where-to-look)" in README
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {question}")]
    assert answer in row


def test_every_document_is_named() -> None:
    documents = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert [str(path) for path in documents if f"({path})" not in README] == []


def test_the_exit_codes_are_those_of_the_commands() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", COMMANDS, re.MULTILINE))
    assert {int(code): text for code, text in rows.items()} == codes.MEANINGS
