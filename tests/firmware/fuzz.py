"""Fuzzing the C core under the sanitizers: seeds that are whole sessions, the corpus that is kept, and longer runs.

    python -m tests.firmware.fuzz --seconds 600        the frames' properties, then libFuzzer from the corpus;
                                                       what it finds new is kept there

An input is what `firmware/host/fuzz.c` says. A session's nonce is made by the core itself, the same each time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from firmware_sim.chip.built import BUILD, HERE
from firmware_sim.chip.host_build import Library
from stimctl.wire import codec as m
from stimctl.wire.codes import PROTOCOL_VERSION, Purpose
from stimctl.wire.framing import FrameSplitter
from stimlab.conformance.programs import PLAIN, TWO_BANDS, WireProgram

CORPUS = Path(__file__).parent / "corpus"
REPLAY, FUZZER = BUILD / "replay", BUILD / "fuzzer"
_FRAMED, _TIME, _BOARD = 1 << 6, 2 << 6, 3 << 6


class Life:
    """A life of the host build, and the input that makes it."""

    def __init__(self, library: Path) -> None:
        self._library = Library(library)
        self._call = self._library.call
        self._call.host_power_on(1)
        for channel in range(1, 5):
            self._call.host_connect(channel, 1000, 0, 0, 0, 0, 0)
        self._splitter = FrameSplitter()
        self._sequence = self._now_us = 0
        self.input = b""

    def ask(self, order: object) -> object:
        """Say a command; its answer, or the last thing that came."""
        self._sequence += 1
        frame = m.encode(self._sequence, order)
        (payload,) = FrameSplitter().feed(frame)
        self.input += bytes([_FRAMED | len(payload)]) + payload
        self._call.host_receive(frame, len(frame))
        answers = [m.parse(each)[1] for each in self._splitter.feed(self._library.take())]
        return next((each for each in answers if not isinstance(each, m.Status | m.Channel | m.Event)), None)

    def wait(self, power: int) -> None:
        """Let 2 to the power of so many microseconds pass."""
        self.input += bytes([_TIME | power])
        self._now_us += 1 << power
        self._call.host_advance(self._now_us)

    def happen(self, what: int) -> None:
        """Something befalls the board."""
        self.input += bytes([_BOARD, what])


def session(library: Path, program: WireProgram, *, ends: int | None = None) -> bytes:
    """A session from the handshake to its acknowledgement, as an input; `ends`: what befalls it in its midst."""
    life = Life(library)
    for order in (m.Hello(PROTOCOL_VERSION), *(m.ReadIdentity(page) for page in range(3)), program.header):
        life.ask(order)
    for segment in program.segments:
        life.ask(segment)
    life.ask(m.ReadDigest())
    life.ask(m.SelfTest())
    number = 0
    for purpose in (Purpose.CHECK_IMPEDANCE, Purpose.STIMULATE, Purpose.STIMULATE):
        arm = m.Arm(int(purpose), program.header.channel_mask, 2_000, 10_000_000, 5_000, program.digest_head)
        armed = life.ask(arm)
        assert isinstance(armed, m.Armed), armed
        number = armed.session
        life.ask(m.Start(armed.nonce, 0 if purpose else 1_000, 0, 0, 0))
        life.wait(19)
        life.ask(m.KeepAlive(armed.nonce))
        life.ask(m.SetTarget(armed.nonce, 1, 1_100))
        life.ask(m.ReadImpedance(1))
        life.wait(18)
        if ends is not None and purpose is Purpose.STIMULATE:
            life.happen(ends)
            return life.input + life.input[-40:] + bytes([_TIME | 20])
        life.ask(m.Hold())
    life.ask(m.Stop())
    life.wait(15)
    for order in (m.ReadSession(), m.ReadCounters(1), m.ReadMeasured(1), m.Acknowledge(number)):
        life.ask(order)
    return life.input


def seeds(library: Path) -> list[bytes]:
    """Sessions that are whole, and some that a board's mishap ends."""
    whole = [session(library, program) for program in (PLAIN, TWO_BANDS)]
    mishaps = (0b00010000, 0b00000000, 0b00010100, 0b00000100, 0b00011000, 0b11111100)
    return whole + [session(library, TWO_BANDS, ends=what) for what in mishaps]


def replayed(inputs: list[Path], program: Path = REPLAY) -> subprocess.CompletedProcess[str]:
    """Play inputs in the build that the sanitizers watch; its code is 0 where they saw nothing."""
    return subprocess.run([program, *inputs], capture_output=True, text=True, check=False, timeout=300)


def fuzzed(seconds: int, into: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run libFuzzer from the corpus; new inputs go `into` a folder."""
    order = [str(FUZZER), f"-max_total_time={seconds}", "-max_len=700", *more, str(into), str(CORPUS)]
    return subprocess.run(order, capture_output=True, text=True, check=False, timeout=seconds + 120)


def properties() -> subprocess.CompletedProcess[str]:
    """The tests of frames in a process in which the sanitizers' library is there before Python."""
    find = ["gcc", "-print-file-name=libasan.so"]
    runtime = subprocess.run(find, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    watched = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
    order = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/firmware/test_frames.py"]
    return subprocess.run(order, cwd=HERE, env=watched, capture_output=True, text=True, check=False, timeout=600)


def main(arguments: list[str] | None = None) -> int:
    """Fuzz, and merge what was found into the corpus. Returns 1 when the sanitizers saw something."""
    parser = argparse.ArgumentParser(description="Fuzz the C core.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--saved", type=Path, default=HERE / "build" / "firmware-fuzz", help="what breaks it goes here")
    options = parser.parse_args(arguments)
    if (done := properties()).returncode:
        print(done.stdout + done.stderr)
        return 1
    CORPUS.mkdir(exist_ok=True)
    options.saved.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(BUILD / "libstimulator.so")):
        (CORPUS / f"session-{number}").write_bytes(seed)
    with tempfile.TemporaryDirectory() as found:
        done = fuzzed(options.seconds, Path(found), f"-artifact_prefix={options.saved}/")
        merge = [str(FUZZER), "-merge=1", "-max_len=700", str(CORPUS), found]
        subprocess.run(merge, capture_output=True, check=False, timeout=600)
    print(
        done.stderr[-2_000:] if done.returncode else f"{len(list(CORPUS.glob('*')))} inputs are kept, nothing was seen"
    )
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
