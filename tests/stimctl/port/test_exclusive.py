"""A terminal is one session's alone, whichever URL opens it, from the same process and from another."""

import errno
import os
import subprocess
import sys
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial.tools.list_ports

from stimctl.errors import LineLost, PortBusy
from stimctl.port import exclusive, open_port

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows opens a serial port once only")

URLS: dict[str, Callable[[str], str]] = {
    "plain": lambda name: name,
    "spy": lambda name: f"spy://{name}?file=/dev/null",
    "alt": lambda name: f"alt://{name}?class=PosixPollSerial",
    "alt-vtime": lambda name: f"alt://{name}?class=VTIMESerial",
    "hwgrep": lambda _name: "hwgrep://the-stimulator",
}
SCHEMES = list(URLS)

# What a second process does, with pyserial finding the terminal for hwgrep:// as it would find a device.
SECOND = """
import sys
import serial.tools.list_ports
from stimctl.errors import PortBusy
from stimctl.port import open_port
url, name = sys.argv[1:]
serial.tools.list_ports.grep = lambda pattern: [(name, pattern, "")]
try:
    port = open_port(url)
except PortBusy as busy:
    print("busy:", busy)
else:
    print("opened", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A terminal that its far end keeps."""
    far, near = os.openpty()
    tty.setraw(near)
    path = os.ttyname(near)
    os.close(near)
    monkeypatch.setattr(serial.tools.list_ports, "grep", lambda pattern: [(path, pattern, "")])
    yield path
    os.close(far)


def second(url: str, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SECOND, url, name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("again", SCHEMES)
@pytest.mark.parametrize("first", SCHEMES)
def test_the_same_process_cannot_open_it_twice(name: str, first: str, again: str) -> None:
    port = open_port(URLS[first](name))
    with pytest.raises(PortBusy, match="stimctl stop"):
        open_port(URLS[again](name))
    port.close()
    open_port(URLS[again](name)).close()


@pytest.mark.realtime
@pytest.mark.parametrize("scheme", SCHEMES)
def test_another_process_cannot_open_it(name: str, scheme: str) -> None:
    port = open_port(URLS["plain"](name))
    with second(URLS[scheme](name), name) as other:
        said, _ = other.communicate(timeout=20)
    port.close()
    assert said.startswith("busy:")
    assert "stimctl stop" in said


@pytest.mark.realtime
@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_another_process_holds_is_busy_until_it_dies(name: str, scheme: str) -> None:
    with second(URLS[scheme](name), name) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "opened\n"
        with pytest.raises(PortBusy):
            open_port(name)
        other.kill()
    open_port(name).close()


def test_a_second_opener_leaves_what_has_come_for_the_first(name: str) -> None:
    """pyserial empties what waits to be read as it opens; the lock comes before that."""
    port = open_port(name)
    far = os.open(name, os.O_RDWR | os.O_NOCTTY)
    calls: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(serial.Serial, "_reset_input_buffer", lambda _line: calls.append("emptied"))
        for scheme in SCHEMES:
            with pytest.raises(PortBusy):
                open_port(URLS[scheme](name))
    assert calls == []
    os.close(far)
    port.close()


# --- programs that ask for no lock --------------------------------------------------------------------

OPEN_AS_NOBODY = """
import os, sys
if os.getuid() == 0:
    os.setuid(65534)
try:
    os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
    print("opened")
except OSError as fault:
    print(os.strerror(fault.errno))
"""


def opened_without_a_lock(name: str) -> str:
    if os.getuid() == 0:
        Path(name).chmod(0o666)
    done = subprocess.run([sys.executable, "-c", OPEN_AS_NOBODY, name], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.realtime
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_program_that_asks_for_no_lock_cannot_open_it(
    name: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is root's, which TIOCEXCL does not hold. A real port is one that is no pseudo-terminal."""
    monkeypatch.setattr(exclusive, "_is_pseudo_terminal", lambda _descriptor: False)
    port = open_port(URLS[scheme](name))
    assert opened_without_a_lock(name) == "Device or resource busy"
    port.close()


@pytest.mark.realtime
def test_a_pseudo_terminal_can_be_opened_again_after_a_crash(name: str) -> None:
    """Its far end would keep TIOCEXCL beyond the death of who asked for it, and nobody but root could open it."""
    with second(name, name) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "opened\n"
        other.kill()
    assert opened_without_a_lock(name) == "opened"


def test_a_terminal_that_knows_no_such_lock_has_the_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(exclusive, "_is_pseudo_terminal", lambda _descriptor: False)
    monkeypatch.setattr("fcntl.ioctl", refuse)
    descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY)
    exclusive.lock_terminal(descriptor, name)
    with pytest.raises(PortBusy):
        open_port(name)
    os.close(descriptor)


# --- what another program has locked ------------------------------------------------------------------

HOLDING = """
import fcntl, os, sys, termios
descriptor = os.open(sys.argv[2], os.O_RDWR | os.O_NOCTTY)
if sys.argv[1] == "TIOCEXCL":
    fcntl.ioctl(descriptor, termios.TIOCEXCL)
else:
    getattr(fcntl, sys.argv[1])(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.mark.realtime
@pytest.mark.parametrize("lock", ["flock", "lockf", "TIOCEXCL"])
def test_what_another_program_locked_in_its_own_way_is_busy(name: str, lock: str) -> None:
    if lock == "TIOCEXCL" and sys.platform != "linux":
        pytest.skip("only Linux tells of it")
    command = [sys.executable, "-c", HOLDING, lock, name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(PortBusy, match="another program holds the port"):
            open_port(name)
        other.kill()


@pytest.mark.parametrize("scheme", ["plain", "alt-vtime"])
def test_a_port_without_locks_is_not_said_to_be_held(name: str, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", none)
    with pytest.raises(LineLost, match=r"the port cannot be locked \(Operation not supported\)"):
        open_port(URLS[scheme](name))
