"""Parts that several profiles share, taken in by name: `include = ["waveform"]`.

A part is a table of `_common.toml`, which lies beside the profile or else with the profiles that come with stimctl.
It holds values as a profile does, each with its origin. Lists grow by those of the part; a value that the profile
gives itself stays as it is, whole, with its own origin. The profile's hash is over the bytes of its own file and then
of the shared one, so that neither can change unseen.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from stimctl.errors import InputInvalid, Problem
from stimctl.look import is_file
from stimctl.profile.toml_text import TomlText, parse, read_file

SHARED_NAME = "_common.toml"
Shared = Callable[[], TomlText]  # reads the shared file, once; raises `InputInvalid`
_TABLES = ("schedule", "response", "stimulation")
_LISTS = ("points", "patterns", "notes")


def beside(folder: Path, packaged: Path) -> Shared:
    """The shared file in `folder`, or the packaged one where there is none."""
    own = folder / SHARED_NAME
    return cache(lambda: read_file(own if is_file(own) else packaged / SHARED_NAME))


def given(content: bytes, source: str) -> Shared:
    """The shared file's bytes, as a record of a session holds them."""
    return lambda: parse(content, source)


def with_parts(text: TomlText, shared: Shared) -> TomlText:
    """The profile's text with the parts that it includes. Raises `InputInvalid` for a part that is not there."""
    names = text.values.get("include", [])
    if not names or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return text  # nothing to take in, or not a list of names, which the model says
    common = shared()
    problems = [
        Problem(f"include[{index}]", name, f"is no part of {common.source}; there are {', '.join(common.values)}")
        for index, name in enumerate(names)
        if not isinstance(common.values.get(name), dict)
    ]
    if problems:
        raise text.invalid(problems)
    merged: dict[str, Any] = dict(text.values)
    moved: dict[str, str] = {}
    for name in names:
        _take(merged, common.values[name], name, moved, common)
    both = sha256(text.content + common.content).hexdigest()
    return replace(text, values=merged, sha256=both, common=common, moved=moved)


def _take(merged: dict[str, Any], part: Mapping[str, Any], name: str, moved: dict[str, str], common: TomlText) -> None:
    """Add one part; `moved` learns where each of its values stands in the shared file."""
    for key, held in part.items():
        own = merged.get(key, [] if key in _LISTS else {})
        if key in _LISTS and isinstance(held, list) and isinstance(own, list):
            moved |= {f"{key}[{len(own) + index}]": f"{name}.{key}[{index}]" for index in range(len(held))}
            merged[key] = [*own, *held]
        elif key in _TABLES and isinstance(held, dict) and isinstance(own, dict):
            new = {entry: value for entry, value in held.items() if entry not in own}
            moved |= {f"{key}.{entry}": f"{name}.{key}.{entry}" for entry in new}
            merged[key] = {**own, **new}
        else:
            allowed = f"a part holds {', '.join((*_LISTS, *_TABLES))}, as a profile does"
            raise InputInvalid(common.source, [Problem(f"{name}.{key}", None, allowed, common.line(f"{name}.{key}"))])
