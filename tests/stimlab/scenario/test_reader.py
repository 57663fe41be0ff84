"""Scenario files: what is read, what is written, and what is said of a file that is wrong."""

from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.faults import CATALOGUE, Fault, NumberOption
from firmware_sim.faults.reader import SCENARIO_FIELDS
from stimctl.errors import InputInvalid
from stimctl.label import Prose
from stimctl.profile.toml_text import parse
from stimctl.session.states import End, State
from stimctl.wire.codes import DeviceState
from stimlab.scenario.model import DOES, NEED_A_LENGTH, OF_A_CHANNEL, PULSES, TIMES
from stimlab.scenario.reader import (
    Expectation,
    OperatorAction,
    Scenario,
    ScenarioFile,
    action_from,
    dump,
    load_scenario,
    prescribed,
    scenario_from,
)

GOOD = """\
name = "mine"
hazards = ["H05"]

[prescription]
seconds = 12
channels = [{ channel = 2, amplitude_ma = 1.5 }]

[[action]]
do = "set"
after = "RUNNING"
at_s = 1.5
channel = 2
amplitude_ma = 0.7

[[fault]]
kind = "line.loss"
at_s = 0.000_001
permille = 200

[expect]
ends = ["TIMER", "LINE_LOST"]
zero_confirmed = true
within_ms = { stop_to_zero = 1.5 }
"""


def problems(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputInvalid) as wrong:
        load_scenario(path)
    assert str(wrong.value).startswith(f"{path}:\n")
    return str(wrong.value)


def test_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, "utf-8")
    made = load_scenario(path)
    assert made.hazards == ("H05",)
    assert made.actions == (OperatorAction(1_500_000, "set", 2, 700, "RUNNING"),)
    assert made.faults == (Fault("line.loss", at_us=1, options={"permille": 200}),)
    assert made.expect == Expectation(frozenset({End.TIMER, End.LINE_LOST}), True, within_us={"stop_to_zero": 1_500})
    made_rx = prescribed(made)
    assert [(plan.channel, plan.amplitude_ua) for plan in made_rx.channels] == [(2, 1_500)]
    assert made_rx.stimulation_us == 12_000_000
    assert made_rx.ceiling_ua == 2_000


def test_a_name_is_all_that_is_needed() -> None:
    made = scenario_from({"name": "bare"})
    assert made == Scenario("bare")
    assert prescribed(made).stimulation_us == 20_000_000


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('name = "mine"', 'name = "My File"', "line 1: name is 'My File': must be written otherwise"),
        ('hazards = ["H05"]', 'hazard = ["H05"]', "line 2: hazard is ('H05',): is not a field here; did you mean"),
        ('hazards = ["H05"]', 'load = "wood"', "line 2: load is 'wood': no load is called 'wood'; the loads are"),
        ('hazards = ["H05"]', "seed = -1", "line 2: seed is -1: "),
        ("seconds = 12", "seconds = 0.5", "line 5: prescription.seconds is 0.5: must be 1 s to 30 min"),
        ("seconds = 12", "minutes = 1.0\nwater = 2", "line 6: prescription.water is 2: is not a field here"),
        ("amplitude_ma = 1.5", "amplitude_ma = 2.5", "prescription.channels[0].amplitude_ma is 2.5: must be 0.5 to 2"),
        ('do = "set"', 'do = "jump"', "line 9: action[0].do is 'jump': must be 'proceed', 'raise', "),
        ('do = "set"', 'do = "stop"', "line 12: action[0].channel is 2: 'stop' has no channel"),
        ("amplitude_ma = 0.7", "", "line 8: action[0].amplitude_ma: 'set' needs an amplitude"),
        ("amplitude_ma = 0.7", "amplitude_ma = 0.70001", "line 13: action[0].amplitude_ma is 0.70001: 0.70001 is not"),
        ('"RUNNING"', '"RUNING"', "line 10: action[0].after is 'RUNING': must be a state of the session: IDLE, "),
        ("at_s = 1.5", "at_s = 1.5000001", "line 11: action[0].at_s is 1.5000001: 1.5000001 is not a whole number"),
        ("at_s = 1.5", "at_s = -1", "line 11: action[0].at_s is -1: "),
        ('"line.loss"', '"line.lost"', "line 16: fault[0].kind is 'line.lost': must be one of line.loss, "),
        ("permille = 200", "permille = 2000", "line 18: fault[0].permille is 2000: must be a whole number from 0 to"),
        ("permille = 200", "percent = 2", "line 18: fault[0].percent is 2: line.loss has no such option"),
        ('"line.loss"\nat_s = 0.000_001\npermille = 200', '"host.stall"', "line 15: fault[0].for_s: host.stall needs"),
        ('"TIMER", ', '"TIME", ', "line 21: expect.ends[0] is 'TIME': must be one of TIMER, OPERATOR, "),
        ("stop_to_zero =", "stop_zero =", "line 23: expect.within_ms.stop_zero is 1.5: times are fault_to_zero, "),
        ("zero_confirmed = true", 'zero_confirmed = "yes"', "line 22: expect.zero_confirmed is 'yes': must be true or"),
        ("[expect]", "[expect", "line 20: syntax: '[expect' is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_file_says_where_and_what(tmp_path: Path, was: str, now: str, said: str) -> None:
    assert was in GOOD
    assert said in problems(tmp_path, GOOD.replace(was, now))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"RUNNING"', '"NOWHERE"').replace("200", "-1").replace('"TIMER"', '"NEVER"')
    said = problems(tmp_path, text)
    assert all(word in said for word in ("NOWHERE", "permille", "NEVER"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="No such file"):
        load_scenario(tmp_path / "none.toml")


def test_a_prescription_that_is_to_be_refused_may_be_wrong() -> None:
    made = scenario_from({"name": "a", "prescription": {"ceiling_ma": 3.0}, "expect": {"refused": "ceiling"}})
    assert made.answers["ceiling_ma"] == 3.0


def test_one_action_alone() -> None:
    assert action_from({"do": "lower", "at_s": 2, "channel": 1}) == OperatorAction(2_000_000, "lower", 1)
    with pytest.raises(InputInvalid, match="needs a channel"):
        action_from({"do": "lower"})


# --- writing ------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8"), max_size=40)


def _is_prose(text: str) -> bool:
    """Whether it is read as it stands: printable, in Unicode's form NFKC, without double blanks."""
    try:
        return text != "?" and Prose(text) == text
    except ValueError:
        return False


FILLED = WORDS.map(lambda text: normalize("NFKC", text)).filter(_is_prose)
TIME_US = st.integers(0, 10**12)
CHANNEL = st.integers(1, 4)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = CATALOGUE[draw(st.sampled_from([name for name in CATALOGUE if name != "device.wrong_echo"]))]
    options: dict[str, Any] = {}
    for name, option in kind.options.items():
        if draw(st.booleans()):
            numbers = st.integers(option.low, option.high) if isinstance(option, NumberOption) else None
            options[name] = draw(numbers if numbers is not None else st.sampled_from(option.choices))  # type: ignore[union-attr]
    needed = kind.name in NEED_A_LENGTH
    return Fault(
        kind.name,
        at_us=draw(TIME_US),
        for_us=draw(st.integers(1, 10**9)) if kind.lasts and (needed or draw(st.booleans())) else None,
        after=draw(st.none() | st.sampled_from(list(DeviceState.__members__))),
        channel=draw(CHANNEL) if kind.channels and draw(st.booleans()) else None,
        options=options,
    )


@st.composite
def actions(draw: st.DrawFn) -> OperatorAction:
    do = draw(st.sampled_from(DOES))
    return OperatorAction(
        draw(TIME_US),
        do,
        draw(CHANNEL) if do in OF_A_CHANNEL else None,
        draw(st.integers(0, 2_000)) if do == "set" else None,
        draw(st.none() | st.sampled_from(list(State.__members__))),
    )


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    titrate = draw(st.booleans())
    plans = []
    for channel in draw(st.lists(CHANNEL, min_size=1, max_size=3, unique=True)):
        plan: dict[str, Any] = {"channel": channel}
        if not titrate and draw(st.booleans()):
            plan["amplitude_ma"] = draw(st.sampled_from([0.5, 1, 1.0, 1.3, 2.0]))
        plans.append(plan)
    made: dict[str, Any] = {"channels": plans}
    if titrate:
        made["titrate"] = True
    lengths: list[dict[str, Any]] = [{}, {"seconds": 7.5}, {"minutes": 2}, {"seconds": 20}]
    others: list[dict[str, Any]] = [{}, {"profile": "bench-2hz"}, {"ceiling_ma": 2.0}]
    return {**made, **draw(st.sampled_from(lengths)), **draw(st.sampled_from(others))}


EXPECTS = st.builds(
    Expectation,
    ends=st.frozensets(st.sampled_from(End), max_size=4),
    zero_confirmed=st.none() | st.booleans(),
    alarms=st.lists(FILLED, max_size=3).map(tuple),
    within_us=st.dictionaries(st.sampled_from(list(TIMES)), TIME_US, max_size=3),
    refused=st.none() | FILLED,
    pulses=st.none() | st.sampled_from(PULSES),
)
SCENARIOS = st.builds(
    Scenario,
    name=st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True),
    title=WORDS,
    why=WORDS,
    hazards=st.lists(st.from_regex(r"H[0-9][0-9]", fullmatch=True), max_size=3).map(tuple),
    seed=st.integers(0, 99_999_999),
    load=st.sampled_from(["nominal", "dry", "nominal,2=open"]),
    answers=answers(),
    actions=st.lists(actions(), max_size=3).map(tuple),
    faults=st.lists(faults(), max_size=4).map(tuple),
    expect=EXPECTS,
)


@settings(deadline=None, max_examples=80)
@given(SCENARIOS)
def test_what_is_written_reads_as_the_same(scenario: Scenario) -> None:
    text = dump(scenario)
    assert scenario_from(parse(text.encode(), "dumped").values, "dumped") == scenario
    assert dump(scenario_from(parse(text.encode(), "dumped").values)) == text


def test_what_is_written_is_short() -> None:
    made = Scenario("short", faults=(Fault("line.loss", at_us=2_500_000),), expect=Expectation(frozenset({End.TIMER})))
    assert dump(made).splitlines()[-6:] == [
        "[[fault]]", 'kind = "line.loss"', "at_s = 2.5", "", "[expect]", 'ends = ["TIMER"]',
    ]  # fmt: skip
    assert "[prescription]" not in dump(made)


def test_the_simulator_knows_every_field_by_name() -> None:
    assert set(SCENARIO_FIELDS) == set(ScenarioFile.model_fields)
