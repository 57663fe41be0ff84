"""A user's folders, and a user who has none."""

from pathlib import Path

import platformdirs
import pytest

from stimctl.errors import Misuse
from stimctl.user_folder import named_folder, user_folder


def test_they_are_those_of_the_system() -> None:
    assert user_folder("data", "X") == Path(platformdirs.user_data_dir("stimctl", appauthor=False))
    assert user_folder("config", "X") == Path(platformdirs.user_config_dir("stimctl", appauthor=False))


def _raise(*_: object, **__: object) -> str:
    raise RuntimeError("could not determine the home directory")


@pytest.mark.parametrize("found", [_raise, lambda *_, **__: "~/.local/share/stimctl", lambda *_, **__: "here"])
def test_a_user_without_a_home_is_told_which_variable_names_one(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_data_dir", found)
    with pytest.raises(Misuse, match=r"no home folder .* name one with STIMCTL_DATA"):
        user_folder("data", "STIMCTL_DATA")


def test_a_variable_names_a_whole_path_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for named, found in (("", None), (str(tmp_path), tmp_path)):
        monkeypatch.setenv("X", named)
        assert named_folder("X") == found
    for relative in ("~/x", "x", "./x"):
        monkeypatch.setenv("X", relative)
        with pytest.raises(Misuse, match=f"X is '{relative}', .* name a whole path"):
            named_folder("X")
