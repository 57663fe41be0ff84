"""Shared parts of profiles: taken in whole, each value with its origin, and told with the shared file's own lines."""

from hashlib import sha256
from pathlib import Path

import pytest

from stimctl.errors import InputInvalid
from stimctl.profile import Profile, load_file, load_profiles, load_text, packaged_folder
from stimctl.profile.model import values
from tests.stimctl.profile.whole_text import whole_text

SHARED = packaged_folder() / "_common.toml"
NAMES = sorted(path.stem for path in packaged_folder().glob("[!_]*.toml"))


def content_of(profile: Profile) -> dict[str, object]:
    """What a profile says, wherever it stands."""
    return profile.model_dump(exclude={"sha256", "path", "shared", "include"})


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_the_same_as_with_its_parts_written_out(name: str, tmp_path: Path) -> None:
    path = tmp_path / "whole.toml"
    path.write_text(whole_text(name))
    included = load_file(packaged_folder() / f"{name}.toml")
    assert content_of(included) == content_of(load_file(path))
    assert included.include


@pytest.mark.parametrize("name", NAMES)
def test_the_hash_is_over_both_files(name: str) -> None:
    profile = load_file(packaged_folder() / f"{name}.toml")
    assert profile.shared == (str(SHARED),)
    both = Path(profile.path).read_bytes() + SHARED.read_bytes()
    assert profile.sha256 == sha256(both).hexdigest()


def test_no_value_stands_in_two_profiles_files() -> None:
    tables = [table for name in NAMES for table in own_tables(name) if len(table) > 160]
    assert len(tables) == len(set(tables))


def own_tables(name: str) -> list[str]:
    return [part.strip() for part in (packaged_folder() / f"{name}.toml").read_text().split("\n[")]


def folder(tmp_path: Path, shared: str, *, include: str = '["waveform"]') -> Path:
    """A folder with one profile that takes in parts of a shared file of its own."""
    text = (packaged_folder() / "bench-2hz.toml").read_text()
    (tmp_path / "own.toml").write_text(text.replace('"bench-2hz"', '"own"').replace('["bench", "waveform"]', include))
    (tmp_path / "_common.toml").write_text(shared)
    return tmp_path / "own.toml"


def test_the_shared_file_beside_a_profile_is_its_own(tmp_path: Path) -> None:
    path = folder(tmp_path, SHARED.read_text().replace("value = 0.6", "value = 0.4"), include='["bench", "waveform"]')
    profile = load_file(path)
    assert profile.stimulation is not None
    assert profile.stimulation.width_2hz_ms.value == 0.4
    assert load_profiles(tmp_path)["own"].sha256 == profile.sha256
    assert load_profiles(tmp_path)["bench-2hz"].shared == (str(SHARED),)


def test_where_there_is_none_beside_it_the_packaged_one_is_taken(tmp_path: Path) -> None:
    path = folder(tmp_path, "", include='["bench", "waveform"]')
    (tmp_path / "_common.toml").unlink()
    assert load_file(path).shared == (str(SHARED),)


def test_a_changed_shared_file_changes_the_hash(tmp_path: Path) -> None:
    path = folder(tmp_path, SHARED.read_text(), include='["bench", "waveform"]')
    before = load_file(path).sha256
    (tmp_path / "_common.toml").write_text(SHARED.read_text() + "\n")
    assert load_file(path).sha256 != before


def test_what_the_profile_gives_itself_stays_whole(tmp_path: Path) -> None:
    own = '[stimulation.width_2hz_ms]\nvalue = 0.3\nfrom = "clinician"\nnote = "C. L."\n'
    path = folder(tmp_path, SHARED.read_text(), include='["bench", "waveform"]')
    path.write_text(path.read_text() + own)
    found = dict(values(load_file(path)))["stimulation.width_2hz_ms"]
    assert found.model_dump(mode="json")["origin"] == "clinician"
    assert (found.value, found.note) == (0.3, "C. L.")  # type: ignore[attr-defined]


def test_a_mistake_in_a_shared_part_is_told_with_that_file_and_line(tmp_path: Path) -> None:
    shared = SHARED.read_text().replace("value = 0.6", "value = 0.7")
    path = folder(tmp_path, shared, include='["bench", "waveform"]')
    with pytest.raises(InputInvalid) as caught:
        load_file(path)
    line = shared.splitlines().index("value = 0.7") + 1
    assert f"line {line}: {tmp_path / '_common.toml'}: waveform.stimulation.width_2hz_ms.value is 0.7" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("shared", "include", "said"),
    [
        ("", '["waveform"]', "include[0] is 'waveform': is no part of"),
        ("[a]\nx = 1", '["a"]', "a.x: a part holds points, patterns, notes, schedule"),
        ("[a]\npoints = 1", '["a"]', "a.points: a part holds"),
        ("= 1", '["a"]', "is not TOML"),
        ("", '"waveform"', "include is 'waveform': must be a list"),
        ("", "[1]", "include[0] is 1: must be text"),
    ],
)
def test_a_part_that_cannot_be_taken_in_is_told(tmp_path: Path, shared: str, include: str, said: str) -> None:
    with pytest.raises(InputInvalid) as caught:
        load_file(folder(tmp_path, shared, include=include))
    assert said in str(caught.value)


def test_a_shared_file_is_no_profile() -> None:
    assert "_common" not in load_profiles(packaged_folder())
    assert load_profiles(packaged_folder()).faults == ()


def test_a_profile_and_its_shared_file_can_be_read_from_a_record() -> None:
    profile = load_file(packaged_folder() / "low-back-pain.toml")
    again = load_text(Path(profile.path).read_bytes(), "a record", SHARED.read_bytes())
    assert again.sha256 == profile.sha256
    assert content_of(again) == content_of(profile)
