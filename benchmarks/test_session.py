"""A 30-minute 2/100 Hz session in virtual time, log aside, beside bare framing of the same bytes."""

import struct
from typing import Any
from zlib import crc32

from cobs import cobs

from benchmarks.interleave import ratio
from benchmarks.quiet import QUIET_LOG, prescription
from benchmarks.results import report
from stimctl.port import open_port
from stimctl.session.engine import Engine
from stimctl.session.runner import Runner
from stimctl.session.states import End
from stimctl.stimulators.native import NativeAdapter
from stimctl.wire.codec import SHAPES

URL = "sim://?seed=1"
PRESCRIPTION = prescription()


class _Tape:
    """Keeps every byte of a session, both ways."""

    def __init__(self) -> None:
        self.data = b""
        self._parts: list[bytes] = []

    def record(self, at_us: int, direction: str, data: bytes) -> None:
        self._parts.append(data)

    def frames(self) -> list[bytes]:
        return [frame for frame in b"".join(self._parts).split(b"\x00") if frame]


def _session(traffic: Any = None) -> None:
    port = open_port(URL, traffic=traffic)
    engine = Engine(NativeAdapter(), PRESCRIPTION, QUIET_LOG, session_id="benchmark")
    report = Runner(port, engine, QUIET_LOG, lambda _identity, _records: "", attended=False).run()
    port.close()
    assert report.end is End.TIMER
    assert report.agreement["exact"] is True


def _bare(frames: list[bytes]) -> None:
    """Each frame once out of the stream and once into it: delimiter, COBS, CRC and struct, and nothing else."""
    for frame in b"\x00".join(frames).split(b"\x00"):
        body = cobs.decode(frame)
        if crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
            raise ValueError
        packer = _PACKERS[body[0]]
        payload = packer.pack(*packer.unpack(body[:-4]))
        cobs.encode(payload + crc32(payload).to_bytes(4, "little")) + b"\x00"


_PACKERS: dict[int, struct.Struct] = {kind: shape.packer for kind, shape in SHAPES.items()}


def test_virtual_session() -> None:
    tape = _Tape()
    _session(tape)
    frames = tape.frames()
    found = ratio(_session, lambda: _bare(frames), blocks=7, per_block=1)
    report(
        f"virtual 30 min session, {len(frames)} frames / bare framing of the same bytes",
        found,
        target="at most 8, aim at 3",
    )
