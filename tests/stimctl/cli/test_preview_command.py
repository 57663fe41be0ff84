"""`stimctl preview`: of a profile, of a prescription, as picture and as text."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.profile import examples_folder

BACK = str(examples_folder() / "low-back-pain.toml")


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["preview", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_text_of_a_profile_shows_charge_and_that_no_needle_is_declared() -> None:
    shown = run("low-back-pain", "--text")
    assert "1.200 uC at 2 Hz" in shown
    assert "No needle declared" in shown


def test_a_prescription_gives_density_and_k_and_a_picture(tmp_path: Path) -> None:
    for name in ("plan.png", "plan.svg"):
        shown = run("low-back-pain", "--prescription", BACK, "-o", str(tmp_path / name))
        assert "4.2 uC/cm2" in shown
        assert "Shannon k 0.71" in shown
        assert str(tmp_path / name) in shown
        assert (tmp_path / name).stat().st_size > 5_000
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert "BL-23" in (tmp_path / "plan.svg").read_text()


def test_a_picture_is_replaced_only_when_that_is_said_and_is_its_owners(tmp_path: Path) -> None:
    there = tmp_path / "plan.svg"
    there.write_text("kept")
    assert "replace it with --force" in run("low-back-pain", "-o", str(there), code=codes.INVALID)
    assert there.read_text() == "kept"
    run("low-back-pain", "-o", str(there), "--force")
    assert there.read_text().startswith("<?xml")
    assert there.stat().st_mode & 0o777 == 0o600


def test_what_a_profile_leaves_open_is_said() -> None:
    shown = run("knee-osteoarthritis", "--variant", "2-hz", "--text")
    assert "Amplitude left open by the profile: the hard limit is drawn" in shown


def test_a_locked_profile_is_said_to_be_locked_in_title_and_caption(tmp_path: Path) -> None:
    said = "Locked: pairs, amplitude, minutes unspecified: the hard limit is drawn"
    shown = run("fibromyalgia")
    assert "2-100-hz), locked" in shown.splitlines()[0]
    assert said in shown
    assert said in run("fibromyalgia", "-o", str(tmp_path / "locked.svg"))
    assert said in (tmp_path / "locked.svg").read_text()


def test_without_a_file_it_is_text_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "One cycle of the pattern" in run("low-back-pain")
    assert list(tmp_path.iterdir()) == []


def test_titration_is_drawn_at_its_ceiling() -> None:
    file = str(examples_folder() / "low-back-pain-ashi.toml")
    shown = run("low-back-pain", "--prescription", file, "--text")
    assert "at the ceiling of a titration" in shown
    assert "1.50 mA" in shown


def test_what_cannot_be_drawn_is_a_sentence(tmp_path: Path) -> None:
    assert "needs a variant: one of 2-hz, 2-100-hz" in run("knee-osteoarthritis", "--text", code=codes.INVALID)
    assert "nothing to stimulate" in run("migraine", "--text", code=codes.INVALID)
    assert "not bench-2hz" in run("bench-2hz", "--prescription", BACK, code=codes.INVALID)
    assert "channel 4" in run("low-back-pain", "--prescription", BACK, "--channel", "4", code=codes.INVALID)
    assert ".png or .svg" in run("low-back-pain", "-o", str(tmp_path / "x.pdf"), code=codes.INVALID)
    assert str(tmp_path / "no") in run("low-back-pain", "-o", str(tmp_path / "no" / "x.png"), code=codes.INVALID)


def test_a_persons_prescription_is_drawn_and_says_that_nobody_is_screened_yet(tmp_path: Path) -> None:
    file = tmp_path / "person.toml"
    file.write_text(Path(BACK).read_text().replace('subject = "simulator"', 'subject = "person"'))
    assert "before the screening" in run("low-back-pain", "--prescription", str(file), "--text")
    assert "before the screening" not in run("low-back-pain", "--prescription", BACK, "--text")
