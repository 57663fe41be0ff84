"""A data folder that can be none, in every command that looks into the log: one exit code."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main

PRESCRIPTION = "profiles/examples/low-back-pain.toml"


@pytest.mark.parametrize("below", ["", "sub"])
@pytest.mark.parametrize("kind", ["file", "device"])
@pytest.mark.parametrize(
    "words",
    [
        "log list",
        "log show latest",
        "log verify",
        "log recover",
        "log export --all --format csv",
        "course due",
        "course show P-17",
        "course new P-17 low-back-pain --spacing 3-4 --clinician AO",
        "run --again --port sim://",
        f"run low-back-pain --port sim:// --prescription {PRESCRIPTION}",
        "bench run --port sim:// --ohm 1000 --amplitude 0.5mA --seconds 20",
    ],
)
def test_a_data_folder_that_is_none_is_the_logs_fault(
    words: str, kind: str, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "file" if kind == "file" else Path("/dev/null")
    if kind == "file":
        folder.write_text("precious")
    monkeypatch.setenv("STIMCTL_DATA", str(folder / below))
    result = CliRunner().invoke(main, words.split())
    assert result.exit_code == codes.LOG, result.output
    assert f"{folder} is no folder; move it away, or name another folder (STIMCTL_DATA)" in result.output
    assert kind == "device" or folder.read_text() == "precious"


@pytest.mark.parametrize("words", ["log list", "course due", "run --again --port sim://"])
def test_a_data_folder_that_is_no_whole_path_is_refused(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", "~/data")
    result = CliRunner().invoke(main, words.split())
    assert result.exit_code == codes.INVALID, result.output
    assert "STIMCTL_DATA is '~/data'" in result.output
