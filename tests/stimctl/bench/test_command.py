"""`stimctl bench accept`: from a CSV to a verdict, a page, paper and XML, and what it says of what it cannot know."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from click.testing import CliRunner, Result

from stimctl.bench.paper import _sheet
from stimctl.cli import codes, main
from tests.stimctl.capture.forms import rigol_increment, tektronix
from tests.stimctl.capture.synthesis import Bench, Floats, Truth, drawn, on_bench, steady

RATE_HZ = 100_000.0
SECONDS = 9.5
BENCH = Bench(rate_hz=RATE_HZ, noise_v=0.004, bits=8, offset_v=0.012)


def train(
    level_v: float = 0.5,
    *,
    width_us: float = 200.0,
    gap_us: float = 0,
    period_s: float = 0.0100003,
    second: float = 1.0,
) -> Floats:
    """bench-2-100hz: 2 Hz for 3 s, 100 Hz for 3 s, and so on."""
    low = Truth(level_v, 600, 0, 600, level_v * second)
    high = Truth(level_v, width_us, gap_us, width_us, level_v * second)
    slow = [0.0105003 + k * 0.5 for k in range(6)] + [6.0105003 + k * 0.5 for k in range(6)]
    fast = [3.0105003 + k * period_s for k in range(int(2.995 / period_s))] + [
        9.0105003 + k * period_s for k in range(40)
    ]
    return drawn(slow, low, RATE_HZ, SECONDS) + drawn(fast, high, RATE_HZ, SECONDS)


@pytest.fixture(scope="module")
def texts() -> tuple[str, str]:
    """A good capture and its reference as a Rigol exports them: written once, they have a million rows."""
    times = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ - 1
    columns = on_bench(train(), BENCH), on_bench(np.zeros(len(times)), BENCH)
    good, off = (rigol_increment(times, [column]) for column in columns)
    return good, off


@pytest.fixture
def files(texts: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in zip(("good.csv", "off.csv"), texts, strict=True):
        (tmp_path / name).write_text(text)
    return tmp_path


def saved(name: str, samples: Floats) -> str:
    np.savez(name, ch1=samples.astype(np.float32), rate_hz=RATE_HZ)
    return name


def accept(*options: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["bench", "accept", *options])


GOOD = ("--capture", "good.csv", "--profile", "bench-2-100hz", "--load", "500")


def test_one_command_from_a_csv_to_a_verdict(files: Path) -> None:
    result = accept(*GOOD)
    assert result.exit_code == codes.NOT_EXAMINED, result.output
    assert result.output.splitlines()[0] == "HOLDS in what was measured; 2 not measurable"
    assert "needs a reference capture with the outputs disabled" in result.output
    assert "SIMULATED" not in result.output


def test_with_a_reference_all_is_measured_and_written(files: Path) -> None:
    pytest.importorskip("typst", reason="typst is not installed: no PDF can be made")
    out = [text for kind in ("html", "pdf", "junit") for text in (f"--{kind}", f"r.{kind}")]
    result = accept(*GOOD, "--amplitude-ma", "1", "--reference", "off.csv", "--needle", "0.30x30", *out, "--json")
    assert result.exit_code == codes.DONE, result.output
    assert result.stdout.isascii()
    assert result.stderr.startswith("HOLDS")
    told = json.loads(result.stdout)
    rows = {(row["where"], row["name"]): row for row in told["captures"][0]["rows"]}
    for (where, name), true in {
        ("CH1, 2 Hz", "amplitude, median"): 1_000, ("CH1, 100 Hz", "amplitude, median"): 1_000,
        ("CH1, 2 Hz", "width, mean"): 600, ("CH1, 100 Hz", "width, mean"): 200, ("CH1, 2 Hz", "rate"): 2,
        ("CH1, 2 Hz", "dwell, farthest"): 3.0, ("CH1", "average direct current"): 0, ("CH1", "net charge a pulse"): 0,
    }.items():  # fmt: skip
        row = rows[where, name]
        assert row["verdict"] == "holds", row
        assert abs(row["value"] - true) <= row["uncertainty"] + 0.05, row
    assert told["tolerances"]["file"] == "stimctl/bench/tolerances.toml"
    assert told["instrument"]["assumed"] == ["gain", "load", "time base"]
    page = Path("r.html").read_text("utf-8")
    assert page.count("<svg") == 1
    assert "stimctl/bench/tolerances.toml" in page
    assert Path("r.pdf").read_bytes().startswith(b"%PDF")
    suite = Xml.parse("r.junit").getroot()[0]
    assert suite.get("failures") == suite.get("skipped") == "0"


def test_the_papers_say_what_was_measured_by_whom_and_with_what_as_far_as_it_was_said(files: Path) -> None:
    said = ("--stimulator", "Es-160, No. 4711 <b>", "--instrument", "DS1104Z, DS1ZA0001")
    told = json.loads(accept(*GOOD, *said, "--html", "r.html", "--json").stdout)
    assert told["measured"] == {"stimulator": said[1], "operator": None, "instrument": said[3]}
    page = Path("r.html").read_text("utf-8")
    text = "Stimulator: Es-160, No. 4711 &lt;b&gt;; operator: not said; instrument: DS1104Z, DS1ZA0001."
    assert text in page
    assert accept(*GOOD, "--operator", 81 * "x").exit_code == codes.USAGE


@pytest.mark.parametrize(
    ("changed", "figure"),
    [
        ({"level_v": 0.42}, "amplitude, median"),
        ({"width_us": 250.0}, "width, mean"),
        ({"period_s": 0.0109}, "rate"),
        ({"second": 0.8}, "second phase, amplitude"),
        ({"gap_us": 60.0}, "gap"),
    ],
)
def test_what_is_wrong_fails(changed: dict[str, float], figure: str, files: Path) -> None:
    bad = saved("bad.npz", on_bench(train(**changed), BENCH))
    result = accept("--capture", bad, *GOOD[2:], "--amplitude-ma", "1", "--junit", "r.xml")
    assert result.exit_code == codes.UNMET, result.output
    assert result.output.startswith("DOES NOT HOLD")
    failed = {
        case.get("name") for case in Xml.parse("r.xml").getroot().iter("testcase") if case.find("failure") is not None
    }
    assert figure in failed


def test_pulses_of_one_phase_fail(files: Path) -> None:
    """Direct current flows in each of them: that no second phase can be measured does not leave it open."""
    bad = saved("bad.npz", on_bench(train(second=1e-9), BENCH))
    result = accept("--capture", bad, *GOOD[2:], "--amplitude-ma", "1", "--json")
    assert result.exit_code == codes.UNMET, result.output
    (row,) = (row for row in json.loads(result.stdout)["captures"][0]["rows"] if row["name"] == "pulses cut short")
    assert (row["value"], row["verdict"]) == (351, "fails")
    assert "351 of 351 pulses have no second phase" in row["note"]


def test_nothing_is_told_of_what_the_scale_cut_off(files: Path) -> None:
    """Neither amplitude nor charge, direct current, rms, or any of the sheet's figures that come from them."""
    cut = saved("cut.npz", on_bench(train(0.5), Bench(rate_hz=RATE_HZ, noise_v=0.004, bits=8, range_v=0.4)))
    off = saved("off.npz", on_bench(np.zeros(round(SECONDS * RATE_HZ)), BENCH))
    result = accept("--capture", cut, *GOOD[2:], "--reference", off, "--needle", "0.30x30", "--json")
    told = json.loads(result.stdout)
    rows = [row for row in told["captures"][0]["rows"] if "clipped" in row["reason"]]
    assert {row["name"] for row in rows} == {
        "amplitude, median", "charge of the first phase", "charge of the second phase", "average direct current",
        "net charge a pulse", "rms current",
    }  # fmt: skip
    assert all(row["value"] is None for row in rows)
    sheet = {line["name"]: line["figures"][0] for line in told["sheet"]["figures"]}
    for name in ("maximum current", "maximum voltage", "100 Hz: phase charge", "rms current density", "power density"):
        assert sheet[name]["value"] is None, name
        assert "clipped" in sheet[name]["reason"], name


def test_a_rise_over_two_bands_is_no_error(files: Path) -> None:
    """Five seconds over time, of which the first three hold six pulses and the rest two hundred."""
    samples = train()
    samples *= np.minimum(np.arange(len(samples)) / RATE_HZ / 5, 1)
    options = ("--capture", saved("rise.npz", on_bench(samples, BENCH)), *GOOD[2:], "--amplitude-ma", "1")
    result = accept(*options)
    assert result.output.startswith("HOLDS in what was measured"), result.output
    told = json.loads(accept(*options, "--json").stdout)
    rows = {row["where"]: row for row in told["captures"][0]["rows"] if row["name"] == "rate"}
    sheet = {line["name"]: line["figures"][0] for line in told["sheet"]["figures"]}
    for band in ("2 Hz", "100 Hz"):
        in_sheet, in_rows = sheet[f"{band}: frequency"], rows[f"ch1, {band}"]
        assert (in_sheet["value"], in_sheet["uncertainty"]) == (in_rows["value"], in_rows["uncertainty"])


def test_noise_alone_flows_after_no_stop(files: Path) -> None:
    """The largest of a thousand milliseconds stands out by noise: by no more than is said of it."""
    samples = train()
    samples[round(8.0 * RATE_HZ) :] = 0
    quiet = saved("stop.npz", on_bench(samples, Bench(rate_hz=RATE_HZ, noise_v=0.02)))
    told = json.loads(accept("--capture", quiet, *GOOD[2:], "--stop-at", "8.0", "--json").stdout)
    (row,) = (row for row in told["captures"][0]["rows"] if row["name"].startswith("current from"))
    assert 0 < row["value"] <= row["uncertainty"]


def test_between_holding_and_failing_it_is_undecided(files: Path) -> None:
    edge = saved("edge.npz", on_bench(train(0.455), BENCH))
    result = accept("--capture", edge, *GOOD[2:], "--amplitude-ma", "1")
    assert result.exit_code == codes.NOT_EXAMINED, result.output
    assert "undecided" in result.output
    surely = accept(
        "--capture", edge, *GOOD[2:], "--amplitude-ma", "1", "--gain-percent", "0.1", "--load-percent", "0.1"
    )
    assert "amplitude, median" in surely.output
    row = next(line for line in surely.output.splitlines() if line.startswith("CH1, 2 Hz") or "ch1, 2 Hz" in line)
    assert row.endswith("holds")


def test_a_long_reason_leaves_the_sheets_names_their_room(files: Path) -> None:
    """In a column that takes what it needs, a reason takes all of the page: the names stood below each other."""
    told = json.loads(accept(*GOOD, "--json").stdout)
    table = next(line for line in _sheet(told["sheet"]) if line.startswith("#table"))
    assert table == "#table(columns: (1.2fr, auto, 1fr),"


def test_three_loads_make_the_sheet(files: Path) -> None:
    two = saved("b.npz", on_bench(train(2.0), Bench(rate_hz=RATE_HZ, noise_v=0.004)))
    ten = saved("c.npz", on_bench(train(10.0), Bench(rate_hz=RATE_HZ, noise_v=0.02)))
    loads = ("--capture", two, "--load", "2000", "--capture", ten, "--load", "10000")
    result = accept(*GOOD, *loads, "--amplitude-ma", "1", "--needle", "0.30x30", "--json")
    sheet = json.loads(result.stdout)["sheet"]
    assert sheet["loads_ohm"] == [500, 2_000, 10_000]
    volts = next(line for line in sheet["figures"] if line["name"] == "maximum voltage")
    assert [figure["value"] for figure in volts["figures"]] == pytest.approx([0.5, 2.0, 10.0], rel=0.05)
    names = {line["name"] for line in sheet["figures"]}
    assert {"maximum current", "2 Hz: pulse duration, first phase", "100 Hz: frequency", "net charge a pulse"} <= names
    assert {"2 Hz: phase charge", "rms current density", "power density"} <= names


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--capture", "none.csv", *GOOD[2:]), codes.INVALID, "cannot be read"),
        ((*GOOD, "--capture", "good.csv"), codes.USAGE, "each --capture needs its --load"),
        ((*GOOD, "--unit", "mV"), codes.INVALID, "the file says V, declared is mV"),
        ((*GOOD, "--channel", "CH7"), codes.INVALID, "no channel 'CH7'; it has CH1"),
        ((*GOOD, "--needle", "thin"), codes.INVALID, "such as 0.30x30"),
        ((*GOOD, "--reference", "good.csv"), codes.INVALID, "taken with the outputs disabled"),
        ((*GOOD[:3], "migraine", *GOOD[4:]), codes.INVALID, "nothing to stimulate"),
        ((*GOOD[:5], "0"), codes.USAGE, "0.0 is not in the range x>0"),
        ((*GOOD, "--tolerances", "good.csv"), codes.INVALID, "is no TOML"),
    ],
)
def test_what_cannot_be_is_said(options: tuple[str, ...], code: int, words: str, files: Path) -> None:
    result = accept(*options)
    assert result.exit_code == code, result.output
    assert words in result.output


def test_a_probe_in_the_file_is_told_and_not_used(files: Path) -> None:
    times = np.arange(5_000) / RATE_HZ
    Path("tek.csv").write_text(tektronix(times, [train()[300_000:305_000]]))
    result = accept("--capture", "tek.csv", *GOOD[2:])
    assert "its probe is 10x; its numbers were taken as declared, times 1" in result.output


def test_a_probe_that_nobody_set_is_suspected(files: Path) -> None:
    result = accept(*GOOD, "--amplitude-ma", "1", "--probe", "10")
    assert result.exit_code == codes.UNMET
    assert "10 times what was commanded: is --probe or --unit right?" in result.output


def test_crosstalk_spoils_no_figure_and_counts_as_current_on_both(files: Path) -> None:
    one = train()
    two = np.roll(one, round(2.5e-3 * RATE_HZ))
    columns = {"ch1": on_bench(one, BENCH), "ch2": on_bench(two + 0.15 * one, BENCH)}
    np.savez("two.npz", rate_hz=RATE_HZ, **{name: each.astype(np.float32) for name, each in columns.items()})  # type: ignore[arg-type]
    result = accept(
        "--capture", "two.npz", "--profile", "bench-2-100hz", "--load", "500", "--amplitude-ma", "1", "--json"
    )
    assert result.exit_code == codes.UNMET
    told = json.loads(result.stdout)["captures"][0]
    fails = [(row["where"], row["name"], row["value"]) for row in told["rows"] if row["verdict"] == "fails"]
    assert [(where, name) for where, name, _ in fails] == [("ch1 and ch2", "pulses that flow on both channels at once")]
    assert fails[0][2] > 300
    assert any("ch2" in note and "some 14% as high: crosstalk" in note for note in told["notes"])


def test_a_channel_of_copies_alone_is_told_by_their_number(files: Path) -> None:
    one = train()
    columns = {name: on_bench(part * one, BENCH).astype(np.float32) for name, part in (("ch1", 1.0), ("ch2", 0.15))}
    np.savez("copy.npz", rate_hz=RATE_HZ, **columns)  # type: ignore[arg-type]
    told = json.loads(accept("--capture", "copy.npz", *GOOD[2:], "--json").stdout)["captures"][0]
    assert {row["where"] for row in told["rows"]} == {"ch1", "ch1, 2 Hz", "ch1, 100 Hz", "ch1 and ch2"}
    (both,) = (row for row in told["rows"] if row["where"] == "ch1 and ch2")
    assert (both["name"], both["verdict"]) == ("pulses that flow on both channels at once", "fails")
    assert both["value"] > 300


def test_a_channel_without_pulses_is_told_of_and_judged_where_it_is_named(files: Path) -> None:
    samples = on_bench(train(), BENCH).astype(np.float32)
    for name, quoted in (("ch2", "ch2"), ("ch 2", "'ch 2'")):
        columns = {"ch1": samples, name: np.full(len(samples), 0.5, np.float32)}
        np.savez("two.npz", rate_hz=RATE_HZ, **columns)  # type: ignore[arg-type]
        options = ("--capture", "two.npz", *GOOD[2:])
        told = accept(*options).output
        assert f"{name}: no pulse in it, and nothing else of it was judged; --channel {quoted} has it judged" in told
        assert accept(*options, "--channel", name).output.startswith("DOES NOT HOLD")


def test_a_top_that_may_be_cut_off_has_a_note(files: Path) -> None:
    flat = saved("flat.npz", on_bench(np.minimum(train(), 0.37), Bench(rate_hz=RATE_HZ, bits=8, noise_v=8e-4)))
    told = json.loads(accept("--capture", flat, *GOOD[2:], "--json").stdout)["captures"][0]
    assert any("the screen may have cut them off; say --full-scale" in note for note in told["notes"])
    told = json.loads(accept(*GOOD, "--json").stdout)["captures"][0]
    assert not any("cut them off" in note for note in told["notes"])


def test_a_band_that_meets_one_place_between_samples_is_not_as_sure_as_the_other(files: Path) -> None:
    """A clock 100 ppm off: 1,000.1 samples from pulse to pulse at 100 Hz, and 50,005 at 2 Hz."""
    slow, fast = Truth(width_us=604, second_width_us=604), Truth()
    samples = np.zeros(round(24.1 * RATE_HZ))
    for begin_s in (0.0105, 6.0105, 12.0105, 18.0105):
        samples += drawn(steady(0.50005, 6, begin_s), slow, RATE_HZ, 24.1)
        samples += drawn(steady(0.010001, 299, begin_s + 3), fast, RATE_HZ, 24.1)
    file = saved("clock.npz", on_bench(samples, Bench(rate_hz=RATE_HZ, noise_v=0.001)))
    told = json.loads(accept("--capture", file, *GOOD[2:], "--json").stdout)
    rows = {(row["where"], row["name"]): row for row in told["captures"][0]["rows"]}
    for name in ("width, mean", "second phase, width, mean"):
        row = rows["ch1, 2 Hz", name]
        assert row["value"] == pytest.approx(604, abs=row["uncertainty"])
        assert rows["ch1, 100 Hz", name]["uncertainty"] < row["uncertainty"] / 4
    sheet = {line["name"]: line["figures"][0] for line in told["sheet"]["figures"]}
    in_sheet = sheet["2 Hz: pulse duration, first phase"]
    assert in_sheet["uncertainty"] == rows["ch1, 2 Hz", "width, mean"]["uncertainty"]


def test_a_step_that_meets_a_sample_has_no_rise(files: Path) -> None:
    """Half of its height at one sample looks like an edge of 1.6 samples, which it has not."""
    samples = train()
    begins = np.flatnonzero((samples[1:] > 0.4) & (np.abs(samples[:-1]) < 0.1))
    samples[begins] = 0.25
    told = json.loads(accept("--capture", saved("step.npz", on_bench(samples, BENCH)), *GOOD[2:], "--json").stdout)
    rows = [row for row in told["captures"][0]["rows"] if row["name"].startswith("rise")]
    assert len(rows) == 2
    assert all("under 2.5 samples" in row["reason"] for row in rows)


def test_a_capture_that_is_shorter_than_a_period_says_nothing_against_the_device(files: Path) -> None:
    silent = on_bench(np.zeros(60_000), BENCH)  # 0.6 s, and the longest period is 0.5 s
    options = ("--profile", "bench-2-100hz", "--load", "500")
    short = accept("--capture", saved("short.npz", silent[:50_000]), *options)
    assert short.exit_code == codes.NOT_EXAMINED, short.output
    assert "the capture is shorter than a period and holds none" in short.output
    long = accept("--capture", saved("long.npz", silent), *options)
    assert long.exit_code == codes.UNMET
    assert "DOES NOT HOLD: 1 of 1 figures fail" in long.output


def test_a_reference_in_another_unit_is_refused(files: Path) -> None:
    text = Path("off.csv").read_text()
    assert "Volt" in text.split("\n")[1]
    Path("off-mv.csv").write_text(text.replace("Volt", "mV", 1))
    refused = accept(*GOOD, "--reference", "off-mv.csv")
    assert refused.exit_code == codes.INVALID, refused.output
    assert "off-mv.csv:\n  unit of CH1 is 'mV': the file says mV, declared is V" in refused.output


def test_what_stands_between_pulses_and_is_none_fails_with_its_height_and_moment(files: Path, tmp_path: Path) -> None:
    spike, held = np.zeros(round(SECONDS * RATE_HZ)), np.zeros(round(SECONDS * RATE_HZ))
    spike[480_500:480_503] = 0.25  # 500 uA for 30 us at 4.805 s, between two pulses of 100 Hz
    held[125_000:126_000] = 0.15  # 300 uA for 10 ms at 1.25 s
    for what, near_ua, moment in (
        (np.zeros_like(spike), None, ""),
        (spike, 500, "at 4.805000 s; 1 in all"),
        (held, 300, "at 1.250 s; 1 in all"),
        (spike + held, 500, "at 4.805000 s; 2 in all"),
        (-spike, 500, "at 4.805000 s; 1 in all"),
    ):
        name = saved("spiked.npz", on_bench(train() + what, BENCH))
        options = ("--capture", name, "--profile", "bench-2-100hz", "--load", "500", "--unit", "V", "--json")
        result = accept(*options)
        rows = [row for row in json.loads(result.stdout)["captures"][0]["rows"] if "between pulses" in row["name"]]
        if near_ua is None:
            assert (rows, result.exit_code) == ([], codes.NOT_EXAMINED)
            continue
        (row,) = rows
        assert result.exit_code == codes.UNMET
        assert (row["verdict"], row["high"], row["note"]) == ("fails", 20, moment)
        assert row["value"] == pytest.approx(near_ua, abs=row["uncertainty"])


BETWEEN = round(4.805 * RATE_HZ)  # two pulses of 100 Hz


@pytest.mark.parametrize("ms", [5, 20, 40, 45, 60, 120, 300, 400, 1_500, None])
def test_a_level_of_any_length_fails_with_its_height_and_the_moment_at_which_it_began(
    ms: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its length does not matter, up to the capture's end (None), nor whether pulses go on upon it."""
    monkeypatch.chdir(tmp_path)
    held = np.zeros(round(SECONDS * RATE_HZ))
    held[BETWEEN : None if ms is None else BETWEEN + ms * 100] = 0.15
    result = accept(
        "--capture", saved("held.npz", on_bench(train() + held, BENCH)), "--profile", "bench-2-100hz", "--load", "500",
        "--unit", "V", "--json",
    )  # fmt: skip
    (row,) = [row for row in json.loads(result.stdout)["captures"][0]["rows"] if "between pulses" in row["name"]]
    assert (result.exit_code, row["verdict"], row["note"]) == (codes.UNMET, "fails", "at 4.805 s; 1 in all")
    assert row["value"] == pytest.approx(300, abs=row["uncertainty"])


@pytest.mark.parametrize(("samples", "moment"), [(3, "4.805000"), (400, "4.805"), (8_000, "4.805")])
def test_what_is_beyond_the_scale_between_pulses_fails_over_the_most_that_was_shown(
    samples: int, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    taken, held = on_bench(train(), BENCH), np.zeros(round(SECONDS * RATE_HZ))
    held[125_000:126_000] = 0.15
    taken += held
    taken[BETWEEN : BETWEEN + samples] = np.inf
    options = ("--capture", saved("over.npz", taken), "--profile", "bench-2-100hz", "--load", "500", "--unit", "V")
    result = accept(*options, "--json")
    (row,) = [row for row in json.loads(result.stdout)["captures"][0]["rows"] if "between pulses" in row["name"]]
    assert (row["verdict"], row["over"], row["note"]) == ("fails", True, f"at {moment} s; 2 in all")
    assert row["value"] == pytest.approx(1_000, abs=2)
    assert result.exit_code == codes.UNMET
    assert "over 1000" in accept(*options).stdout
