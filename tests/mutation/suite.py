"""pytest in one process that has collected nothing yet: the tests are collected and run in children forked from it.

So every child begins with all that is slow to import and nothing that a mutant may change.
"""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.mutation.fork import limit_cpu
from tests.mutation.loading import imported
from tests.mutation.targets import TOO_LONG

_NOT_NEEDED = ("acts", "cacheprovider", "terminalreporter", "logging", "faulthandler", "junitxml", "doctest")
OPTIONS = (
    *("-q", "-s", "--assert=plain", "--tb=no", "-o", "timeout=0"),
    *(f"-pno:{name}" for name in _NOT_NEEDED),
    *("-p", "_hypothesis_pytestplugin", "-p", "pytest_timeout"),
    "tests",
)
TEST_S = 0.5  # of processor time at least, before a test counts as running for ever
TEST_FACTOR = 8
LEFT_OUT = ("realtime", "slow")  # markers; `targets.TOO_LONG` names more


@dataclass(slots=True, eq=False)
class Suite:
    """The plugin. `work` is called in the place of collection, with nothing of the project imported."""

    work: Callable[["Suite"], None]
    least_s: float = TEST_S
    session: pytest.Session | None = None
    fail: Callable[[str], None] = field(default=print)
    raised: BaseException | None = None

    # --- hooks ----------------------------------------------------------------------------------------

    def pytest_sessionstart(self) -> None:
        """Test modules take their hypothesis settings from here: the same examples each time, and no shrinking."""
        settings.register_profile(
            "mutation",
            deadline=None,
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """All the work is done here; pytest then finds that there are no tests."""
        self.session = session
        early = imported()
        if early != ["tests.conftest"] * bool(early):
            raise RuntimeError(f"imported before any mutant could be: {', '.join(early)}")
        try:
            self.work(self)
        except BaseException as raised:  # noqa: BLE001 - pytest would only print it; `start` raises it
            self.raised = raised
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported."""
        if report.failed:
            self.fail(f"{report.nodeid}\n{report.longreprtext}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """The first exception that is not a skip: no report is made of it, which would take longer than the test."""
        if call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
            self.fail(f"{item.nodeid}\n{call.excinfo.exconly()}")

    # --- used by children -----------------------------------------------------------------------------

    def collect(self, files: Sequence[str]) -> list[pytest.Item]:
        """The tests in these files, but those that wait for real time or take long."""
        assert self.session is not None
        items = self.session.perform_collect(list(files))
        return [item for item in items if not (any(map(item.get_closest_marker, LEFT_OUT)) or _too_long(item))]

    def run_one(self, item: pytest.Item, following: pytest.Item | None, limit_s: float | None) -> None:
        """Run one test. One that takes more than `limit_s` of processor time ends the process."""
        if limit_s is not None:
            limit_cpu(limit_s)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def run(self, items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> None:
        """Run them in this order. `seconds`: what each takes otherwise, which it may take several times over."""
        for item, following in zip(items, [*items[1:], None], strict=True):
            self.run_one(item, following, max(self.least_s, TEST_FACTOR * seconds.get(item.nodeid, 0.0)))


def _too_long(item: pytest.Item) -> bool:
    return item.nodeid.partition("[")[0] in TOO_LONG


def start(work: Callable[[Suite], None], least_s: float = TEST_S) -> None:
    """Start pytest and let `work` have it, ready to collect. Raises what `work` raises."""
    suite = Suite(work, least_s)
    pytest.main([*OPTIONS], plugins=[suite])
    if suite.raised is not None:
        raise suite.raised


def preload(names: Iterable[str]) -> None:
    """Import these now, and look at them, so that no child has to."""
    for name in names:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except ImportError:
                continue
    _draw()


@settings(max_examples=10)
@given(st.lists(st.integers(), min_size=50))
def _draw(_: list[int]) -> None:
    """Now and then hypothesis draws a figure that stands in the tested code, and looks where each module comes from.

    Called once before there is any child, it has to look only at the new ones in each.
    """
