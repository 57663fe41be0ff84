"""Every document's commands run and print what it shows, and its examples run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXIT_CODES = {"stimctl conformance --port sim:// --only R-04": 11}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader has: a checkout to stand in, a log, and a folder for pictures."""
    (tmp_path / "build").mkdir()
    (tmp_path / "profiles").symlink_to(ROOT / "profiles")
    (scenario,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "scenarios.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine.toml").write_text(scenario, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STIMCTL_PROFILES", raising=False)


def blocks(kind: str) -> list[object]:
    """All blocks of a kind, in any document. Python that imports nothing is a piece of a file, and no example."""
    return [
        pytest.param(block, id=f"{document.name}: {block.splitlines()[0][:50]}")
        for document in DOCUMENTS
        for block in re.findall(rf"```{kind}\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
        if kind != "python" or "import " in block
    ]


@pytest.mark.parametrize("block", blocks("console"))
def test_a_command_prints_what_is_shown(block: str) -> None:
    command, *shown = block.splitlines()
    assert command.startswith("$ stimctl ")
    result = CliRunner(env={"COLUMNS": "100"}).invoke(main, command.removeprefix("$ stimctl ").split())
    assert result.exit_code == EXIT_CODES.get(command.removeprefix("$ "), 0), result.output
    printed = iter(result.output.splitlines())
    for line in shown:
        # "..." stands for lines left out; whatever is shown comes in this order.
        assert line == "..." or line in printed, f"not printed (here): {line!r}"


@pytest.mark.parametrize("example", blocks("python"))
def test_an_example_runs(example: str) -> None:
    subprocess.run([sys.executable, "-c", example], check=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_it_names_is_there(document: Path) -> None:
    words = re.findall(r"(?:\$ |^    )stimctl ((?:[a-z]+ ?)+)", document.read_text("utf-8"), re.MULTILINE)
    for written in words:
        command, context = main, CliRunner()
        for word in written.split():
            if not hasattr(command, "get_command"):
                break
            found = command.get_command(context, word)  # type: ignore[arg-type]
            assert found is not None, f"stimctl {written}: no {word}"
            command = found  # type: ignore[assignment]


def test_the_blocks_are_found() -> None:
    assert len(blocks("console")) >= 9
    assert len(blocks("python")) >= 3
