"""Finds and reads profiles: the packaged ones, and those in a folder of the user's own.

A file that is wrong, or two files with one id, is an error that names the files whenever that id is asked for,
never a silent choice; the other profiles can be used all the same.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from stimctl.errors import InputInvalid, Misuse, Problem
from stimctl.look import is_folder
from stimctl.profile.convert import broken_limits, program_problems
from stimctl.profile.include import Shared, beside, given, with_parts
from stimctl.profile.model import Profile, ProfileFile
from stimctl.profile.toml_text import TomlText, check, parse, read_file
from stimctl.user_folder import user_folder as folder_of_user

FOLDER_VARIABLE = "STIMCTL_PROFILES"


def packaged_folder() -> Path:
    """The profiles that come with stimctl: inside the wheel, or `profiles/` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_profiles"
    return inside if is_folder(inside) else package.parent / "profiles"


def examples_folder() -> Path:
    """The example prescriptions that come with stimctl."""
    return packaged_folder() / "examples"


def user_folder() -> Path:
    """The user's own profiles: `STIMCTL_PROFILES`, or `profiles` in stimctl's configuration folder.

    Raises `Misuse` for a user who has neither.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else folder_of_user("config", FOLDER_VARIABLE) / "profiles"


class Profiles(dict[str, Profile]):
    """The profiles that can be used, by id. `faults` says which files cannot, `refused` which ids for that."""

    def __init__(self, profiles: Mapping[str, Profile], faults: Iterable[InputInvalid] = ()) -> None:
        super().__init__(profiles)
        self.faults = tuple(faults)
        self.refused: dict[str, InputInvalid] = {}

    def refuse(self, profile_id: str, fault: InputInvalid) -> None:
        """Let nobody have this id: its file is wrong, or it has two."""
        self.pop(profile_id, None)
        self.refused[profile_id] = fault


def load_profiles(extra_dir: Path | None = None) -> Profiles:
    """All profiles by id, from the packaged folder and `extra_dir` (by default the user's folder).

    Files that are wrong, and an id that two files have, are in its `faults`. Raises `InputInvalid` when the
    folder that was named is none.
    """
    own, unreadable = _own_folder(extra_dir)
    folders = [packaged_folder(), *own]
    shared = {folder: beside(folder, packaged_folder()) for folder in folders}
    found = [_File(path, shared[folder]) for folder, path in _files(folders)]
    profiles = Profiles({each.profile.id: each.profile for each in found if each.profile is not None}, unreadable)
    claimed: dict[str, list[_File]] = {}
    for each in found:
        claimed.setdefault(each.id, []).append(each)
    for profile_id, files in claimed.items():
        faults = [each.fault for each in files if each.fault is not None]
        if len(files) > 1 and profile_id:
            faults = [_shared(each, [other for other in files if other is not each]) for each in files[1:]]
        profiles.faults += tuple(faults)
        if faults and profile_id:
            profiles.refuse(profile_id, _all_of(faults))
    return profiles


def load(name: str, extra_dir: Path | None = None) -> Profile:
    """The profile with this id. Raises `Misuse` when there is none, `InputInvalid` when its file is wrong."""
    return choose(load_profiles(extra_dir), name)


def choose(profiles: Mapping[str, Profile], name: str) -> Profile:
    """The profile with this id. Raises `Misuse`, naming those there are, and `InputInvalid` for a wrong file."""
    if name not in profiles:
        faults: tuple[InputInvalid, ...] = ()
        if isinstance(profiles, Profiles):
            if name in profiles.refused:
                raise profiles.refused[name]
            faults = profiles.faults
        wrong = f"; not usable: {', '.join(fault.source for fault in faults)}" if faults else ""
        raise Misuse(f"no profile has the id {name!r}; there are {', '.join(sorted(profiles))}{wrong}")
    return profiles[name]


def load_file(path: Path) -> Profile:
    """One profile. Raises `InputInvalid` with every problem: line, field, value and what is allowed."""
    return _of_text(read_file(path), beside(path.parent, packaged_folder()))


def load_text(content: bytes, source: str, shared: bytes | None = None) -> Profile:
    """The same from the bytes of a file, and of the shared file where parts of it are included; `source` names it."""
    from_folder = beside(packaged_folder(), packaged_folder())
    return _of_text(parse(content, source), from_folder if shared is None else given(shared, f"{source}: shared"))


def _of_text(own: TomlText, shared: Shared) -> Profile:
    if "channels" in own.values and "kind" not in own.values:
        allowed = "is a prescription and not a profile: stimctl preview PROFILE --prescription FILE shows it"
        raise InputInvalid(own.source, [Problem("file", None, allowed)])
    text = with_parts(own, shared)
    problems, content = check(ProfileFile, text.values)
    problems += text.numeral_problems()
    named = {problem.field for problem in problems}
    problems += [problem for problem in broken_limits(text.values) if problem.field not in named]
    if content is None or problems:
        raise text.invalid(problems)
    parts = {name: getattr(content, name) for name in ProfileFile.model_fields}
    files = () if text.common is None else (text.common.source,)
    profile = Profile(**parts, sha256=text.sha256, path=text.source, shared=files)
    # With the amounts in order, what is wrong is in how they go together.
    for index, variant in enumerate(profile.variants):
        problems += program_problems(profile, index, variant)
    if problems:
        raise text.invalid(problems)
    return profile


class _File:
    """One file of a folder: its profile or what is wrong with it, and the id that it claims, "" if none."""

    def __init__(self, path: Path, shared: Shared) -> None:
        self.path = path
        self.id = ""
        self.profile: Profile | None = None
        self.fault: InputInvalid | None = None
        try:
            text = read_file(path, named=False)
            claimed = text.values.get("id")
            self.id = claimed if isinstance(claimed, str) else ""
            self.profile = _of_text(text, shared)
        except InputInvalid as fault:
            self.fault = fault


def _shared(file: _File, others: list[_File]) -> InputInvalid:
    """A file whose id others have too: which of them is meant, nobody can know."""
    named = ", ".join(str(other.path) for other in others)
    shared = Problem("id", file.id, f"is also the id of {named}; change one")
    return InputInvalid(str(file.path), [shared, *(file.fault.problems if file.fault else ())])


def _own_folder(extra_dir: Path | None) -> tuple[list[Path], list[InputInvalid]]:
    """The user's own, and what is wrong with it; it need not be there unless it was named."""
    try:
        folder = extra_dir if extra_dir is not None else user_folder()
    except Misuse:
        return [], []  # who has no home has no profiles in it
    try:
        next(folder.iterdir(), None)
    except OSError as fault:
        none = isinstance(fault, FileNotFoundError | NotADirectoryError)
        why = "is not a folder" if none else f"cannot be looked into ({fault.strerror})"
        wrong = InputInvalid(str(folder), [Problem("folder", None, f"{why}; profiles were to be looked for in it")])
        if extra_dir is not None or os.environ.get(FOLDER_VARIABLE):
            raise wrong from fault
        return [], [] if none else [wrong]
    return [folder], []


def _files(folders: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each profile's file with its folder. Hidden files, such as macOS's `._x.toml`, and shared parts are none."""
    seen: set[Path] = set()
    for folder in folders:
        for path in sorted(path for path in folder.iterdir() if path.suffix == ".toml"):
            if not path.name.startswith((".", "_")) and path.resolve() not in seen:
                seen.add(path.resolve())
                yield folder, path


def _all_of(faults: list[InputInvalid]) -> InputInvalid:
    if len(faults) == 1:
        return faults[0]
    problems = [
        Problem(f"{fault.source}: {problem.field}", problem.value, problem.allowed, problem.line)
        for fault in faults
        for problem in fault.problems
    ]
    return InputInvalid(f"{len(faults)} profiles", problems)
