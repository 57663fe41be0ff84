"""`stimctl profile`: list, show, check and new, as a person calls them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.profile import load_profiles, packaged_folder


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["profile", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def test_list_names_every_profile_and_what_may_be_done_with_it() -> None:
    rows = {line.split()[0]: line for line in run("list").splitlines()[1:]}
    assert set(rows) == set(load_profiles())
    assert "schedule only" in rows["migraine"]
    assert "locked" in rows["fibromyalgia"]
    assert "incomplete" in rows["knee-osteoarthritis"]
    assert "ready" in rows["low-back-pain"]
    document = json.loads(run("list", "--json"))
    assert {row["id"]: row["state"] for row in document}["fibromyalgia"] == "locked"


def test_show_explains_with_sources_and_gaps() -> None:
    text = " ".join(run("show", "knee-osteoarthritis").split())
    for said in ("[source]", "[choice]", "Left unspecified", "ST-35 to Xiyan", "SHA-256"):
        assert said in text
    assert all(len(line) <= 110 for line in run("show", "low-back-pain").splitlines())


def test_show_json_holds_the_whole_profile() -> None:
    document = json.loads(run("show", "low-back-pain", "--json"))
    assert document["stimulation"]["pairs"]["value"] == [["BL-23", "BL-25"]]
    assert document["stimulation"]["pairs"]["from"] == "source"
    assert document["sha256"] == load_profiles()["low-back-pain"].sha256


def test_show_of_an_unknown_name_says_which_there_are() -> None:
    assert "there are bench-100hz, " in run("show", "back-pain", code=codes.INVALID)


def test_check_of_a_whole_file() -> None:
    path = packaged_folder() / "migraine.toml"
    assert "migraine.toml is a whole profile: migraine 1.1.0, schedule only" in run("check", str(path))
    assert json.loads(run("check", str(path), "--json"))["problems"] == []


def test_new_is_checked_and_every_problem_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert f"stimctl profile check {path}" in run("new", "--output", str(path))
    shown = run("check", str(path), code=codes.INVALID)
    assert len([line for line in shown.splitlines() if line.startswith("  line ")]) > 20
    problems = json.loads(run("check", str(path), "--json", code=codes.INVALID))["problems"]
    assert problems[0]["line"] == 1 + path.read_text().splitlines().index(
        next(line for line in path.read_text().splitlines() if line.startswith("id = "))
    )
    assert {problem["field"] for problem in problems} >= {"id", "title", "kind"}


def test_new_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    assert "is never replaced" in run("new", "-o", str(path), code=codes.INVALID)
    assert path.read_text() == "mine"
    assert "there is no folder" in run("new", "-o", str(tmp_path / "none" / "x.toml"), code=codes.INVALID)


def test_new_without_a_file_prints_it() -> None:
    assert run("new").startswith("# A new profile.")


def test_a_wrong_file_is_told_after_the_list_and_hinders_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text("format = 2")
    monkeypatch.setenv("STIMCTL_PROFILES", str(tmp_path))
    shown = run("list", code=codes.INVALID)
    assert "\nlow-back-pain " in shown
    assert shown.index("own.toml") > shown.index("\nlow-back-pain ")
    assert "SHA-256" in run("show", "low-back-pain")


def test_a_folder_of_the_users_own_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (packaged_folder() / "bench-2hz.toml").read_text().replace('id = "bench-2hz"', 'id = "own"')
    (tmp_path / "own.toml").write_text(text)
    monkeypatch.setenv("STIMCTL_PROFILES", str(tmp_path))
    assert "\nown " in run("list")
