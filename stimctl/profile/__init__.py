"""Profiles: what a protocol asks for, value by value, with its source and its gaps.

`load` finds and reads them, `include` takes in the parts that several share, `model` says what they hold (each value
is a `sourced` one), `convert` makes integers of it, `explain` puts one into words, `template` starts a new one;
`toml_text` and `lines` read what people write and name the line of each problem.
"""

from stimctl.profile.convert import ramps, segments
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
    user_folder,
)
from stimctl.profile.model import Profile, Variant
from stimctl.profile.sourced import Origin, Range, Sourced
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
