"""The C core where the sanitizers watch: golden frames, their properties, the fuzzer's corpus, a short run of it."""

import tomllib
from pathlib import Path

from firmware_sim.chip.built import HERE
from tests.firmware.fuzz import CORPUS, fuzzed, properties, replayed, seeds
from tests.firmware.planted import planted


def test_golden_frames(replay_program: Path, tmp_path: Path) -> None:
    vectors = tomllib.loads((HERE / "tests/golden/wire.toml").read_text("utf-8"))["vector"]
    files = []
    for number, vector in enumerate(vectors):
        frame = bytes.fromhex(vector["frame"])
        pieces = [frame[at : at + 63] for at in range(0, len(frame), 63)]
        files.append(tmp_path / str(number))
        files[-1].write_bytes(b"".join(bytes([len(piece)]) + piece for piece in pieces) + bytes([2 << 6 | 20]))
    done = replayed(files, replay_program)
    assert len(files) > 50
    assert done.returncode == 0, done.stderr


def test_the_properties_of_frames(sanitized_library: Path) -> None:
    done = properties()
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_corpus(replay_program: Path) -> None:
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 100
    done = replayed(inputs, replay_program)
    assert done.returncode == 0, done.stderr


def test_the_corpus_has_whole_sessions(host_library: Path) -> None:
    kept = {path.read_bytes() for path in CORPUS.glob("session-*")}
    assert set(seeds(host_library)) == kept, (
        "the core answers otherwise now: `python -m tests.firmware.fuzz` renews them"
    )


def test_a_frame_that_is_written_past_its_end_is_seen(tmp_path: Path, host_library: Path) -> None:
    program = planted(
        tmp_path, "core/frame.c", "    if (++coming.raw > MAX_RAW)", "    if (++coming.raw > 90)", "replay"
    )
    noise = tmp_path / "noise"
    noise.write_bytes(bytes([63, 255, *[1] * 62]) * 2)  # one long piece without a delimiter
    done = replayed([noise], program)
    assert done.returncode != 0
    assert "ERROR: AddressSanitizer" in done.stderr or "runtime error" in done.stderr


def test_a_short_run_of_the_fuzzer(fuzzer_program: Path, tmp_path: Path) -> None:
    done = fuzzed(1, tmp_path, f"-artifact_prefix={tmp_path}/")
    assert done.returncode == 0, done.stderr[-3_000:]
