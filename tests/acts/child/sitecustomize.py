"""Python runs this as it starts, in the processes of a test that is looked at: see `tests/acts/looking.py`."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

found = spec_from_file_location("stimctl_test_looking", Path(__file__).parents[1] / "looking.py")
assert found is not None
assert found.loader is not None
looking = module_from_spec(found)
found.loader.exec_module(looking)
looking.look_as_told()
