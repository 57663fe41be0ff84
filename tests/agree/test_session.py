"""Driver, simulator, load and model agree after each step of a session: orders, time to the microsecond, and faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from firmware_sim.faults import Fault
from stimctl.session.states import ENDED, STOPPING
from stimlab.scenario.reader import dump
from tests.agree.model import OUTPUT, S
from tests.agree.rig import Rig
from tests.agree.running import runs
from tests.agree.session import Agreement

AMPLITUDES_MA = st.sampled_from([0.5, 1.0, 1.6])


@st.composite
def prescriptions(draw: st.DrawFn) -> dict[str, Any]:
    """What a scenario's file says of the prescription."""
    numbers = draw(st.sampled_from([(1,), (2,), (1, 2), (1, 2, 3)]))
    titrate = draw(st.sampled_from([False, False, False, True]))
    channels = [{"channel": n} | ({} if titrate else {"amplitude_ma": draw(AMPLITUDES_MA)}) for n in numbers]
    return {
        "profile": draw(st.sampled_from(["bench-100hz", "bench-2-100hz", "bench-2hz"])),
        "seconds": draw(st.sampled_from([100] if titrate else [12, 7, 25, 40])),
        "ceiling_ma": draw(st.sampled_from([2.0, 1.6])),
        "titrate": titrate,
        "channels": channels,
    }


BEGINS = st.tuples(
    st.sampled_from(["RAMPING", "RUNNING", "RAMPING_DOWN", "CHECKING", "HELD", "ARMED"]),
    st.sampled_from([0, 10_000, 100_000, S]) | st.integers(0, 5 * S),
)
LASTS = st.sampled_from([100_000, 1_000, 30_000, 400_000, S, 3 * S]) | st.integers(1, 3 * S)


def faults(kind: str, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Fault]:
    """Faults of a kind, each from some time after the device came into some state, for a while."""
    return st.builds(
        lambda begins, lasts, chosen: Fault(kind, begins[1], lasts, begins[0], None, chosen),
        BEGINS, LASTS, st.fixed_dictionaries(options),
    )  # fmt: skip


DIRECTION = st.sampled_from(["both", "to_device", "from_device"])
FAULTS = st.one_of(
    faults("load.open"),
    faults("load.short"),
    faults("device.dac_stuck"),
    faults("line.loss", permille=st.sampled_from([1_000, 300, 100]), direction=DIRECTION),
    faults("line.delay", delay_us=st.sampled_from([1_000, 20_000, 45_000, 120_000]), direction=DIRECTION),
    faults("line.duplicate", permille=st.just(500), direction=DIRECTION),
    faults("device.reset").map(lambda fault: Fault(fault.kind, fault.at_us, None, fault.after)),
)
HOSTILE = st.just(list[Fault]()) | st.lists(FAULTS, min_size=1, max_size=2)
CHANNEL = st.integers(1, 4)  # not all of them are in the prescription


class Shown(RuleBasedStateMachine):
    """A failure shows the scenario that makes it."""

    at: Any
    failed = False

    @contextmanager
    def shown(self) -> Iterator[None]:
        try:
            yield
        except Exception as failure:
            self.failed = True
            if hasattr(self, "at"):
                note(scenario_text(self.at.rig, failure))
            raise


class Sessions(Shown):
    """One session, from the handshake to its report."""

    at: Agreement

    @initialize(
        answers=prescriptions(), hostile=st.just([]) | st.lists(FAULTS, min_size=1, max_size=2), early=st.integers(0, 5)
    )
    def begin(self, answers: dict[str, Any], hostile: list[Fault], early: int) -> None:
        """A driver on a device, mostly at its first pulse: it comes there by itself."""
        with self.shown():
            self.at = Agreement(answers, hostile)
            if early < 5:
                self.come_to_run()

    # --- time -------------------------------------------------------------------------------------

    @rule(for_us=st.integers(0, 3_000) | st.integers(0, 300_000) | st.integers(0, 8 * S))
    def wait(self, for_us: int) -> None:
        """Time passes."""
        with self.shown():
            self.at.wait(for_us)

    @precondition(lambda self: self.at.model is not None)
    @rule(which=st.integers(0, 9), by_us=st.sampled_from([-1, 0, 1]))
    def wait_for(self, which: int, by_us: int) -> None:
        """Up to something that is due: a timer, a pulse, a band's switch, a tick, the end of a raise's second."""
        model, now_us = self.at.model, self.at.rig.now_us
        assert model is not None
        dues = [*model.timers.values(), self.at.tick_us, *(each.raised + S for each in model.channels.values())]
        if model.state in OUTPUT:
            dues += [each.due[0] - model.stimulation + model.now for each in model.armed]
        dues = sorted(due for due in dues if now_us < due < now_us + 610 * S)
        if dues:
            with self.shown():
                self.at.wait(max(0, dues[which % len(dues)] + by_us - now_us))

    @precondition(lambda self: self.at.low_us)
    @rule(for_us=st.sampled_from([59 * S, 61 * S]))
    def stand_low(self, for_us: int) -> None:
        """For about as long as a titration may."""
        with self.shown():
            self.at.wait(for_us)

    @rule()
    def wait_to_run(self) -> None:
        """Until the session gives its pulses, or no longer will."""
        with self.shown():
            self.come_to_run()

    def come_to_run(self) -> None:
        for _ in range(20):
            model = self.at.model
            if model is not None and (model.state in OUTPUT or model.arms > 1):
                return
            self.at.wait(100_000)

    # --- orders -----------------------------------------------------------------------------------

    @rule(channel=CHANNEL, times=st.integers(1, 6), every_us=st.sampled_from([S, S - 1, 0]))
    def step_up(self, channel: int, times: int, every_us: int) -> None:
        """A raise, perhaps another one after it."""
        with self.shown():
            for number in range(times):
                self.at.wait(every_us if number else 0)
                self.at.order("raise", channel)

    @rule(channel=CHANNEL, do=st.sampled_from(["raise", "lower"]))
    def step(self, channel: int, do: str) -> None:
        """One step."""
        with self.shown():
            self.at.order(do, channel)

    @rule(channel=CHANNEL, ua=st.sampled_from([0, 499, 500, 600, 1_100, 1_600]) | st.integers(0, 2_100))
    def set(self, channel: int, ua: int) -> None:
        """Any target."""
        with self.shown():
            self.at.order("set", channel, ua)

    @rule()
    def hold(self) -> None:
        with self.shown():
            self.at.order("hold")

    @rule()
    def go_on(self) -> None:
        """Check the leads again, and after that resume."""
        with self.shown():
            self.at.order("proceed")

    @rule(surely=st.integers(0, 9))
    def stop(self, surely: int) -> None:
        if surely == 9:
            with self.shown():
                self.at.order("stop")

    # --- what befalls the host --------------------------------------------------------------------

    @precondition(lambda self: self.at.rig.engine.state not in (STOPPING, ENDED))
    @rule(for_us=st.sampled_from([1_000, 240_000, 490_000, 740_000, 1_000_000, 1_300_000]))
    def stall(self, for_us: int) -> None:
        """The host does nothing for a while."""
        with self.shown():
            self.at.befall(Fault("host.stall", for_us=for_us))

    @rule(surely=st.integers(0, 9))
    def second_hello(self, surely: int) -> None:
        """Another host."""
        if surely == 9:
            with self.shown():
                self.at.befall(Fault("host.second_driver", options={"says": "hello"}))

    def teardown(self) -> None:
        """The end, and the report."""
        if hasattr(self, "at") and not self.failed:
            with self.shown():
                self.at.finish()


def scenario_text(rig: Rig, failure: Exception) -> str:
    """The script so far, as a file that `stimctl scenario run` plays."""
    title = " ".join(str(failure).split())[:200]
    return dump(replace(rig.script, title=title))


TestSessions = pytest.mark.slow(Sessions.TestCase)
TestSessions.settings = runs(examples=100, steps=25)
