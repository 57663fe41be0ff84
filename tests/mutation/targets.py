"""What is mutated, and which tests have to notice: a module's own tests, not any test that happens to fail.

The tests stand in the order in which they are tried. A mutant that only a test of another file would notice survives:
what a control does is to be said beside the control.
"""

from dataclasses import dataclass

_FIRMWARE = "tests/firmware_sim/native/"
_DRIVER = "tests/stimctl/"
_SESSION = "tests/stimctl/session/"


@dataclass(frozen=True, slots=True)
class Target:
    """One file, its tests, and the functions that count: all, and what runs at import, when none is named."""

    control: str
    file: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()


_MACHINE = (f"{_FIRMWARE}test_machine.py", f"{_FIRMWARE}test_machine_time.py")
_HOST = tuple(f"{_SESSION}test_{name}.py" for name in ("host_timers", "host_engine"))
_JUDGE = tuple(f"{_SESSION}test_plausibility{part}.py" for part in ("", "_edges", "_counts"))
_ADAPTER = f"{_DRIVER}stimulators/"
_PRESCRIPTION = tuple(f"{_DRIVER}test_prescription{part}.py" for part in ("_read", "_edges", "_clinical", ""))

# Tests of those files that take seconds and notice what shorter ones notice too: they are not tried.
TOO_LONG = frozenset(
    {
        f"{_DRIVER}test_prescription.py::test_no_file_however_hostile_gives_a_program_above_a_limit",
        f"{_DRIVER}test_prescription.py::test_around_the_limits_what_passes_is_inside",
        f"{_DRIVER}test_prescription.py::test_no_constructors_argument_however_hostile_gives_one_above_a_limit",
    }
)

TARGETS = (
    Target("gate", "firmware_sim/native/gate.py", (f"{_FIRMWARE}test_gate.py", f"{_FIRMWARE}test_agreement.py")),
    Target("gate", "firmware_sim/native/states.py", (f"{_FIRMWARE}test_states.py",)),
    Target("limits", "stimctl/limits.py", (f"{_DRIVER}test_limits.py", f"{_FIRMWARE}test_agreement.py")),
    Target("timers", "firmware_sim/native/timers.py", (f"{_FIRMWARE}test_timers.py",)),
    Target("timers", "stimctl/session/plausibility.py", _JUDGE),
    Target("watchdog", "firmware_sim/native/machine.py", _MACHINE),
    Target("watchdog", "firmware_sim/native/run_state.py", _MACHINE),
    Target("watchdog", "stimctl/stimulators/interlocks.py", (f"{_ADAPTER}test_interlocks.py",), ("_check_alive",)),
    Target(
        "watchdog",
        "stimctl/session/engine.py",
        _HOST,
        (
            "Engine._advance",
            "Engine._next_deadline_us",
            "Engine._stood_still",
            "Engine._keep_alive",
            "Engine._on_check_in",
        ),
    ),
    Target("watchdog", "stimctl/session/failures.py", _HOST, ("Failures.line_lost",)),
    Target(
        "watchdog",
        "stimctl/session/stimulation.py",
        _HOST,
        (
            "Stimulation.watch_time",
            "Stimulation._out_of_time",
            "Stimulation._ran_by",
            "Stimulation.rest_deadline_us",
            "Stimulation.fell_silent",
            "Stimulation._watch_titration",
        ),
    ),
    Target(
        "watchdog",
        "stimctl/session/preparation.py",
        _HOST,
        ("Preparation.on_armed", "Preparation.on_lapsed", "Preparation.watch_check"),
    ),
    Target("states", "stimctl/session/states.py", (f"{_SESSION}test_states.py",)),
    Target("targets", "stimctl/stimulators/targets.py", (f"{_ADAPTER}test_target_record.py",)),
    Target("targets", "stimctl/session/targets.py", (f"{_SESSION}test_targets.py",)),
    Target("stop", "stimctl/stimulators/stop.py", (f"{_ADAPTER}test_stop_machine.py",)),
    Target("stop", "stimctl/stimulators/exchange.py", (f"{_ADAPTER}test_exchange.py",)),
    Target("stop", "stimctl/session/closing.py", (f"{_SESSION}test_closing.py", f"{_SESSION}test_zero_taken_back.py")),
    Target("dose", "stimctl/dose.py", (f"{_DRIVER}test_dose.py",)),
    Target("dose", "firmware_sim/native/tally.py", (f"{_FIRMWARE}test_tally.py",)),
    Target("prescription", "stimctl/prescription/core.py", _PRESCRIPTION),
    Target("prescription", "stimctl/prescription/checks.py", _PRESCRIPTION),
    Target("prescription", "stimctl/prescription/plan.py", _PRESCRIPTION),
    Target("prescription", "stimctl/prescription/read.py", _PRESCRIPTION),
)
