"""The import contracts leave no gap: every part has a layer, and the simulator may use two parts of stimctl."""

import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest
from grimp import build_graph

from tests.docs.architecture import CONTRACTS, layers

ROOT = Path(__file__).parents[1]


def parts(package: str) -> set[str]:
    """The modules and folders of a package."""
    found = (ROOT / package).iterdir()
    modules = {path.stem for path in found if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return modules - {"__init__"}


def test_the_simulator_is_kept_from_all_of_stimctl_but_the_wire() -> None:
    (shared,) = (each for each in CONTRACTS if each.get("source_modules") == ["firmware_sim"])
    forbidden = {name.removeprefix("stimctl.") for name in shared["forbidden_modules"]}
    assert forbidden == parts("stimctl") - {"wire", "errors"} | {"stimlab"}


@pytest.mark.parametrize("package", ["stimctl", "firmware_sim", "stimlab"])
def test_every_part_of_a_package_has_a_layer(package: str) -> None:
    assert {name for line in layers(package) for name in line} == parts(package)


def test_no_import_runs_in_a_circle() -> None:
    """Not in a function and not for types either: what was circular once loads in any order by luck alone."""
    graph = build_graph("stimctl", "firmware_sim", "stimlab", cache_dir=None)
    TopologicalSorter({each: graph.find_modules_directly_imported_by(each) for each in graph.modules}).prepare()


def test_the_wire_loads_little() -> None:
    code = "import sys, stimctl.wire.codec; print(*(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pydantic", "click", "rich", "serial", "sqlite3", "matplotlib"} & set(loaded)


def test_every_entry_point_leads_somewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    for target in (target for group in groups for target in group.values()):
        module, _, attribute = target.partition(":")
        found = import_module(module)
        assert not attribute or callable(getattr(found, attribute)), target
    for package in project["entry-points"]["stimctl.protocol_handlers"].values():
        assert import_module(f"{package}.protocol_sim").Serial


def test_the_server_runs_what_a_contributor_runs() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    script = ROOT / ".ci" / "run"
    assert "- run: .ci/run" in workflow
    assert script.stat().st_mode & 0o111
    assert "make --no-print-directory test" in script.read_text("utf-8")
