"""The host's process dies or stands still in mid-session: the device's own record shows when its output was at zero.

And the log lives: it opens, it holds, and after the next connection it has the whole dose, with what flowed
between the host's last word and the watchdog. This is the death of a process; loss of power is not shown here.
"""

import signal
from pathlib import Path

import numpy as np
import pytest

from firmware_sim.analog.record_file import LoadRecordFile
from stimctl import limits
from stimctl.api import Session
from stimctl.dose import CommandedDose
from stimctl.ledger import Ledger
from stimctl.session.states import End
from tests.stimctl.session.processes import Simulator, host, monotonic_us, next_line, simulator, wait_until
from tests.stimctl.session.world import prescription

pytestmark = pytest.mark.realtime
PULSE_US = 1_300
SAMPLE_US = 1_000  # how often the device looks whether there is zero


def last_current_us(folder: Path, before_us: int | None) -> int:
    """When the last current flowed, in device time, from the samples of the load alone; before another session."""
    last = 0
    with LoadRecordFile(folder / "record") as record:
        end = None if before_us is None else before_us * record.rate_hz // 1_000_000
        for first, samples in record.pieces(1):
            flowing = np.flatnonzero(samples[: None if end is None else max(0, end - first)])
            last = first + int(flowing[-1]) + 1 if len(flowing) else last
        return last * 1_000_000 // record.rate_hz


def zero_within_the_watchdog(device: Simulator, stopped_us: int) -> None:
    """By its own record the device was at zero 1 s after the last keepalive, which is no later than the host's end."""
    ended = device.waits_for(state="ENDED")
    assert ended["reason"] == "WATCHDOG"
    assert ended["keepalive_age_us"] == limits.WATCHDOG_US
    assert ended["monotonic_us"] <= stopped_us + limits.WATCHDOG_US
    zero = wait_until(
        lambda: [each for each in device.journal(event="zero") if each["device_time_us"] > ended["device_time_us"]],
        "zero after the end",
    )[0]
    assert zero["since_us"] <= ended["device_time_us"] + PULSE_US + SAMPLE_US
    device.end()
    checks_us = [each["device_time_us"] for each in device.journal(state="CHECKING")]
    next_us = checks_us[1] if checks_us[1:] else None
    assert last_current_us(device.folder, next_us) <= ended["device_time_us"] + PULSE_US


def test_a_killed_host_leaves_zero_behind_and_its_dose_is_logged_at_the_next_connection(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with simulator(tmp_path / "device", "--pty") as device:
        with host(device.url, path) as (process, session_id):
            device.waits_for(state="RAMPING")
            wait_until(lambda: logged(path, session_id, "started"), "the start in the log")
            # A second or two of ramp, so that there is a dose.
            began_us = monotonic_us()
            wait_until(lambda: monotonic_us() > began_us + 1_500_000, "some pulses")
            killed_us = monotonic_us()
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        device.waits_for(state="ENDED")
        kept = device.flash()

        with Ledger(path) as ledger:
            assert ledger.verify().ok
            assert ledger.unfinished() == [session_id]
            with Session(device.url, prescription(seconds=1), ledger) as session:
                assert session.interrupted == [session_id]
                report = session.run()
            assert report.end is End.TIMER
            assert ledger.verify().ok
            assert ledger.unfinished() == []
            entries = list(ledger.entries(session_id))
        zero_within_the_watchdog(device, killed_us)

    (closed,) = [entry.body for entry in entries if entry.kind == "closed"]
    assert closed["end_reason"] == "interrupted"
    (recovered,) = [entry.body for entry in entries if entry.kind == "recovered"]
    assert recovered["known_here"] is True
    counted = recovered["counters"][0]
    assert [counted[name] for name in ("pulses_0", "pulses_1", "charge_0_pc", "charge_1_pc")] == kept["totals"][0][:4]
    # The device's count is the dose that the program gives up to the moment of the watchdog, to the picocoulomb.
    commanded = CommandedDose(prescription(seconds=60).program)
    commanded.started({1: 2_000}, 0)
    commanded.ended(recovered["record"]["stimulation_us"])
    dose = commanded.dose(1)
    assert dose.total_pulses > 0
    assert dose.pulses == (counted["pulses_0"], counted["pulses_1"])
    assert dose.charge_pc == (counted["charge_0_pc"], counted["charge_1_pc"])
    nonces = [entry.body["nonce"] for entry in entries if entry.kind == "armed"]
    assert recovered["record"]["nonce"] == nonces[-1]


def logged(path: Path, session_id: str, kind: str) -> bool:
    """Whether another process's session has such an entry."""
    with Ledger(path, read_only=True) as ledger:
        return any(entry.kind == kind for entry in ledger.entries(session_id))


def test_a_host_that_is_stopped_and_goes_on_does_not_go_on_with_the_session(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with simulator(tmp_path / "device", "--pty") as device:
        with host(device.url, path) as (process, session_id):
            device.waits_for(state="RAMPING")
            began_us = monotonic_us()
            wait_until(lambda: monotonic_us() > began_us + 800_000, "some pulses")
            process.send_signal(signal.SIGSTOP)
            stopped_us = monotonic_us()
            device.waits_for(state="ENDED")
            process.send_signal(signal.SIGCONT)
            end = End[next_line(process)]
            assert process.wait(10) == 0
        assert end is End.STOOD_STILL, "it was this program's fault, and it says so"
        zero_within_the_watchdog(device, stopped_us)
        assert device.journal(state="RAMPING") == device.journal(state="RAMPING")[:1], "never started again"
    with Ledger(path, read_only=True) as ledger:
        assert ledger.verify().ok
        (closed,) = [entry.body for entry in ledger.entries(session_id) if entry.kind == "closed"]
    assert closed["end_reason"] == end
    assert closed["agreement"]["exact"] is True
    assert closed["delivered"] == closed["commanded"]
