"""What holds for every test: stop endpoints of its own, and no property test fails because the machine was busy."""

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def endpoints() -> Iterator[None]:
    """A `stimctl stop` of this computer's user finds no test's session. Its name is short, as a socket's has to be."""
    with TemporaryDirectory(prefix="stimctl-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STIMCTL_RUN", folder)
        yield
