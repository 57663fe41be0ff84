"""Which kind of file a capture is: told by its first bytes, not by its name."""

from pathlib import Path

from stimctl.capture.model import Capture
from stimctl.errors import InputInvalid, Problem

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP = b"\x1f\x8b"
_NPY = b"\x93NUMPY"


def open_capture(path: Path, *, partial: bool = False) -> Capture:
    """Open a capture; its samples are read by `blocks`.

    `partial` allows fewer samples than the header says. Raises `InputInvalid` for a file that is none, or whose first
    part makes no sense; reading on raises it where the rest does not.
    """
    from stimctl.capture.archives import open_archive
    from stimctl.capture.binary import open_binary
    from stimctl.capture.text import open_text, utf_16

    try:
        with path.open("rb") as stream:
            head = stream.read(4_096)
    except OSError as fault:
        raise InputInvalid(str(path), [Problem("file", None, f"cannot be read: {fault.strerror or fault}")]) from None
    if not head:
        raise InputInvalid(str(path), [Problem("file", None, "is empty")])
    if head.startswith(_NPY):
        allowed = "is an array that says no rate: save it as .npz, numpy.savez(FILE, ch1=samples, rate_hz=100_000)"
        raise InputInvalid(str(path), [Problem("file", None, allowed)])
    if head.startswith(_ZIP):
        return open_archive(path)
    if head.startswith(_GZIP) or b"\x00" not in head or utf_16(head):
        return open_text(path, partial=partial)
    return open_binary(path)
