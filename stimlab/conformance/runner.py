"""Runs one check after the other, each from a known state, with a Stop and measured zero after each.

Whatever ends the run early - Ctrl-C, a lost line, a mistake in a check - a Stop goes out first.
"""

import contextlib
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import chain

from stimctl.errors import LineFault
from stimctl.wire.codes import Capability, EndReason
from stimlab.conformance.check import Check
from stimlab.conformance.dut import BOOT_MS, ZERO_LIMIT_US, Dut
from stimlab.conformance.link import STOP_FRAME
from stimlab.conformance.plan import Planned
from stimlab.conformance.result import CheckResult, Nonconformity, SuiteResult
from stimlab.conformance.verdict import CheckSkipped, Measurement, Nonconforming

# An end or a hold that no check asked for, and the requirement that speaks of it.
_OF_REASON = {
    EndReason.TIMER: "R-42",
    EndReason.WATCHDOG: "R-44",
    EndReason.OVER_CURRENT: "R-58",
    EndReason.SHORT: "R-59",
    EndReason.NET_CHARGE: "R-61",
    EndReason.HOLD_EXPIRED: "R-40",
    EndReason.SESSION_EXPIRED: "R-42",
    EndReason.RESET: "R-69",
    EndReason.GATE: "R-57",
    EndReason.LEAD_OFF: "R-60",
    EndReason.COMPLIANCE: "R-60",
}
Progress = Callable[[Check, CheckResult | None], None]


class SuiteRunner:
    """Runs checks on a bench. `progress` is told each check as it begins (None) and as it is done.

    A session that waits in the device with its dose is left alone, and nothing is run, unless `discard_dose`.
    `tool` is what the report says that it was made with.
    """

    def __init__(
        self,
        dut: Dut,
        *,
        long: bool = False,
        discard_dose: bool = False,
        tool: str = "stimctl",
        progress: Progress | None = None,
    ) -> None:
        self._dut = dut
        self._discard_dose = discard_dose
        self._waits = False  # somebody else's dose is in the device
        self._tool = tool
        self._long = long or dut.port.virtual
        self._progress = progress or (lambda _check, _outcome: None)

    def run(
        self, checks: Iterable[Check], plan: Callable[[Dut], Planned] | None = None, *, left_out: Iterable[Check] = ()
    ) -> SuiteResult:
        """Run them, then what `plan` makes of the full range once it is known who is there; `left_out` is only told.

        Never raises for what the device does; `SuiteResult.broken_off` says why it did not come to its end.
        """
        run = self._new_run()
        try:
            run.broken_off = self._begin(run)
            self._all(run, checks, plan)
            run.outcomes += [CheckResult(check, "skipped", reason="not chosen") for check in left_out]
        except KeyboardInterrupt:
            run.broken_off = "interrupted"
        finally:
            self._last_stop(run)
        return run

    def _all(self, run: SuiteResult, checks: Iterable[Check], plan: Callable[[Dut], Planned] | None) -> None:
        every: Planned = ((check, "") for check in checks)
        if plan is not None and run.identity is not None:
            every = chain(every, plan(self._dut))
        for check, reason in every:
            if run.broken_off:
                run.outcomes.append(CheckResult(check, "skipped", reason=reason or "not reached"))
                continue
            outcome = CheckResult(check, "skipped" if reason else "passed", reason=reason)
            run.outcomes.append(outcome)
            if reason:
                continue
            try:
                self._progress(check, None)
                run.broken_off = self._one(run, outcome)
                if check.cell is not None and outcome.verdict == "passed":
                    outcome.traffic = []  # of so many nobody reads it
                self._progress(check, outcome)
            except KeyboardInterrupt:
                run.broken_off = "interrupted"
                if outcome.verdict == "passed" and not outcome.took_us:  # it had not begun
                    outcome.verdict, outcome.reason = "skipped", "interrupted"

    def _begin(self, run: SuiteResult) -> str:
        """Empty, or why there is no use in going on."""
        try:
            found = self._identify(run)
            if not found:
                self._dut.fixture.prepare()
                self._dut.restart_line()
        except KeyboardInterrupt:
            return "interrupted"
        return found

    def _new_run(self) -> SuiteResult:
        dut = self._dut
        began = datetime.now(UTC).isoformat(timespec="seconds")
        return SuiteResult(dut.port.url, began, self._tool, amplitude_ua=dut.amplitude_ua)

    def _identify(self, run: SuiteResult) -> str:
        """Who is there; empty, or why there is no use in going on. A device that says it wrongly is still checked."""
        dut = self._dut
        dut.begin()
        try:
            dut.send_raw(STOP_FRAME)
            run.identity = dut.identify(BOOT_MS)
            waits = run.identity.welcome.session
            self._waits = bool(waits) and not self._discard_dose
            if waits and not self._discard_dose:
                return (
                    f"session {waits} waits in the device with its dose; the suite would discard it: "
                    "fetch it with `stimctl run`, or say `--discard-dose`"
                )
        except Nonconforming as wrong:
            if not any(record.sender == "device" for record in dut.traffic):
                run.line_lost = True
                return f"nothing answers at {dut.port.url}: is it a native stimulator, connected and switched on?"
            run.outcomes.append(_not_identified(wrong, dut))
        except LineFault as lost:
            run.line_lost = True
            return str(lost)
        return ""

    def _one(self, run: SuiteResult, outcome: CheckResult) -> str:
        """Run one check; empty, or why the run cannot go on."""
        dut, check = self._dut, outcome.check
        outcome.reason = self._why_not(check)
        if outcome.reason:
            outcome.verdict = "skipped"
            return ""
        dut.begin()
        began_us = dut.now_us
        lost = ""
        try:
            self._body(outcome)
            self._after(outcome)
        except LineFault as fault:
            lost = f"the line was lost in {check.name}: {fault}"
            outcome.verdict, outcome.reason = "skipped", f"the line was lost: {fault}"
            run.line_lost = True
        except KeyboardInterrupt:
            lost = "interrupted"
            outcome.verdict, outcome.reason = "skipped", lost  # neither says anything of the device
        if outcome.found and outcome.verdict != "error":
            outcome.verdict = "failed"
        outcome.measurements, outcome.traffic = dut.measurements, dut.traffic
        outcome.took_us = dut.now_us - began_us
        return lost

    def _why_not(self, check: Check) -> str:
        dut = self._dut
        lacking = check.needs & ~dut.capabilities
        if lacking:
            names = ", ".join((flag.name or "").lower().replace("_", " ") for flag in Capability if flag in lacking)
            return f"the device does not state: {names}"
        if "power" in check.fixture and not dut.fixture.can("power"):
            return "cannot switch its power here; `--ask` asks you to"
        if "load" in check.fixture and not dut.fixture.can("load"):
            return "cannot change what it drives here; `--ask` asks you to"
        if check.long and not self._long:
            return "takes minutes; `--long` runs it"
        return ""

    def _body(self, outcome: CheckResult) -> None:
        try:
            self._dut.settle()
            outcome.check.body(self._dut)
        except Nonconforming as wrong:
            outcome.found.append(self._found(wrong))
        except CheckSkipped as skip:
            outcome.verdict, outcome.reason = "skipped", str(skip)
        except LineFault:
            raise
        except Exception:  # noqa: BLE001  a check is our code, and a mistake in it says nothing of the others
            outcome.verdict, outcome.reason = "error", traceback.format_exc().strip()

    def _after(self, outcome: CheckResult) -> None:
        """Measured zero, and no fault that was not asked for."""
        dut = self._dut
        try:
            _, took_us = dut.stop_to_zero()
            limit_us = ZERO_LIMIT_US + dut.slack_us
            dut.measurements.append(Measurement("zero confirmed after the last stop", took_us, limit_us, "us"))
            if took_us > limit_us:
                outcome.found.append(
                    Nonconformity("R-48", f"zero was confirmed {took_us} us after Stop, over {limit_us} us")
                )
            dut.connect_dummy()
            dut.require_whole()
        except Nonconforming as wrong:
            outcome.found.append(self._found(wrong))
        for event in dut.events():
            reason = EndReason(event.reason)
            if reason in _OF_REASON and reason not in dut.expected:
                text = f"{reason.name} on channel {event.channel} (value {event.value}), which nothing asked for"
                outcome.found.append(Nonconformity(_OF_REASON[reason], text))

    def _found(self, wrong: Nonconforming) -> Nonconformity:
        """What was not kept, with the piece of traffic after which it was seen."""
        record = len(self._dut.traffic) - 1
        return Nonconformity(wrong.requirement, wrong.text, wrong.expected, wrong.seen, record)

    def _last_stop(self, run: SuiteResult) -> None:
        """Zero, whatever ended the run. A line that is lost takes no Stop: then the watchdog is what is left."""
        self._dut.begin()  # what follows belongs to no check
        try:
            self._dut.stop_to_zero()
        except (Nonconforming, LineFault):
            if run.identity is not None:
                run.broken_off = f"{run.broken_off or 'done'}; zero was NOT confirmed at the end: take the leads off"
            return
        if run.identity is not None and not self._waits:
            self._leave()

    def _leave(self) -> None:
        """No session of ours, no program and no load of ours is left behind."""
        dut = self._dut
        with contextlib.suppress(Nonconforming, LineFault):
            dut.settle()
            dut.idle()
        with contextlib.suppress(LineFault):
            dut.fixture.leave()
            dut.restart_line()


def _not_identified(wrong: Nonconforming, dut: Dut) -> CheckResult:
    nothing = Check("identity", (wrong.requirement,), "it says what it is", "identity", lambda _: None)
    found = [Nonconformity(wrong.requirement, wrong.text)]
    return CheckResult(nothing, "failed", found, traffic=dut.traffic)
