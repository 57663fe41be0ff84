"""The simulator's record, NumPy's archives, sigrok's sessions and a maker's binary file."""

import os
import struct
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from stimctl.capture import Declared, archives, measure, open_capture
from stimctl.errors import InputInvalid
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

RATE_HZ = 100_000.0
VOLTS = capture(steady(0.01, 90), Truth(), Bench(rate_hz=RATE_HZ), 1.0).astype(np.float32)


def samples(path: Path) -> list[np.ndarray]:
    opened = open_capture(path)
    numbers = tuple(range(len(opened.columns)))
    blocks = [block.values for block in opened.blocks(numbers)]
    return [np.concatenate([block[number] for block in blocks]) for number in numbers]


@pytest.mark.parametrize(
    "beside",
    [{"rate_hz": 1e5}, {"dt": 1e-5}, {"time": np.arange(len(VOLTS)) / RATE_HZ - 0.5}],
    ids=["rate", "interval", "times"],
)
def test_npz(beside: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BLOCK_SAMPLES", 7_001)
    path = tmp_path / "c.npz"
    np.savez_compressed(path, ch1=VOLTS, ch2=(VOLTS * 1_000).astype(np.int16), **beside)  # type: ignore[arg-type]
    opened = open_capture(path)
    assert opened.rate_hz == pytest.approx(RATE_HZ)
    assert [column.name for column in opened.columns] == ["ch1", "ch2"]
    np.testing.assert_array_equal(samples(path)[0], VOLTS)
    assert [len(each.pulses) for each in measure(opened)] == [90, 90]


def test_npz_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    np.savez(path, ch1=VOLTS)
    with pytest.raises(InputInvalid, match="nothing says the rate"):
        open_capture(path)
    uneven = np.arange(len(VOLTS)) / RATE_HZ
    uneven[500:] += 0.1
    np.savez(path, ch1=VOLTS, t=uneven)
    with pytest.raises(InputInvalid, match="stop being so at sample"):
        open_capture(path)
    np.savez(path, ch1=VOLTS, ch2=VOLTS[:100], rate_hz=1.0)
    with pytest.raises(InputInvalid, match="of one length"):
        open_capture(path)
    for rate in (0.0, "200k", -1e5, np.nan):
        np.savez(path, ch1=VOLTS, rate_hz=rate)
        with pytest.raises(InputInvalid, match="must be a number over 0"):
            open_capture(path)
    np.savez(path, ch1=VOLTS + 0j, rate_hz=1e5)
    with pytest.raises(InputInvalid, match="have to be real numbers"):
        open_capture(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputInvalid, match="damaged or cut off"):
        open_capture(path)


def sigrok(path: Path, metadata: str) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("version", "2")
        archive.writestr("metadata", metadata)
        archive.writestr("logic-1-1", b"\x00" * 10)
        for number, part in enumerate(np.array_split(VOLTS, 12), start=1):
            archive.writestr(f"analog-1-2-{number}", part.astype("<f4").tobytes())


def test_sigrok_in_the_order_of_its_chunks(tmp_path: Path) -> None:
    path = tmp_path / "c.sr"
    sigrok(path, "[global]\nsigrok version=0.5.2\n\n[device 1]\nsamplerate=100 kHz\ntotal analog=1\nanalog2=CH1\n")
    opened = open_capture(path)
    assert opened.form == "sigrok session"
    assert opened.rate_hz == pytest.approx(RATE_HZ)
    assert [column.name for column in opened.columns] == ["CH1"]
    np.testing.assert_array_equal(samples(path)[0], VOLTS)
    sigrok(path, "[device 1]\ncapturefile=logic-1\nsamplerate=nothing\n")
    with pytest.raises(InputInvalid, match="logic channels have no height"):
        open_capture(path)


def keysight_bin(path: Path) -> None:
    """A waveform of Agilent's and Keysight's AG10 layout, as their manual has it."""
    data = VOLTS.astype("<f4").tobytes()
    names = (
        b"3 AUG 2020".ljust(16, b"\0")
        + b"12:00:00".ljust(16, b"\0")
        + b"DSOX1102A:CN1".ljust(24, b"\0")
        + b"1".ljust(16, b"\0")
    )
    head = struct.pack("<iiiiifdddii", 140, 1, 1, len(VOLTS), 1, 1.0, 0.0, 1e-5, 0.0, 2, 1) + names
    head += struct.pack("<dI", 0.0, 0)
    buffer = struct.pack("<ihhi", 12, 1, 4, len(data))
    body = head + buffer + data
    path.write_bytes(b"AG10" + struct.pack("<ii", 12 + len(body), 1) + body)


def is_open(path: Path) -> bool:
    """Whether this process has it open, where that can be seen."""
    seen = Path("/proc/self/fd")
    return seen.is_dir() and str(path) in {os.path.realpath(each) for each in seen.iterdir()}


def test_a_makers_binary_file(tmp_path: Path) -> None:
    pytest.importorskip("RigolWFM", reason="RigolWFM is not installed: no maker's binary file can be read")
    path = tmp_path / "c.bin"
    keysight_bin(path)
    opened = open_capture(path)
    assert not is_open(path), "the library leaves its file open"
    assert opened.form == "binary file, by RigolWFM"
    assert opened.rate_hz == pytest.approx(RATE_HZ)
    np.testing.assert_allclose(samples(path)[0], VOLTS, atol=1e-6)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputInvalid, match="RigolWFM knows"):
        open_capture(path)
    assert not is_open(path)


def test_what_is_declared() -> None:
    assert Declared(500).ua_per_number == pytest.approx(2_000)
    assert Declared(500, "mV", 10).ua_per_number == pytest.approx(20)
    assert Declared(500, "mA").ua_per_number == pytest.approx(1_000)
    with pytest.raises(InputInvalid, match="must be one of V, mV"):
        Declared(0, "volts")
    with pytest.raises(InputInvalid, match="an inverted one is told by its pulses"):
        Declared(500, "V", -1)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"rate_hz": np.array([1e5, 2e5])}, "rate_hz is .* must be a number over 0"),
        ({"rate_hz": 1e5, "dt": 2e-5}, "rate_hz and dt: they have to say one and the same rate"),
        ({"rate_hz": 1e300}, "sample interval is '1e-300 s': no oscilloscope has its samples under 1e-12 s"),
        ({"dt": 1e300}, "over 1 s apart"),
        ({"rate_hz": 1e5, "resolution": np.nan}, "resolution of ch1 is 'nan'"),
        ({"rate_hz": 1e5, "resolution": -1.0}, "resolution of ch1 is '-1'"),
        ({"rate_hz": 1e5, "start_s": np.inf}, "first time is 'inf'"),
        ({"time": np.where(np.arange(len(VOLTS)) == 77, np.nan, np.arange(len(VOLTS)) / RATE_HZ)}, "at sample 77"),
    ],
)
def test_what_an_array_says_of_itself_has_to_make_sense(beside: dict[str, object], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", ch1=VOLTS, **beside)  # type: ignore[arg-type]
    with pytest.raises(InputInvalid, match=said):
        open_capture(tmp_path / "c.npz")


@pytest.mark.parametrize("name", ["ch1", "time"])
def test_damage_in_the_middle_of_an_archive_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    np.savez(path, ch1=VOLTS, time=np.arange(len(VOLTS)) / RATE_HZ)
    with ZipFile(path) as archive:
        begin = archive.getinfo(f"{name}.npy").header_offset
    damaged = bytearray(path.read_bytes())
    damaged[begin + 200_000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputInvalid, match="archive: is damaged or cut off"):
        samples(path)
