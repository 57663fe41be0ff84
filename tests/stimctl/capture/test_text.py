"""CSV in all its forms gives the same samples, and a file that is wrong is told where it stops making sense."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stimctl.capture import Declared, measure, open_capture
from stimctl.capture import text as reader
from stimctl.capture.uncertainty import EXACT, Judge
from stimctl.errors import InputInvalid
from tests.stimctl.capture.forms import (
    FORMS,
    NO_TRIGGER,
    SINGLE,
    keysight,
    picoscope,
    rigol_increment,
    siglent,
    tektronix,
)
from tests.stimctl.capture.synthesis import Bench, Truth, capture, steady

RATE_HZ = 100_000.0
TIMES = np.arange(5_000) / RATE_HZ - 0.012
VOLTS = capture(steady(0.01, 4), Truth(), Bench(rate_hz=RATE_HZ), 0.05)
OTHER = VOLTS[::-1] / 2


def _read(path: Path) -> list[np.ndarray]:
    opened = open_capture(path)
    numbers = tuple(range(len(opened.columns)))
    blocks = [block.values for block in opened.blocks(numbers)]
    return [np.concatenate([block[number] for block in blocks]) for number in numbers]


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_its_samples_and_its_rate(name: str, tmp_path: Path) -> None:
    maker, form = FORMS[name]
    columns = [VOLTS] if name in SINGLE else [VOLTS, OTHER]
    path = tmp_path / "capture.csv"
    path.write_text(form(TIMES, columns), "utf-8")
    opened = open_capture(path)
    assert opened.form == f"{maker} CSV"
    assert opened.rate_hz == pytest.approx(RATE_HZ, rel=1e-5)
    assert opened.start_s == pytest.approx(0.0 if name in NO_TRIGGER else TIMES[0], abs=1e-5)
    assert len(opened.columns) == len(columns)
    assert {column.unit for column in opened.columns} <= {"V", ""}
    for seen, drawn in zip(_read(path), columns, strict=True):
        np.testing.assert_allclose(seen, drawn, atol=1e-4)


def test_what_was_guessed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text(FORMS["saleae"][1](TIMES, [VOLTS]))
    assert any("unit of Channel 0 is not said" in note for note in open_capture(path).notes)
    path.write_text("a,b\n" + "\n".join(f"{t:.6f},{v:.4f}" for t, v in zip(TIMES, VOLTS, strict=True)))
    notes = " ".join(open_capture(path).notes)
    assert "no maker was recognised" in notes
    assert "no column says that it is time" in notes


def test_a_wrong_interval_in_the_header_is_said_and_not_used(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text(FORMS["siglent_long"][1](TIMES, [VOLTS, OTHER]))
    opened = open_capture(path)
    assert opened.rate_hz == pytest.approx(RATE_HZ, rel=1e-6)
    assert any("1.3e-12" in note for note in opened.notes)


def test_a_time_column_without_resolution_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    rows = "".join(f"{t:.4f},{v:.4f}\n" for t, v in zip(TIMES, VOLTS, strict=True))
    path.write_text(f"X,CH1\nSecond,Volt\n{rows}")
    opened = open_capture(path)
    assert opened.rate_hz == pytest.approx(RATE_HZ, rel=0.003)
    assert any("too few digits" in note for note in opened.notes)
    path.write_text(f"Sample Interval,1e-05\nX,CH1\nSecond,Volt\n{rows}")
    assert open_capture(path).rate_hz == pytest.approx(RATE_HZ, rel=1e-9)
    assert len(_read(path)[0]) == len(VOLTS)


def test_millivolts_probe_and_infinity(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text(
        "Time,Channel A\n(us),(mV)\n\n" + "".join(f"{n * 10},{n % 7 * 100}\n" for n in range(100)) + "1000,∞\n"
    )
    opened = open_capture(path)
    assert opened.columns[0].unit == "mV"
    assert opened.interval_s == pytest.approx(1e-5)
    assert np.isinf(_read(path)[0][-1])
    path.write_text(tektronix(TIMES, [VOLTS]))
    assert open_capture(path).probe_said == 10


def test_gzip_and_small_blocks_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK_BYTES", 4_099)
    text = keysight(TIMES, [VOLTS, OTHER]).encode()
    path = tmp_path / "capture.csv.gz"
    path.write_bytes(gzip.compress(text))
    np.testing.assert_allclose(_read(path)[1], OTHER, atol=1e-4)
    path.write_bytes(gzip.compress(text)[:-2_000])
    with pytest.raises(InputInvalid, match="cut off or damaged"):
        _read(path)


@pytest.mark.parametrize("small", [True, False])
def test_errors_name_the_line(small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if small:
        monkeypatch.setattr(reader, "BLOCK_BYTES", 4_099)
    path = tmp_path / "capture.csv"
    lines = keysight(TIMES, [VOLTS]).split("\n")
    wrong: tuple[tuple[Callable[[int], str], str], ...] = (
        (lambda at: "+1.0E-03,twelve", "expected a number"),
        (lambda at: lines[at].split(",")[0], "expected 2 fields as in the first row, found 1"),
        (lambda at: lines[at] + ",5,6", "expected 2 fields as in the first row, found 4"),
        (lambda at: lines[at].split(",")[0] + ",", "expected a number"),
    )
    for change, words in wrong:
        path.write_text("\n".join([*lines[:3_000], change(3_000), *lines[3_001:]]))
        with pytest.raises(InputInvalid, match=f"line 3001: .*{words}"):
            _read(path)
    path.write_text("\n".join([*lines[:3_000], *lines[3_001:]]))
    with pytest.raises(InputInvalid, match=r"line 3001: .*stop being even here"):
        _read(path)


def test_a_truncated_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    whole = siglent(TIMES, [VOLTS])
    path.write_text(whole[: whole.rindex("\n", 0, len(whole) - 500) + 1])
    with pytest.raises(InputInvalid, match="says 5000 samples and the file ends after 49"):
        _read(path)
    assert len(next(iter(open_capture(path, partial=True).blocks((0,)))).values[0]) > 4_900
    text = picoscope(TIMES, [VOLTS, OTHER])
    path.write_text(text[: text.rindex(",") - 14])
    with pytest.raises(InputInvalid, match="it stops here"):
        _read(path)
    text = rigol_increment(TIMES, [VOLTS])
    path.write_text(text[:-5])
    with pytest.raises(InputInvalid, match=r"line 5002: .*(expected a number|in the middle of a number)"):
        _read(path)


def test_a_head_that_ends_within_a_row_is_read_by_its_whole_rows(tmp_path: Path) -> None:
    """Settings may take the 64 KB that are looked at: the begin of a number there is no row."""
    path = tmp_path / "capture.csv"
    path.write_text("note,of the person who took it\n" * 2_114 + "12345,words")
    with pytest.raises(InputInvalid, match="no row of numbers"):
        open_capture(path)


def test_the_unit_of_a_line_of_its_own_counts(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    for name, unit in (("owon_vds", "Unit:(V)"), ("hantek", "#UNITS:V"), ("infiniium", "YUnits:,Volt")):
        text = FORMS[name][1](TIMES, [VOLTS])
        assert unit in text
        path.write_text(text.replace(unit, unit.replace("Volt", "mV").replace("V)", "mV)").replace(":V", ":mV")))
        assert [(each.name, each.unit) for each in open_capture(path).columns] == [("CH1", "mV")]


def test_an_interval_in_no_unit_of_time_is_none(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text(FORMS["hantek"][1](TIMES, [VOLTS]).replace("10.0uS", "100kHz"))
    with pytest.raises(InputInvalid, match="the header has to say the interval"):
        open_capture(path)


def test_fields_may_be_quoted(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text('"Time (s)","CH1 (V)"\n' + "".join(f'"{n * 1e-5:.6e}","{n % 7}"\n' for n in range(1_000)))
    assert open_capture(path).interval_s == pytest.approx(1e-5)
    assert [len(each) for each in _read(path)] == [1_000]


@pytest.mark.parametrize("line", ["Start Time,10:11:12", "Start Time,2025-03-12 10:11:12", "Probe ratio,10:1"])
def test_a_time_of_day_is_no_start_and_a_ratio_no_figure(line: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text(f"{line}\n" + FORMS["owon_vds"][1](TIMES, [VOLTS]))
    opened = open_capture(path)
    assert (opened.start_s, opened.probe_said) == (0.0, None)


def test_each_column_has_codes_of_its_own(tmp_path: Path) -> None:
    """A whole top that lies in the middle of a code is as flat as one cut off, by the codes of a finer input."""
    path = tmp_path / "capture.csv"
    step_v, onsets = 12 / 256, steady(0.0100037, 45)
    level_v = 2 + step_v / 8
    coarse = Truth(level_v=level_v, second_level_v=level_v, rise_us=2)
    of_coarse = Bench(rate_hz=RATE_HZ, bits=8, range_v=6, noise_v=step_v / 5)
    fine = capture(onsets, Truth(rise_us=2), Bench(rate_hz=RATE_HZ, bits=8, range_v=0.6, noise_v=0.001), 0.5)
    drawn = [fine, capture(onsets + 0.0025, coarse, of_coarse, 0.5)]
    path.write_text(keysight(np.arange(len(fine)) / RATE_HZ, drawn))
    one, two = measure(open_capture(path))
    assert (one.step, two.step) == (pytest.approx(1.2 / 256, rel=1e-3), pytest.approx(step_v, rel=1e-3))
    assert not two.pulses["clipped"].any()


def test_codes_that_few_samples_have_are_seen(tmp_path: Path) -> None:
    """A quiet input shows the codes between its levels on edges alone, each at one sample of some ten thousand."""
    codes = np.zeros(40_000)
    codes[1_000:21_000] = 200
    codes[21_001:21_031:2] = np.arange(51, 66)
    path = tmp_path / "capture.csv"
    path.write_text("".join(f"{number * 1e-5:.5f},{code * 0.01:.2f}\n" for number, code in enumerate(codes)))
    assert open_capture(path).columns[0].resolution == pytest.approx(0.01)


def test_a_gap_in_the_count_is_told(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    lines = rigol_increment(TIMES, [VOLTS]).split("\n")
    path.write_text("\n".join([*lines[:100], *lines[200:]]))
    with pytest.raises(InputInvalid, match=r"line 101: .*stop being even"):
        _read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"nothing but words\nand more\n", "no row of numbers"),
        (b"Sequence,CH1\n", "no row of numbers"),
        (b"X,CH1\nSequence,Volt\n0,1\n1,2\n", "has to say the interval"),
        (b"Time,CH1\n(s),(V)\n1,0\n0,0\n-1,0\n", "time has to rise"),
        (b"0,0\n0.5,1e-5\n-0.5,2e-5\n0,3e-5\n", "field 2 does: put the time first"),
        (b"0,0\n0.5,1e-5\n-0.5,2e-5\n0.1,3e-5\n", "field 2 does: put the time first"),
        (b"Time,CH1\n(s),(V)\n1,0\n", "two rows at least"),
        (b"PK\x03\x04 no zip", "damaged or cut off"),
        (b"\x93NUMPY\x01\x00v\x00", r"says no rate: save it as \.npz"),
        (b"Time [s],Channel 0\n0.0,0\n0.1,1\n0.1002,0\n0.11,1\n", "logic levels, a row a change"),
    ],
)
def test_what_is_no_capture(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_bytes(content)
    with pytest.raises(InputInvalid, match=words):
        open_capture(path)


@pytest.mark.parametrize("kind", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_any_kind_of_unicode(kind: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    text = keysight(TIMES, [VOLTS]).replace("\n", "\r\n").encode(kind)
    path.write_bytes(gzip.compress(text) if packed else text)
    assert open_capture(path).rate_hz == pytest.approx(RATE_HZ, rel=1e-6)
    np.testing.assert_allclose(_read(path)[0], VOLTS, atol=1e-4)


def test_a_unit_in_the_title_is_held_against_what_was_declared(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    path.write_text("in s,C1 in mV\n0,1\n1e-5,2\n2e-5,3\n")
    opened = open_capture(path)
    assert [(column.name, column.unit) for column in opened.columns] == [("C1", "mV")]
    with pytest.raises(InputInvalid, match="the file says mV, declared is V"):
        Declared(500, "V").check(opened, 0)


def test_a_column_that_counts_is_no_time_and_no_signal(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    rows = "".join(f"{n},{v:.4f}\n" for n, v in enumerate(VOLTS))
    path.write_text("Model:,X\n,CH1\n" + rows)
    with pytest.raises(InputInvalid, match="has to say the interval or the rate"):
        open_capture(path)
    path.write_text("nr,time,ch1\n" + "".join(f"{n},{n * 1e-5:g},{v:.4f}\n" for n, v in enumerate(VOLTS)))
    opened = open_capture(path)
    assert [column.name for column in opened.columns] == ["ch1"]
    assert opened.rate_hz == pytest.approx(RATE_HZ, rel=1e-4)


def test_zeros_that_were_not_written_are_no_lost_digits(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    rows = "".join(f"{float(f'{t:.9f}')!r},{v:.4f}\n" for t, v in zip(TIMES, VOLTS, strict=True))
    path.write_text(f"Time [s],Channel 0\n{rows}")
    assert rows.startswith("-0.012,")
    opened = open_capture(path)
    assert not any("too few digits" in note for note in opened.notes)
    assert opened.interval_part == 0


def test_few_digits_count_in_the_uncertainty_of_times(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    rows = "".join(f"{t:.4f},{v:.4f}\n" for t, v in zip(TIMES, VOLTS, strict=True))
    path.write_text(f"X,CH1\nSecond,Volt\n{rows}")
    opened = open_capture(path)
    assert abs(opened.rate_hz / RATE_HZ - 1) <= opened.interval_part == pytest.approx(0.002, rel=0.01)
    judge = Judge(measure(opened)[0], Declared(500), EXACT)
    assert judge.rate(0.01, 0.0, 4).uncertainty >= 100 * 2 * opened.interval_part / np.sqrt(3)


@pytest.mark.parametrize("write", ["{:.9e}".format, "{:.7f}".format, lambda t: f"{t * 1e6:.6f}e-6"], ids="eft")
def test_times_that_tell_all_of_a_step_show_a_gap(write: Callable[[float], str], tmp_path: Path) -> None:
    """With a decimal comma too, and with times of a thousandth of their unit."""
    path = tmp_path / "capture.csv"
    rows = "".join(f"{write(n * 1e-5)};{n % 7},0e-01\n" for n in range(5_000) if n != 3_000)
    path.write_text("Zeit;Kanal A\n(s);(V)\n" + rows.replace(".", ","))
    with pytest.raises(InputInvalid, match="stop being even"):
        _read(path)


def test_times_with_an_exponent_tell_less_the_larger_they_are(tmp_path: Path) -> None:
    """Of 1.00000e-03 the last digit is 10 ns, of 1.00000e-01 a microsecond: more than the 0.2 us from row to row."""
    path = tmp_path / "capture.csv"
    times = np.arange(600_000) * 2e-7
    text = "X,CH1,\nSecond,Volt,\n" + "".join(f"{t:.5e},{n % 7}e-01,\n" for n, t in enumerate(times))
    path.write_text(text)
    assert sum(len(each) for each in _read(path)) == len(times)
    lines = text.split("\n")
    path.write_text("\n".join([*lines[:550_000], *lines[550_100:]]))
    with pytest.raises(InputInvalid, match="stop being even"):
        _read(path)


def test_empty_lines_at_the_end_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "capture.csv"
    text = rigol_increment(TIMES, [VOLTS])
    path.write_text(text + "\n\n")
    np.testing.assert_allclose(_read(path)[0], VOLTS, atol=1e-4)
    lines = text.split("\n")
    path.write_text("\n".join([*lines[:300], "", *lines[300:]]))
    with pytest.raises(InputInvalid, match=r"line 301: .*found an empty line"):
        _read(path)


def test_over_range_to_both_sides_is_clipped(tmp_path: Path) -> None:
    """PicoScope writes ∞ and -∞; their mean is no number, and that is no damage."""
    path = tmp_path / "capture.csv"
    cells = ["∞" if v > 0.4 else "-∞" if v < -0.4 else f"{v:.5f}" for v in VOLTS]
    rows = "".join(f"{t * 1e3:.6f},{cell}\n" for t, cell in zip(TIMES, cells, strict=True))
    path.write_text(f"Time,Channel A\n(ms),(V)\n\n{rows}", "utf-8")
    seen = measure(open_capture(path))[0]
    assert len(seen.pulses) == 4
    assert seen.pulses["clipped"].all()
    path.write_text(f"Time,Channel A\n(ms),(V)\n\n{rows.replace(cells[7], 'nan', 1)}", "utf-8")
    with pytest.raises(InputInvalid, match="is no number"):
        measure(open_capture(path))


@pytest.mark.parametrize("row", [0, 3_000])
@pytest.mark.parametrize("time", ["nan", "inf"])
def test_a_time_that_is_no_number_is_told_with_its_line(time: str, row: int, tmp_path: Path) -> None:
    lines = FORMS["keysight"][1](TIMES, [VOLTS]).split("\n")
    begin = next(number for number, line in enumerate(lines) if line.startswith("-1.2"))
    lines[begin + row] = f"{time},{lines[begin + row].split(',')[1]}"
    path = tmp_path / "capture.csv"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(InputInvalid, match=f"line {begin + row + 1}: time is '{time}': a time has to be a number"):
        _read(path)
