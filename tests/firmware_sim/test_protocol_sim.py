"""The port with a world in it: options, the port's clock, pace, and what a plain pyserial client sees."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from firmware_sim.analog.record_file import LoadRecordFile
from firmware_sim.protocol_sim import Serial, SimOptions, options_of
from stimctl.wire import codec as wire
from stimctl.wire.codes import PROTOCOL_VERSION, DeviceState
from stimctl.wire.framing import FrameSplitter

HELLO = wire.encode(1, wire.Hello(PROTOCOL_VERSION))


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial, "protocol_handler_packages", ["serial.urlhandler", "firmware_sim"])


@pytest.fixture
def port() -> Iterator[Serial]:
    with Serial("sim://") as opened:
        yield opened


def told(data: bytes) -> list[Any]:
    return [wire.parse(payload)[1] for payload in FrameSplitter().feed(data)]


# --- options -----------------------------------------------------------------------------------------


def test_options() -> None:
    assert options_of("sim://") == SimOptions()
    assert options_of("sim://?pace=max").pace == float("inf")
    assert options_of("sim://?pace=real").pace == 1.0
    url = "sim://?pace=2.5&load=nominal,2=open&seed=9&record=a/b.npy&flash=f.json"
    assert options_of(url) == SimOptions(2.5, "nominal,2=open", 9, Path("a/b.npy"), Path("f.json"))
    assert options_of("sim://?record=f&record_rate=5000").record_rate == 5_000


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sim://?pace=fast", "option 'pace' is 'fast': it must be max, real, or a factor"),
        ("sim://?pace=0", "'pace' is '0'"),
        ("sim://?pace=-1", "'pace' is '-1'"),
        ("sim://?pace=inf", "'pace' is 'inf'"),
        ("sim://?pace=nan", "'pace' is 'nan'"),
        ("sim://?load=wet", "option 'load' is 'wet': .*nominal, dry"),
        ("sim://?seed=x", "option 'seed' is 'x': it must be a whole number"),
        ("sim://?seed=-1", "'seed' is '-1'"),
        ("sim://?seed=100000000", "'seed' is '100000000'"),
        ("sim://?record=", "option 'record' is empty"),
        ("sim://?record=f&record_rate=999", "'record_rate' is '999': it must be whole samples a second from 1000 to"),
        ("sim://?record=f&record_rate=1e5", "'record_rate' is '1e5'"),
        ("sim://?flash=", "option 'flash' is empty"),
        ("sim://?speed=9", "there is no option 'speed'; the options are pace, load, seed, record, record_rate, flash"),
        ("sim://?seed=1&seed=2", "option 'seed' is given twice"),
        ("sim://somewhere", "is not a simulator's URL: write sim://"),
        ("loop://", "is not a simulator's URL"),
    ],
)
def test_a_wrong_option_is_said(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        options_of(url)
    if url.startswith("sim"):
        with pytest.raises(ValueError, match=says):
            serial.serial_for_url(url)


def test_a_record_has_the_name_and_the_rate_that_were_asked_for(tmp_path: Path) -> None:
    with Serial(f"sim://?record={tmp_path}/load&record_rate=20000&load=r1k") as port:
        port.device.machine.stage.gate = lambda *_: True
        port.device.machine.stage.check_impedance(3, 0, 5_000)
    assert [each.name for each in tmp_path.iterdir()] == ["load"]
    with LoadRecordFile(tmp_path / "load") as record:
        assert (record.rate_hz, record.unit, record.channels) == (20_000, "nA", (3,))
        [(first, samples)] = record.pieces(3)
    assert (first, list(samples[100:108])) == (0, [100_000] * 4 + [-100_000] * 4), "200 us each way, from 5 ms on"


def test_files_that_cannot_be_are_said(tmp_path: Path) -> None:
    with pytest.raises(serial.SerialException, match="option 'record': there is no folder"):
        serial.serial_for_url(f"sim://?record={tmp_path}/none/samples")
    with pytest.raises(ValueError, match="flash file"):
        serial.serial_for_url(f"sim://?flash={tmp_path}/none/flash.json")


# --- a plain pyserial client ---------------------------------------------------------------------------


def test_found_by_url_and_answers() -> None:
    with serial.serial_for_url("sim://?seed=3", timeout=1) as port:
        port.write(HELLO)
        assert told(port.read(17 + 20))[0].simulator == 1


def test_reading_waits_for_the_timeout_in_the_ports_time(port: Serial) -> None:
    port.timeout = 0.25
    began_s = time.monotonic()
    assert port.read(1) == b""
    assert port.now_us() == 250_000
    port.timeout = 0
    assert port.read(1) == b""
    assert port.now_us() == 250_000
    port.timeout = 3_600
    assert port.read(1) == b""
    assert time.monotonic() - began_s < 60


def test_reading_gives_at_most_what_was_asked(port: Serial) -> None:
    port.timeout = 0.05
    port.write(HELLO)
    first, rest = port.read(3), port.read(1_000)
    assert len(first) == 3
    assert len(told(first + rest)) == 1
    assert port.now_us() == 50_000


def test_reading_without_a_timeout_ends_when_enough_has_come(port: Serial) -> None:
    port.timeout = None
    port.write(HELLO)
    assert len(port.read(500)) == 500
    assert port.now_us() > 500_000


def test_polling_gets_somewhere(port: Serial) -> None:
    port.write(HELLO)
    assert port.in_waiting > 0
    port.reset_input_buffer()
    polls = 0
    while not port.in_waiting:
        polls += 1
    assert polls == 99
    assert isinstance(told(port.read_all() or b"")[0], wire.Status)


def test_pyserials_own_read_until(port: Serial) -> None:
    port.timeout = 1
    port.write(HELLO)
    assert isinstance(told(port.read_until(b"\0"))[0], wire.Welcome)
    assert isinstance(told(port.read_until(b"\0"))[0], wire.Status)


def test_lines_and_settings_change_nothing(port: Serial) -> None:
    port.dtr = port.rts = False
    port.baudrate = 9_600
    port.flush()
    port.reset_output_buffer()
    assert (port.cts, port.dsr, port.cd, port.ri, port.out_waiting) == (True, True, True, False, 0)
    assert port.now_us() == 0


def test_a_closed_port_says_so(port: Serial) -> None:
    port.close()
    port.close()
    for call in (lambda: port.read(1), lambda: port.write(b"x"), lambda: port.in_waiting, port.reset_input_buffer):
        with pytest.raises(serial.PortNotOpenError):
            call()
    with pytest.raises(serial.PortNotOpenError):
        port.read_until(10)


def test_opening_twice_and_without_a_name() -> None:
    with Serial("sim://") as port, pytest.raises(serial.SerialException, match="already open"):
        port.open()
    with pytest.raises(serial.SerialException, match="no port is named"):
        Serial().open()


# --- the port's clock ------------------------------------------------------------------------------------


def test_the_clock_moves_only_while_somebody_waits(port: Serial) -> None:
    assert port.virtual is True
    assert port.now_us() == 0
    assert port.read_until(40_000) == b""
    assert port.now_us() == 40_000
    assert port.read_until(30_000) == b"", "a deadline that has passed moves nothing"
    assert port.now_us() == 40_000


def test_reading_stops_at_the_first_bytes(port: Serial) -> None:
    port.write(HELLO)
    assert isinstance(told(port.read_until(10**9))[0], wire.Welcome)
    assert port.now_us() == 0
    [status] = told(port.read_until(10**9))
    assert status.device_time_us == port.now_us() == 100_000
    [status] = told(port.read_until(None))
    assert status.device_time_us == port.now_us() == 200_000


def test_wake_is_not_lost_and_ends_one_wait(port: Serial) -> None:
    port.wake()
    assert port.read_until(1_000_000) == b""
    assert port.now_us() == 0
    assert port.read_until(1_000_000) == b""
    assert port.now_us() == 1_000_000


def test_a_boot_is_counted_each_time_the_power_comes(port: Serial) -> None:
    port.write(HELLO)
    assert told(port.read_until(None))[0].boot_id == 1
    port.read_until(5_000_000)
    port.close()
    port.open()
    port.write(HELLO)
    assert told(port.read_until(None))[0].boot_id == 2
    assert told(port.read_until(None))[0].device_time_us == 100_000


def test_a_flash_file_remembers_over_ports(tmp_path: Path) -> None:
    url = f"sim://?flash={tmp_path}/flash.json"
    for boot in (1, 2, 3):
        with Serial(url) as port:
            port.write(HELLO)
            assert told(port.read_until(None))[0].boot_id == boot


def test_a_timer_that_is_due_at_once_does_not_stop_the_clock(port: Serial) -> None:
    """With a limit shorter than the fall, the fall begins with the start."""
    sequence = iter(range(1, 100))

    def ask(message: Any) -> Any:
        port.write(wire.encode(next(sequence), message))
        return told(port.read_until(port.now_us()))

    ask(wire.Hello(PROTOCOL_VERSION))
    ask(wire.LoadProgram(1, 1, 200, 5_000_000))
    ask(wire.LoadSegment(0, 10_000, 200, 0, 200, 0))
    digest = ask(wire.ReadDigest())[-1]
    ask(wire.SelfTest())
    armed = ask(wire.Arm(0, 1, 2_000, 1_000_000, 5_000, int.from_bytes(digest.sha256[:8], "little")))[-1]
    ask(wire.Start(armed.nonce, 500, 0, 0, 0))
    port.read_until(1)
    assert port.device.machine.state is DeviceState.RAMPING_DOWN


# --- pace ------------------------------------------------------------------------------------------------


@pytest.mark.realtime
def test_pace_sets_the_speed() -> None:
    with Serial("sim://?pace=20") as port:
        began_s = time.monotonic()
        while port.now_us() < 4_000_000:
            port.read_until(4_000_000)
        assert 0.19 <= time.monotonic() - began_s < 1.0


@pytest.mark.realtime
def test_wake_cuts_a_paced_wait_short() -> None:
    with Serial("sim://?pace=real") as port:
        threading.Timer(0.15, port.wake).start()
        began_s = time.monotonic()
        assert port.read_until(20_000_000) == b""
        assert time.monotonic() - began_s < 5
        assert 100_000 < port.now_us() < 5_000_000


@pytest.mark.realtime
def test_a_paced_clock_does_not_race_after_a_pause() -> None:
    with Serial("sim://?pace=10") as port:
        port.read_until(100_000)
        threading.Event().wait(0.3)
        began_s = time.monotonic()
        port.read_until(2_100_000)
        assert time.monotonic() - began_s > 0.15
