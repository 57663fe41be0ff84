"""Profiles: what a protocol asks for, value by value, with its source and its gaps.

`load` finds and reads them, `model` says what they hold, `explain` puts one into words, `template` starts a
new one; `toml_text` and `lines` read what people write and name the line of each problem.
"""

from stimctl.profile.explain import Section, explain, value_text
from stimctl.profile.load import (
    Profiles,
    choose,
    examples_folder,
    load,
    load_file,
    load_profiles,
    load_text,
    packaged_folder,
    ramps,
    segments,
    user_folder,
)
from stimctl.profile.model import Origin, Profile, Range, Sourced, Variant
from stimctl.profile.template import new_template

__all__ = [
    "Origin",
    "Profile",
    "Profiles",
    "Range",
    "Section",
    "Sourced",
    "Variant",
    "choose",
    "examples_folder",
    "explain",
    "load",
    "load_file",
    "load_profiles",
    "load_text",
    "new_template",
    "packaged_folder",
    "ramps",
    "segments",
    "user_folder",
    "value_text",
]
