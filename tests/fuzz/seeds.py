"""Where the fuzzer begins: golden vectors, recorded sessions, scripts of honest ones, and the files that are shipped.

`python -m tests.fuzz.seeds` writes the small made ones into the corpus. Whole shipped files are not copied: their
folders are given to the fuzzer, and to the test of the corpus, as they are.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from firmware_sim.native.flash import Flash, StoredSession
from stimctl.traffic.transcript import read_traffic
from stimctl.wire.framing import unframe
from tests.fuzz.targets import CORPUS

ROOT = Path(__file__).parents[2]
FOLDERS: Mapping[str, Path] = {
    "profile": ROOT / "profiles",
    "prescription": ROOT / "profiles" / "examples",
    "scenario": ROOT / "firmware_sim" / "lab" / "scenarios",
    "recording": ROOT / "tests" / "recordings",
}
RECORDED = FOLDERS["recording"]


def shipped(name: str) -> list[Path]:
    """The shipped files that a target reads."""
    folder = FOLDERS.get(name)
    return sorted(path for path in folder.glob("*") if path.is_file()) if folder else []


def _golden() -> list[bytes]:
    with (ROOT / "tests" / "golden" / "wire.toml").open("rb") as file:
        return [bytes.fromhex(vector["frame"]) for vector in tomllib.load(file)["vector"]]


def _said(file: str, sender: str) -> bytes:
    lines = (RECORDED / file).read_text("utf-8").splitlines()
    return b"".join(piece.data for piece in read_traffic(file, lines)[1] if piece.sender == sender)


def _step(code: int, body: bytes) -> bytes:
    return bytes((code, len(body))) + body


def _scripts() -> Iterator[tuple[str, bytes]]:
    """An honest session on a native device, with and without its end; sessions of the driver with each adapter."""
    honest = [_step(4, bytes((number, 1, 0))) for number in range(3)]
    for purpose, level in ((0, 0), (1, 100)):
        arm = _step(4, bytes((3, purpose))) + _step(4, bytes((4, level)))
        on = _step(4, b"\x05") + _step(2, (200_000).to_bytes(3, "little"))
        yield "device_native", b"".join(honest) + arm + on * 3 + _step(4, b"\x06\0\x0a") + on + _step(5, b"")
    go = _step(2, (4_000_000).to_bytes(3, "little"))
    for kind in range(5):
        yield "driver", bytes((kind,)) + go * 6
        yield "driver", bytes((kind,)) + go * 4 + _step(5, b"\x02\0") + go + _step(5, b"\x04\0") + go * 2
    lines = _said("stimjim-pty.traffic", "host").split(b"\n")
    for dialect in range(3):
        script = b"".join(_step(1, line[:63]) + _step(2, b"\0\0\1") for line in lines[:40])
        yield "device_stimjim", bytes((dialect,)) + script
    yield "device_pulsepal", b"\1" + _step(0, bytes((213, 72))) + _step(0, bytes((213, 77, 1))) + go


def _texts() -> Iterator[tuple[str, bytes]]:
    lines = (RECORDED / "native-sim.traffic").read_bytes().splitlines(keepends=True)
    yield "traffic", b"".join(line for line in lines[:20] if b'"note"' not in line)
    session = StoredSession(1, 1, 2_000, 1, 5_000_000, 7, 9)
    for stored in (None, session):
        memory = Flash()
        memory.session = stored
        from dataclasses import asdict

        document = {"format": 1, "boots": 3, "sessions": 1, "session": None if stored is None else asdict(stored)}
        yield "flash", json.dumps(document).encode()
    for url in (
        b"pace=max&load=nominal&seed=1",
        b"load=nominal,2=open&pace=10",
        b"device=stimjim&dialect=a&faults=-wrap",
        b"device=pulsepal&firmware=21&isolator=1.0",
    ):
        yield "sim_url", url


def seeds() -> Iterator[tuple[str, bytes]]:
    """Target and input, for all that is made."""
    for frame in _golden():
        yield "messages", unframe(frame[:-1])
        yield "framed_wording", unframe(frame[:-1])
    yield "framing", b"".join(_golden()[:6])
    yield "framing", b"\x05junk\0" + b"x" * 90 + b"\0" + _golden()[0]
    yield "wording", b"".join(_golden()[:12])
    yield "stimjim_lines", _said("stimjim-pty.traffic", "device")[:1_500]
    yield from _scripts()
    yield from _texts()


def main() -> None:
    """Write them, each under the name that its content gives it."""
    from hashlib import sha1

    for name, data in seeds():
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main()
