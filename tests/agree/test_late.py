"""Whatever is asked for, with whatever delays: never above what was asked for last, and a sound device is believed.

Each frame takes up to 200 ms, each way, or is lost; commands come up to a hundred a second.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agree.asking import SLOWEST_US, Asking
from tests.agree.model import S
from tests.agree.running import runs
from tests.agree.test_session import Shown, prescriptions

TARGETS_UA = st.sampled_from([0, 500, 600, 800, 1_000, 1_100]) | st.integers(0, 1_700)
CHANNEL = st.integers(1, 3)
STEPS = st.tuples(st.sampled_from(["lower", "lower", "raise"]), CHANNEL, st.none())
SETS = st.tuples(st.just("set"), CHANNEL, TARGETS_UA)
OTHERS = st.tuples(st.sampled_from(["hold", "proceed"]), st.none(), st.none())
Ask = tuple[str, int | None, int | None]


@st.composite
def delays(draw: st.DrawFn) -> dict[str, int]:
    """Each frame's way, and how long telemetry waits for answers; together 200 ms at most.

    On a line that is always slow something is under way most of the time: what comes then has to go past it.
    """
    jitter_us = draw(st.sampled_from([SLOWEST_US, 100_000, 30_000, 0]))
    delay_us = draw(st.sampled_from([SLOWEST_US - jitter_us, 0]))
    telemetry_us = draw(st.sampled_from([SLOWEST_US - jitter_us - delay_us, 0]))
    return {"delay_us": delay_us, "jitter_us": jitter_us, "telemetry_us": telemetry_us}


class Late(Shown):
    """One session on a slow line, from its first pulse to its report."""

    at: Asking

    @initialize(
        answers=prescriptions(),
        options=delays(),
        lost=st.sampled_from([0, 0, 0, 50, 300]),
        wait_us=st.integers(0, 4 * S),
    )
    def begin(self, answers: dict[str, Any], options: dict[str, int], lost: int, wait_us: int) -> None:
        with self.shown():
            self.at = Asking(answers, options, lost)
            self.at.wait(wait_us)

    @rule(for_us=st.integers(0, 60_000) | st.integers(0, 500_000) | st.integers(0, 3 * S))
    def wait(self, for_us: int) -> None:
        with self.shown():
            self.at.wait(for_us)

    @rule(what=STEPS | SETS | OTHERS)
    def ask(self, what: Ask) -> None:
        with self.shown():
            self.at.ask(*what)

    @rule(
        many=st.lists(STEPS | SETS, min_size=2, max_size=25),
        every_us=st.sampled_from([10_000, 16_667, 50_000, 0]),
        then=st.none() | OTHERS,
    )
    def ask_often(self, many: Sequence[Ask], every_us: int, then: Ask | None) -> None:
        """As with a slider, or with a key that is held down."""
        with self.shown():
            for what in many:
                self.at.ask(*what)
                self.at.wait(every_us)
            if then is not None:
                self.at.ask(*then)

    @rule()
    def hold_and_go_on(self) -> None:
        """Held, the leads checked, and resumed: by a person who waits for each."""
        with self.shown():
            for do in ("hold", "proceed", "proceed"):
                self.at.ask(do)
                self.at.wait(2 * S)

    @rule()
    def settle(self) -> None:
        with self.shown():
            self.at.settle()

    @rule(surely=st.integers(0, 9))
    def stop(self, surely: int) -> None:
        if surely == 9:
            with self.shown():
                self.at.ask("stop")

    def teardown(self) -> None:
        """All is answered; then the end, and the report."""
        if hasattr(self, "at") and not self.failed:
            with self.shown():
                self.at.settle()
                self.at.finish()


@pytest.mark.parametrize("wait_ms", [4_000, 4_300, 4_600])
def test_what_was_told_before_a_late_answer_is_no_measure_of_the_device(wait_ms: int) -> None:
    """Lowered and stopped at once: the lowering's answer comes after the stop, and then readings from before it."""
    answers = {"profile": "bench-100hz", "seconds": 40, "channels": [{"channel": 1}]}
    at = Asking(answers, {"delay_us": 0, "jitter_us": 30_000, "telemetry_us": 170_000})
    at.wait(wait_ms * 1_000)
    at.ask("set", 1, 500)
    at.ask("stop")
    at.wait(S)
    at.finish()


TestLate = pytest.mark.slow(Late.TestCase)
TestLate.settings = runs(examples=40, steps=12)
