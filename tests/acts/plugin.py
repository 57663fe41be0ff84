"""A test that SAFETY.md names for a function has to call that function: see `looking`."""

from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from stimlab.safety_page import hazards
from tests.acts.looking import ROOT, Function, acted, watched


class Acts:
    """The plugin. A test passes only when it called what it is named for, in whichever process."""

    @cached_property
    def named(self) -> dict[str, set[Function]]:
        """The functions that each test is named for; a test with cases stands for each of them unless one is named."""
        found: dict[str, set[Function]] = {}
        for hazard in hazards((Path(ROOT) / "SAFETY.md").read_text("utf-8")).values():
            for control in hazard.controls:
                for test in control.tests:
                    found.setdefault(test, set()).add((control.path, control.name))
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Look while the test itself runs."""
        names = {pyfuncitem.nodeid, pyfuncitem.nodeid.partition("[")[0]}
        wanted = {each for name in names for each in self.named.get(name, ())}
        if not wanted:
            return (yield)
        with TemporaryDirectory(prefix="stimctl-") as folder:
            report = Path(folder) / "acts"
            with watched(wanted, report):
                result = yield
            left = wanted - acted(report)
        if left:
            functions = " and ".join(f"{name} of {path}" for path, name in sorted(left))
            pytest.fail(f"SAFETY.md says that this test sees {functions} act, and it never calls that", pytrace=False)
        return result
