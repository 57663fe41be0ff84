"""What holds for every test: stop endpoints of its own, no property test fails because the machine was busy, and a test
that SAFETY.md names for a function calls that function.
"""

import os
import signal
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

# In CI the same examples every time: a change is judged by what it changed. Elsewhere each run tries others.
# How long examples take to be made is the machine's affair, as their tests' own time is: on a busy one both are slow.
settings.register_profile(
    "house",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("house")

# A shell lets what it runs in the background ignore Ctrl-C, and `nohup` a hangup; children inherit that, and tests of
# these signals could only fail.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix":
    for each in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)

# What stands beside the tests and asserts for them says as much as a test when it fails.
pytest.register_assert_rewrite("tests.stimctl", "tests.firmware_sim", "tests.stimlab")


def pytest_configure(config: pytest.Config) -> None:
    """`-p no:acts` leaves it out."""
    if not config.pluginmanager.is_blocked("acts"):
        from tests.acts.plugin import Acts

        config.pluginmanager.register(Acts(), "acts")


@pytest.fixture(scope="session", autouse=True)
def endpoints() -> Iterator[None]:
    """A `stimctl stop` of this computer's user finds no test's session. Its name is short, as a socket's has to be."""
    with TemporaryDirectory(prefix="stimctl-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIMCTL_RUN", folder)
        yield
