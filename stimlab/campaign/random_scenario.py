"""Makes a random session in a hostile world from two numbers: prescription, operator's actions and faults.

`random_scenario(seed, index)` gives the same scenario everywhere and always. Sessions last two minutes on average
and one in twenty over twenty [choice]; faults are drawn from the catalogue, mild ones as often as wild ones. Every
prescription is a legal one: what must be refused on paper is tested elsewhere.
"""

from random import Random
from typing import Any

from firmware_sim.analog.load import LOADS
from firmware_sim.faults import CATALOGUE, Fault, NumberOption
from firmware_sim.faults.catalogue import TOLD
from stimctl.errors import InputInvalid, Problem
from stimlab.scenario.model import OF_PROCESSES, OperatorAction, Scenario

# Those that need a process of their own take real time, which a campaign has none of.
KINDS: tuple[str, ...] = tuple(name for name in CATALOGUE if name not in OF_PROCESSES)
LONG = 0.05
LONG_S = (1_205, 1_800)
SHORT_S = (5, 90)
# 3 of 10 sessions are left alone; half have one fault, the others two or three.
HOW_MANY = (0, 0, 0, 1, 1, 1, 1, 1, 2, 3)
PROFILES = ("bench-2hz", "bench-100hz", "bench-2-100hz")
POINTS = (("ST-36", "SP-6"), ("ST-35", "Xiyan"), ("LI-4", "HT-7"), ("BL-23", "BL-25"), ("GB-34", "ST-40"))
NEEDLES = ((0.25, 10), (0.25, 25), (0.30, 15), (0.30, 30))
_AFTER = ("ARMED", "CHECKING", "RAMPING", "RUNNING", "RAMPING_DOWN", "HELD", "ENDED")
_AFTER_WEIGHT = (1, 1, 3, 8, 1, 1, 1)
_S = 1_000_000


def random_scenario(seed: int, index: int, kind: str | None = None) -> Scenario:
    """Session `index` of campaign `seed`. With a `kind` of fault each session has one of that kind, and no other."""
    dice = Random(f"campaign {seed} session {index} {kind or ''}")
    seconds = dice.randint(*(LONG_S if dice.random() < LONG else SHORT_S))
    answers = _prescription(dice, seconds)
    kinds = [kind] if kind else dice.choices(KINDS, k=dice.choice(HOW_MANY))
    return Scenario(
        name=f"campaign-{seed}-{index}{'-' + kind.replace('.', '-').replace('_', '-') if kind else ''}",
        title=f"Session {index} of campaign {seed}",
        seed=dice.randrange(100_000_000),
        load=_load(dice),
        answers=answers,
        actions=tuple(_actions(dice, answers, seconds)),
        faults=tuple(_fault(dice, each, seconds) for each in kinds),
    )


def known_kind(kind: str) -> str:
    """`kind`, where a campaign can have it. Raises `InputInvalid` with the kinds there are."""
    if kind not in KINDS:
        raise InputInvalid("--fault", [Problem("kind", kind, f"must be one of {', '.join(KINDS)}")])
    return kind


# --- who gets what -----------------------------------------------------------------------------------


def _prescription(dice: Random, seconds: int) -> dict[str, Any]:
    ceiling_ua = dice.choice((2_000, dice.randint(500, 2_000)))
    titrate = dice.random() < 0.2
    low_back = seconds >= LONG_S[0] and dice.random() < 0.3
    profile = "low-back-pain" if low_back else dice.choice(PROFILES)
    numbers = sorted(dice.sample((1, 2, 3, 4), dice.choice((1, 1, 2, 3)) if not low_back else dice.choice((1, 2))))
    needles = low_back or dice.random() < 0.3
    pairs = _pairs(dice, len(numbers), (POINTS[3],) if low_back else POINTS) if needles else [None] * len(numbers)
    plans = [_plan(dice, number, pair, ceiling_ua, titrate) for number, pair in zip(numbers, pairs, strict=True)]
    answers = {"profile": profile, "seconds": seconds, "ceiling_ma": ceiling_ua / 1_000, "channels": plans}
    return {**answers, "titrate": True} if titrate else answers


def _plan(
    dice: Random, number: int, pair: tuple[dict[str, Any], dict[str, Any]] | None, ceiling_ua: int, titrate: bool
) -> dict[str, Any]:
    diameter_mm, inserted_mm = dice.choice(NEEDLES)
    first, second = pair or ({"point": "terminal 1"}, {"point": "terminal 2"})
    needle = {"diameter_mm": diameter_mm, "inserted_mm": inserted_mm, "coating": "none"}
    plan = {"channel": number, "first": first, "second": second, "needle": needle}
    target_ua = dice.choice((ceiling_ua, dice.randint(500, ceiling_ua)))
    return plan if titrate else {**plan, "amplitude_ma": target_ua / 1_000}


def _pairs(
    dice: Random, count: int, points: tuple[tuple[str, str], ...]
) -> list[tuple[dict[str, Any], dict[str, Any]] | None]:
    """Pairs on one limb or one side of the lower back, no needle twice."""
    sides = [(pair, side) for pair in points for side in ("left", "right")]
    return [
        ({"point": one, "side": side}, {"point": other, "side": side})
        for (one, other), side in dice.sample(sides, count)
    ]


def _load(dice: Random) -> str:
    return "nominal" if dice.random() < 0.7 else dice.choice(LOADS)


# --- what the operator does --------------------------------------------------------------------------


def _actions(dice: Random, answers: dict[str, Any], seconds: int) -> list[OperatorAction]:
    """Orders in the run, sensible and not; whoever holds mostly goes on, and somebody mostly ends a long wait."""
    found: list[OperatorAction] = []
    for _ in range(dice.choice((0, 0, 1, 3, 8)) + (6 if "titrate" in answers else 0)):
        found += _order(dice, answers, dice.randint(0, seconds * 1_000) * 1_000)
    if dice.random() < 0.15:
        found.append(OperatorAction(dice.randint(0, seconds * 1_000) * 1_000, "stop", after="RAMPING"))
    if dice.random() < 0.5:
        # A clip came off: somebody mends it, and goes on.
        found += [
            OperatorAction(dice.randint(1, 20) * _S, "proceed", after="HELD"),
            OperatorAction(_S, "proceed", after="RECHECKED"),
        ]
    if dice.random() < 0.9:
        found.append(OperatorAction((seconds * 3 // 2 + 60) * _S, "stop"))
    return sorted(found, key=lambda action: action.at_us)


def _order(dice: Random, answers: dict[str, Any], at_us: int) -> list[OperatorAction]:
    channel = dice.choice([plan["channel"] for plan in answers["channels"]] * 4 + [1, 2, 3, 4])
    do = dice.choice(("raise", "raise", "raise", "lower", "lower", "set", "hold", "proceed", "note"))
    after = "RAMPING"
    if do == "set":
        most_ua = 2_200 if dice.random() < 0.1 else round(answers["ceiling_ma"] * 1_000)
        return [OperatorAction(at_us, do, channel, dice.randint(0, most_ua), after)]
    if do == "hold":
        gone_on_us = at_us + dice.randint(500, 8_000) * 1_000
        again_us = gone_on_us + dice.randint(500, 3_000) * 1_000
        return [OperatorAction(each_us, what, after=after) for each_us, what in
                ((at_us, do), (gone_on_us, "proceed"), (again_us, "proceed"))]  # fmt: skip
    return [OperatorAction(at_us, do, channel if do in ("raise", "lower") else None, after=after)]


# --- what goes wrong ---------------------------------------------------------------------------------


def _fault(dice: Random, name: str, seconds: int) -> Fault:
    kind = CATALOGUE[name]
    after = dice.choices(_AFTER, _AFTER_WEIGHT)[0] if dice.random() < 0.7 else None
    latest_us = min(seconds, 60) * _S if after in (None, "RUNNING", "RAMPING") else _S // 2
    if name == "device.wrong_version":
        after, latest_us = None, 0  # it says its version once
    options: dict[str, int | str] = {
        option: _number(dice, shape) if isinstance(shape, NumberOption) else dice.choice(shape.choices)
        for option, shape in kind.options.items()
    }
    if "message" in options and "field" in options:
        options["field"] = dice.choice(("first", *TOLD[str(options["message"])]))
    lasts = dice.random() < 0.6 if name not in ALWAYS_END else True
    return Fault(
        kind=name,
        at_us=dice.randint(0, latest_us // 1_000) * 1_000,
        for_us=_for_us(dice) if kind.lasts and lasts else None,
        after=after,
        channel=dice.choice((None, 1, 2, 3, 4)) if kind.channels else None,
        options=options,
    )


# What never ends would leave nothing of the session to look at: time itself stands still for the host.
ALWAYS_END = ("host.stall",)


def _for_us(dice: Random) -> int:
    return round(10 ** dice.uniform(1, 4)) * 1_000  # 10 ms to 10 s


def _number(dice: Random, number: NumberOption) -> int:
    """Around the default, anywhere, or at an end: each as often."""
    near = round(number.default * dice.uniform(0.5, 2)) if number.default else 0
    chosen = dice.choice((near, near, dice.randint(number.low, number.high), dice.choice((number.low, number.high))))
    return max(number.low, min(number.high, chosen))
