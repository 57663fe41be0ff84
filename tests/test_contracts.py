"""The import contracts leave no gap: every part of stimctl has a layer, and the simulator may use two of them."""

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
PARTS = {
    path.stem
    for path in (ROOT / "stimctl").iterdir()
    if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
}


def test_the_simulator_is_kept_from_all_of_stimctl_but_the_wire() -> None:
    (shared,) = (each for each in CONTRACTS if each.get("source_modules") == ["firmware_sim"])
    forbidden = {name.removeprefix("stimctl.") for name in shared["forbidden_modules"]}
    assert forbidden == PARTS - {"wire", "errors"} | {"stimlab"}


def test_every_part_of_stimctl_has_a_layer() -> None:
    (layers,) = (each["layers"] for each in CONTRACTS if each["type"] == "layers")
    named = {name for line in layers for name in line.split(" | ") if not name.startswith("(")}
    assert named == PARTS


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
