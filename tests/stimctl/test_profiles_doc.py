"""docs/profiles.md: its examples are valid, and it leaves no field out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from stimctl.prescription import from_file
from stimctl.prescription.read import PrescriptionFile
from stimctl.profile import load_file, load_profiles, packaged_folder
from stimctl.profile.model import ProfileFile
from stimctl.profile.toml_text import model_in

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "profiles.md").read_text()


def example(kind: str) -> str:
    found = re.search(rf"```toml {kind}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_a_profile_validates(tmp_path: Path) -> None:
    path = tmp_path / "wrist.toml"
    path.write_text(example("profile"))
    assert load_file(path).gaps == ("amplitude_ma",)


def test_the_example_of_a_prescription_validates(tmp_path: Path) -> None:
    path = tmp_path / "low-back-pain.toml"
    path.write_text(example("prescription"))
    prescription = from_file(path, load_profiles(packaged_folder()))
    assert prescription.provenance() == {"pairs": "clinician", "amplitude_ma": "source", "minutes": "clinician"}


def test_every_shipped_profile_is_in_the_table() -> None:
    for path in packaged_folder().glob("[!_]*.toml"):
        assert f"`{path.stem}`" in DOCUMENT


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        inner = model_in(field.annotation)
        if inner is not None:
            yield from fields_of(inner)


@pytest.mark.parametrize("model", [ProfileFile, PrescriptionFile])
def test_every_field_is_documented(model: type[BaseModel]) -> None:
    words = set(re.findall(r"\w+", DOCUMENT))
    assert set(fields_of(model)) - words == set()
