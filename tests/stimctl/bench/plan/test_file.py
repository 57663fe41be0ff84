"""A plan's file: the shipped one is good, and what is wrong in another is named with its line before anything runs."""

from pathlib import Path

import pytest

from stimctl.bench.plan.driving import settings_for
from stimctl.bench.plan.file import EXAMPLE, load_plan
from stimctl.bench.plan.points import Act
from stimctl.errors import InputInvalid

HEAD = 'format = 1\ntitle = "one"\n'
STEP = '[[steps]]\nkind = "amplitude"\namplitudes_ma = [0.5, 2.0]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_the_shipped_plan_has_every_kind_but_a_pair() -> None:
    plan = load_plan(EXAMPLE)
    assert {point.kind for point in plan.points} == {
        "amplitude", "width", "rate", "loads", "timer", "stop", "watchdog", "endurance"
    }  # fmt: skip
    endurance = [point for point in plan.points if point.kind == "endurance"]
    assert [point.act for point in endurance] == [Act.SHORT, Act.OPEN] * 10 + [Act.NOTHING]
    assert {(point.act, point.stays_s, point.rest_s) for point in endurance[:-1]} == {
        (Act.SHORT, 5.0, 0.0), (Act.OPEN, 15.0, 60.0)
    }  # fmt: skip
    assert len({point.key for point in plan.points}) == len(plan.points)


def test_every_capture_fits_the_screen_and_its_window() -> None:
    for point in {(point.run, point.act): point for point in load_plan(EXAMPLE).points}.values():
        prescription = point.prescription()
        settings = settings_for(point, prescription, 10.0)
        assert point.peak_v / 10 < 5 * settings.volts_per_division
        assert settings.trigger_v < point.peak_v / 10 / 3
        assert settings.points / settings.seconds >= 50_000
        whole_us = prescription.stimulation_us if point.whole_s else point.run.plateau_us
        assert settings.seconds * 0.9e6 > (whole_us if point.act is Act.NOTHING else 2_500_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, "steps: there is none: write [[steps]]"),
        (
            HEAD + '[[steps]]\nkind = "amplitud"\n',
            "line 4: steps[0].kind is 'amplitud': must be one of amplitude, width",
        ),
        (HEAD + STEP.replace("0.5", "0.5005"), "amplitudes_ma"),
        (HEAD + STEP.replace("0.5", "-0.5"), "steps[0].amplitudes_ma[0] is -0.5: must be greater than 0"),
        (HEAD + STEP.replace("0.5, ", "0.5, " * 20), "must have at most 20 elements, and has 21"),
        (HEAD + STEP.replace("2.0", "2.5"), "line 3: steps[0]: breaks a limit"),
        (HEAD + STEP + "amplitude = 1\n", "steps[0].amplitude"),
        (HEAD + STEP.replace("2.0", '"2"'), "steps[0].amplitudes_ma[1] is '2': must be a number"),
        (HEAD + '[[steps]]\nkind = "pair"\nsecond_channel = 1\n', "name two channels"),
        (HEAD + '[[steps]]\nkind = "width"\nwidths_us = [900]\n', "breaks a limit"),
        (
            HEAD + '[[steps]]\nkind = "loads"\nohms = [500, 10000]\n',
            "steps[0].ohms[1] is 10000: must be 5000 at most: more is no contact to a session",
        ),
        (HEAD.replace("1", "2", 1) + STEP, "format is 2"),
        (HEAD + "[scope]\nprobe = 0\n" + STEP, "scope.probe is 0"),
        (HEAD + "[scope]\nprobes = 10\n" + STEP, "did you mean probe?"),
        (HEAD + STEP.replace("kind", "kind "), None),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str | None, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    if words is None:
        assert len(load_plan(path).points) == 2
        return
    with pytest.raises(InputInvalid) as wrong:
        load_plan(path)
    assert str(wrong.value).startswith(f"{path}:")
    assert words in str(wrong.value)
