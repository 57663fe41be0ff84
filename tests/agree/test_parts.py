"""Many examples are shared by processes: as many as were asked for, the same ones each time, and failures are told."""

import pytest
from click.testing import CliRunner

from tests.agree import parts as shared
from tests.agree.__main__ import main
from tests.agree.parts import Part, parts, play_part
from tests.agree.test_planted import late_watchdog, steep_ramp


def test_the_parts_are_all_of_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "PART", 500)
    made = parts("late", 1_203, 25, 7, False)
    assert [part.examples for part in made] == [500, 500, 203]
    assert made[0].seed == 7
    assert len({part.seed for part in made}) == 3
    assert made == parts("late", 1_203, 25, 7, False)


def test_any_part_can_be_drawn_alone() -> None:
    part = parts("late", 1_203, 25, 7, True)[-1]
    assert part.again().endswith(f"--examples 203 --steps 25 --seed {part.seed} --shrink late")
    assert parts("late", 203, 25, part.seed, True) == [part]


@pytest.mark.slow
def test_a_part_that_disagrees_counts_none_and_shows_the_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    late_watchdog(monkeypatch)
    steep_ramp(monkeypatch)
    played = play_part(Part("session", 1, 100, 25, False))
    assert played.agree == 0
    assert played.failure is not None
    assert 'name = "disagreement"' in played.failure
    assert "session: Disagreement:" in played.failure


def test_examples_that_could_not_be_drawn_are_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "run_state_machine_as_test", lambda *_args, **_options: None)
    played = play_part(Part("device", 1, 5, 3, False))
    assert (played.agree, played.failure) == (0, "device: only 0 of 5 examples could be drawn")


@pytest.mark.slow
@pytest.mark.realtime
def test_two_processes_play_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "PART", 3)
    result = CliRunner().invoke(main, ["--examples", "7", "--steps", "2", "--seed", "5", "--jobs", "2", "device"])
    assert result.exit_code == 0, result.output
    assert result.output.count(" of 7 examples agree, ") == 3, result.output
    assert "device: 7 of 7 examples agree (--seed 5, " in result.output.splitlines()[-1]
