"""A shipped profile's text with its shared parts written out in it, so that a test can change any of its values."""

import re

from stimctl.profile import packaged_folder

SHARED = (packaged_folder() / "_common.toml").read_text()


def whole_text(name: str) -> str:
    """The profile as one file that says the same and includes nothing."""
    text = (packaged_folder() / f"{name}.toml").read_text()
    include = re.search(r"^include = \[(.*)\]\n", text, re.MULTILINE)
    if include is None:
        return text
    own = text.replace(include[0], "").rstrip() + "\n"
    return "\n".join([own, *(_part(part) for part in re.findall(r'"([^"]+)"', include[1]))])


def _part(name: str) -> str:
    tables = re.findall(rf"^(\[+){name}\.(.*?)(?=^\[|\Z)", SHARED, re.MULTILINE | re.DOTALL)
    return "\n".join(f"{brackets}{rest.rstrip()}\n" for brackets, rest in tables)
