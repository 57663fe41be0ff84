"""The preview shows the plan's own pulses and figures, says that it is a plan, and needs its extra only when used."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from stimctl.errors import Misuse
from stimctl.report.preview import picture, text
from stimctl.report.preview_model import (
    PLANNED,
    NeedleFigures,
    PreviewInput,
    caption,
    cycle_pulses,
    envelope,
    pulse_outline,
)
from stimctl.report.preview_terminal import round_ticks
from stimctl.waveform import Mode, Program, Segment, segments_for

US = 1_000_000
NEEDLE = NeedleFigures("0.30 mm x 15 mm", 8.49, 1.008, 2.83)


def preview(mode: Mode = Mode.DENSE_DISPERSE, needle: NeedleFigures | None = NEEDLE, **changes: Any) -> PreviewInput:
    changes = {"stimulation_us": 1_200 * US} | changes
    return PreviewInput("Chronic low back pain", Program(segments_for(mode), (1,), **changes), 1, 2_000, needle)


def test_the_caption_gives_dose_charge_density_k_and_that_it_is_a_plan() -> None:
    assert caption(preview()) == [
        "Channel 1: 2.00 mA peak of the first phase, 20:00 min;"
        " 61,200 pulses, 25.287 mC in first phases, ramps included.",
        "Charge per phase: 1.200 uC at 2 Hz, 0.400 uC at 100 Hz."
        " Attention: 1.000 uC and more corroded steel needles in rats [lit].",
        "Needle 0.30 mm x 15 mm: 8.5 uC/cm2 a phase (limit 30), Shannon k 1.01 (limit 1.5),"
        " 2.8 mA/cm2 rms (attention: over 2).",
        "Planned, not measured.",
    ]


def test_no_needle_is_said_and_nothing_is_made_up() -> None:
    said = "\n".join(caption(preview(needle=None)))
    assert "No needle declared: charge density and Shannon k are not known, and it cannot be armed." in said
    assert "uC/cm2" not in said


def test_flags_are_shown_only_where_they_belong() -> None:
    quiet = preview(Mode.HIGH, needle=NeedleFigures("0.25 mm x 30 mm", 1.7, -0.17, 1.7))
    assert "ttention" not in "\n".join(caption(quiet))


def test_the_outline_is_two_rectangles_of_equal_area() -> None:
    segment = Segment(500_000, 300, 50, 600, 0)
    times, currents = pulse_outline(segment, 1_000, 100)
    assert times == [100, 100, 400, 400, 450, 450, 1_050, 1_050]
    assert currents == [0, 1, 1, 0, 0, -0.5, -0.5, 0]


def test_one_cycle_has_306_pulses_and_ten_periods_have_ten() -> None:
    assert len(cycle_pulses(preview())) == 306
    assert len(cycle_pulses(preview(Mode.HIGH))) == 10
    assert len(cycle_pulses(preview(Mode.LOW, stimulation_us=2 * US))) == 4, "no further than the session"


def test_the_envelope_has_both_ramps_and_no_more_points_than_they_need() -> None:
    shape = envelope(preview())
    # The ramp of the golden dose: 1.9 mA at 9 s and 2 uA each 10 ms; the fall's first lower pulse is at 1195.5 s.
    assert (shape.risen_us, shape.falling_us) == (9_500_000, 1_195_000_000)
    assert (shape.times_us[0], shape.currents_ma[0]) == (0, 0)
    assert (shape.times_us[-1], shape.currents_ma[-1]) == (1_200 * US, 0)
    assert max(shape.currents_ma) == 2.0
    assert len(shape.times_us) < 1_000


def test_an_amplitude_of_zero_is_an_empty_plan() -> None:
    nothing = PreviewInput("Titrated", Program(segments_for(Mode.LOW), (1,)), 1, 0)
    assert envelope(nothing).currents_ma == [0, 0]
    assert len(picture(nothing, Path("zero.png"))) > 10_000
    assert "0.00 mA" in text(nothing)


def test_png_is_drawn_and_the_same_each_time() -> None:
    first = picture(preview(), Path("a.png"))
    assert first.startswith(b"\x89PNG\r\n")
    assert picture(preview(), Path("b.PNG")) == first


def test_svg_is_drawn_and_the_same_each_time() -> None:
    first = picture(preview(needle=None), Path("a.svg"))
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert picture(preview(needle=None), Path("b.svg")) == first


def test_the_picture_holds_caption_panels_and_no_more_than_the_plan(tmp_path: Path) -> None:
    from stimctl.report.preview_figure import draw

    figure = draw(preview())
    written = "\n".join(shown.get_text() for shown in figure.texts)
    for line in caption(preview()):
        assert line in written
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "The pulse at 2 Hz: two phases of equal area",
        "The pulse at 100 Hz: two phases of equal area",
        "One cycle of the pattern, at full amplitude",
        "The start: full after 9.5 s",
        "The whole session",
        "The end: falling for 5.0 s",
    ]


def test_nothing_is_loaded_before_it_is_drawn_and_pyplot_never() -> None:
    """In a process of its own: pyplot would look for a display and keep every figure."""
    program = (
        "import sys\n"
        "import stimctl.report.preview, stimctl.waveform, stimctl.dose\n"
        "assert not {'numpy', 'matplotlib', 'plotext'} & set(sys.modules)\n"
        "import stimctl.report.preview_figure\n"
        "assert 'matplotlib.figure' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(("mode", "full_after"), [(Mode.LOW, 9.5), (Mode.HIGH, "10.0"), (Mode.DENSE_DISPERSE, 9.5)])
def test_text_for_a_terminal(mode: Mode, full_after: object) -> None:
    shown = text(preview(mode), width=80)
    assert "\x1b" not in shown, "no colours"
    assert max(len(line) for line in shown.splitlines() if "│" in line) <= 80
    assert shown.startswith("Chronic low back pain\n")
    assert shown.rstrip().endswith(PLANNED)
    assert f"The session: full after {full_after} s, falling for the last 5.0 s" in shown
    assert text(preview(mode), width=80) == shown


@pytest.mark.parametrize("last", [0.4, 1.9, 2.8, 6, 20, 30, 59.99])
def test_ticks_are_few_and_round(last: float) -> None:
    ticks = round_ticks(last)
    assert 3 <= len(ticks) <= 7
    assert ticks[0] == 0
    assert ticks[-1] <= last
    assert all(len(f"{tick:g}") <= 3 for tick in ticks)


def test_another_ending_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"a.pdf: a preview is written as .png or .svg"):
        picture(preview(), tmp_path / "a.pdf")
    with pytest.raises(Misuse, match="does not exist"):
        picture(preview(), tmp_path / "nowhere" / "a.png")


@pytest.mark.parametrize("library", ["matplotlib", "plotext"])
def test_without_the_extra_it_says_how_to_get_it(library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import stimctl.report

    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    for module in ("preview_figure", "preview_terminal"):
        monkeypatch.delitem(sys.modules, f"stimctl.report.{module}", raising=False)
        monkeypatch.delattr(stimctl.report, module, raising=False)
    shows: dict[str, Callable[[], object]] = {
        "matplotlib": lambda: picture(preview(), tmp_path / "a.png"),
        "plotext": lambda: text(preview()),
    }
    with pytest.raises(Misuse, match=rf"{library} is not installed.*pip install 'stimctl\[plot\]'"):
        shows[library]()


def test_nothing_is_drawn_to_say_what_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "plotext", None)
    assert caption(preview())[-1] == PLANNED


def test_in_a_picture_a_dollar_is_a_dollar_and_no_formula() -> None:
    assert len(picture(replace(preview(), title="costs $5_{ and $6"), Path("a.png"))) > 10_000


def test_a_character_that_no_font_has_is_told_and_no_box() -> None:
    with pytest.raises(Misuse, match=r"the picture holds '\U0001f9ff', and matplotlib finds no font"):
        picture(replace(preview(), title="a \U0001f9ff"), Path("a.png"))


def test_a_title_from_right_to_left_is_set_apart_in_a_picture() -> None:
    from stimctl.report.preview_figure import draw

    assert (
        draw(replace(preview(), title="\u05d3\u05e0\u05d4 2")).texts[0].get_text() == "\u2068\u05d3\u05e0\u05d4 2\u2069"
    )
