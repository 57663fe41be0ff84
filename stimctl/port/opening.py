"""Opens a port by its URL. Raises `PortBusy`, `LineLost` or `Misuse`, each with a sentence that says why."""

import contextlib
import errno
import io
import os
import re
import socket
import sys
import warnings
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import serial

from stimctl.errors import LineFault, LineLost, Misuse, StimctlError
from stimctl.look import is_file
from stimctl.new_file import check_new
from stimctl.port.base import BAUD, ROOM_S, SLICE_S, Port
from stimctl.port.exclusive import ask_for_lock, busy, lock_terminal, why_unlocked
from stimctl.port.host import DescriptorPort, SlicedPort, TelnetPort
from stimctl.port.recorded import RecordedPort, TrafficSink
from stimctl.port.spied import SpiedPort, end_spying, is_spied
from stimctl.port.virtual import VirtualPort

_HANDLERS = "stimctl.protocol_handlers"
_OVER_TCP = ("socket", "rfc2217")
# Of pyserial's own schemes, which in part do not say what they know.
_OPTIONS = {
    "alt": ("class",),
    "loop": ("logging",),
    "rfc2217": ("logging", "ign_set_control", "poll_modem", "timeout"),
    "socket": ("logging",),
    "spy": ("file", "color", "raw", "all"),
}
_LOGGING = ("debug", "info", "warning", "error")
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}")  # as people write host and TCP port
_ODD_OPTION = "expected a string in the form"  # pyserial's words for a value that it does not take


def open_port(url: str, *, traffic: TrafficSink | None = None) -> Port:
    """Open `url` at 115200 8N1, for this process alone.

    DTR and RTS, which reset many boards, are as the system sets them when it opens a port; `/dev/ttyUSB0?dtr=off` and
    `?rts=off` (or `on`, joined by `&`) say otherwise for a local port.

    Raises `PortBusy` when another program holds it, `LineLost` when it cannot be opened, and `Misuse` for a
    URL that no installed handler knows or that lacks something.
    """
    register_handlers(url)
    _refuse_unclear(url)
    try:
        line = _opened(url)
    # All that pyserial raises for a URL that makes no sense to it; a KeyError as it words that.
    except (ValueError, TypeError, KeyError, re.error) as unknown:
        raise Misuse(f"port {url!r}: {unknown}") from unknown
    except OSError as fault:  # as a SerialException is
        raise _why_closed(url, fault) from fault
    try:
        port = _port_for(url, line)
    except BaseException:
        line.close()
        end_spying(line)
        raise
    if is_spied(line):
        port = SpiedPort(port, line)
    return RecordedPort(port, traffic) if traffic else port


def check_url(url: str) -> None:
    """Raise `Misuse` for a URL whose scheme, address or options make no sense, before anything is opened.

    A handler of an installed package says so by its own `options_of(url)`, which raises `ValueError`.
    """
    register_handlers(url)
    _refuse_unclear(url)
    if _scheme(url) == "spy":  # pyserial empties its file by reading the URL
        for file in map(Path, parse_qs(urlsplit(url).query).get("file", ())):
            check_new(file if is_file(file) else None, "a record of a line")
        return
    try:
        _control_lines(url)
        for entry in entry_points(group=_HANDLERS):
            options_of = getattr(_handler(entry, url), "options_of", None) if entry.name == _scheme(url) else None
            if options_of is not None:
                options_of(url)
        if _scheme(url):
            serial.serial_for_url(url, do_not_open=True)
    except (ValueError, TypeError, KeyError, re.error) as unknown:
        raise Misuse(f"port {url!r}: {unknown}") from unknown
    except OSError as fault:  # of hwgrep://, which looks for its port at once
        raise _why_closed(url, fault) from fault


def _opened(url: str) -> Any:
    name, states = _control_lines(url)
    line: Any = serial.serial_for_url(name, do_not_open=True, baudrate=BAUD)
    for control_line, state in states.items():
        setattr(line, control_line, state)
    if _scheme(url) != "rfc2217":  # which knows none, and is not written through pyserial
        line.write_timeout = ROOM_S
    line.timeout = 0 if _has_descriptor(line) else SLICE_S
    ask_for_lock(line)
    if sys.platform != "win32" and _scheme(url) == "socket":
        line.reset_input_buffer = lambda: _discard(line.fileno())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pyserial starts its threads as one did once
            line.open()
    except BaseException:
        end_spying(line)
        raise
    return line


def _discard(descriptor: int) -> None:
    """Away with what came before the port was open. pyserial asks `select`, which knows no descriptor over 1023."""
    if sys.platform == "win32":
        return
    os.set_blocking(descriptor, False)
    with contextlib.suppress(OSError):  # there is no more
        while os.read(descriptor, 4_096):
            pass


def _control_lines(url: str) -> tuple[str, dict[str, bool]]:
    """A local port's name, and which of DTR and RTS are to be set when it opens. Raises `ValueError`."""
    name, mark, options = url.partition("?")
    if not mark or _scheme(url):
        return url, {}
    states = {}
    for option in options.split("&"):
        control_line, _, state = option.partition("=")
        if control_line not in ("dtr", "rts") or state not in ("on", "off"):
            raise ValueError(f"option {option!r} of a local port: dtr=on, dtr=off, rts=on or rts=off")
        states[control_line] = state == "on"
    return name, states


def _scheme(url: str) -> str:
    return url.split("://", 1)[0].lower() if "://" in url else ""


def _has_descriptor(line: Any) -> bool:
    return os.name == "posix" and type(line).fileno is not io.RawIOBase.fileno


def _port_for(url: str, line: Any) -> Port:
    if getattr(line, "virtual", False):
        return VirtualPort(url, line)
    if _scheme(url) == "rfc2217":
        return TelnetPort(url, line)
    if not _has_descriptor(line):
        return SlicedPort(url, line)
    line_socket = getattr(line, "_socket", None)
    if line_socket is not None:
        # A stop is not to wait until the frame before it is acknowledged.
        line_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lock_terminal(line.fileno(), url)
    return DescriptorPort(url, line)


def _refuse_unclear(url: str) -> None:
    """What names no port, half of one or any, and options that there are not. Raises `Misuse`."""
    scheme = _scheme(url)
    try:
        parts = urlsplit(url)
        said = parse_qs(parts.query, keep_blank_values=True)
        whole = bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port that is none
        parts, said, whole = None, {}, False
    if scheme in _OVER_TCP and not whole:
        raise Misuse(f"port {url!r}: name a host and its TCP port (0 to 65535), as in {scheme}://localhost:7000")
    if scheme == "hwgrep":
        _refuse_several(url)
    if not url.strip() or (scheme in ("alt", "spy") and parts is not None and not parts.netloc + parts.path):
        raise Misuse(f"port {url!r}: no port is named; `stimctl ports` lists what there is")
    for option in said if scheme in _OPTIONS else ():
        if option not in _OPTIONS[scheme]:
            allowed = ", ".join(_OPTIONS[scheme])
            raise Misuse(f"port {url!r}: {scheme}:// has no option {option!r}; the options are {allowed}")
        if option == "logging" and said[option][0] not in _LOGGING:
            raise Misuse(f"port {url!r}: option 'logging' is {said[option][0]!r}: it must be {' or '.join(_LOGGING)}")


def _refuse_several(url: str) -> None:
    """Raise `Misuse` for a search that finds several ports: pyserial takes the first, which may be another board's.

    What is no pattern is told where it is used.
    """
    from serial.tools import list_ports  # every other URL does without

    pattern, *options = url.partition("://")[2].split("&")
    with contextlib.suppress(re.error):
        chosen = any(each.startswith("n=") for each in options)
        found = () if chosen else sorted(each[0] for each in list_ports.grep(pattern))
        which = "every port fits" if re.search(pattern, "") else f"{' and '.join(found)} fit" if len(found) > 1 else ""
        if which:
            raise Misuse(f"port {url!r}: {which} that; name what its port alone has, as `stimctl ports` shows it")


def _why_closed(url: str, fault: OSError) -> StimctlError:
    text, number = str(fault), fault.errno
    if _ODD_OPTION in text:
        return Misuse(f"port {url!r}: {text}")
    return _why_not_opened(url, text, number)


def _why_not_opened(url: str, text: str, number: int | None) -> LineFault:
    if "exclusively lock" in text:
        return why_unlocked(url, OSError(number or errno.EAGAIN, text))
    if "busy" in text.lower() or number in (errno.EAGAIN, errno.EBUSY):
        return busy(url)
    if number == errno.EACCES or "Permission" in text:
        return LineLost(f"{url}: no permission to open the port; on Linux join its group (often `dialout`)")
    why = os.strerror(number) if number else text
    if "Inappropriate ioctl" in why:  # pyserial gives it no number
        why = "it is no serial port"
    elif _ADDRESS.fullmatch(url):
        why = f"{why}; a line over TCP is written socket://{url}"
    return LineLost(f"{url}: cannot open the port ({why}); `stimctl ports` lists what there is")


def register_handlers(url: str = "") -> None:
    """Make the URL schemes of installed packages known to pyserial.

    pyserial takes an ImportError inside a handler for "no such handler"; importing it here first shows it.
    """
    scheme = _scheme(url)
    for entry in entry_points(group=_HANDLERS):
        if entry.value not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(entry.value)
        if entry.name == scheme:
            _handler(entry, url)


def _handler(entry: EntryPoint, url: str) -> Any:
    try:
        return import_module(f"{entry.value}.protocol_{entry.name}")
    except ImportError as missing:
        raise Misuse(f"port {url!r}: the handler for {entry.name}:// does not load: {missing}") from missing
