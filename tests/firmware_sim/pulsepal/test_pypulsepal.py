"""A client written elsewhere, `pypulsepal`, drives the simulated PulsePal over a real pseudo-terminal.

Where it deviates from what is asked of it is seen in what flows: 0.6 ms come out as 550 us, and a line of text
on the display is followed by bytes that belong to no command.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from firmware_sim.analog.recorder import Recorder
from firmware_sim.pulsepal import FIRMWARES, PulsePalDevice
from firmware_sim.serve import PtyLine, clock_us, serve

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(sys.platform == "win32", reason="a pty exists on POSIX only"),
]

INTERVAL_S = 0.0096 + 1e-9  # it cuts off: of 9.6 ms it would make 9.55


@contextmanager
def connected(firmware: str) -> Iterator[tuple[Any, PulsePalDevice, Recorder]]:
    """The client, connected to a simulator that is served by a thread; both are closed when the block ends."""
    from pypulsepal import PulsePal as Client

    record = Recorder()
    pal = FIRMWARES[firmware](recorder=record, boot_us=clock_us())
    line = PtyLine()
    near, far = socket.socketpair()
    thread = threading.Thread(target=serve, args=(pal, line, near))
    thread.start()
    client: Any = Client(line.url)
    try:
        yield client, pal, record
    finally:
        client.close()
        far.send(b"x")
        thread.join(5)
        assert not thread.is_alive()
        for each in (line, near, far):
            each.close()
        pal.close()


def balanced(client: Any, phase_s: float, interval_s: float, train_s: float) -> None:
    """Program channel 1 with balanced pulses of 1 V, and unlink all channels from the trigger lines."""
    for channel in client.channel_configs:
        channel.linkTriggerChannel1 = 0
    first = client.channel_configs[0]
    first.isBiphasic = True
    first.phase1Voltage, first.phase2Voltage = 1.0, -1.0
    first.phase1Duration = first.phase2Duration = phase_s
    first.interPhaseInterval = 0.0
    first.interPulseInterval = interval_s
    first.pulseTrainDuration = train_s
    assert client.sync_all_params() is True


def triggered(client: Any, for_s: float) -> None:
    client.trigger_selected_channels(channel_1=True)
    threading.Event().wait(for_s)


@pytest.mark.parametrize("firmware", ["21", "22"])
def test_it_connects_programs_and_triggers(firmware: str) -> None:
    with connected(firmware) as (client, pal, record):
        assert client.firmware_version == int(firmware)
        balanced(client, 0.0002, INTERVAL_S, 0.3)
        assert pal.params.channels[0].phase1 == 4
        assert client.program_one_param(channel=1, param_name="phase1Voltage", param_value=-2.0) is True
        assert pal.params.channels[1].volt1 == 26_214
        triggered(client, 0.6)
    [flow] = record.flows(1)
    assert (flow.period_us, flow.count) == (10_000, 30)
    assert flow.shape == (1_000_061, 200, 0, 1_000_061, 200)
    assert record.channels == (1,)


@pytest.mark.parametrize("firmware", ["21", "22"])
def test_its_600_us_are_550(firmware: str) -> None:
    with connected(firmware) as (client, _, record):
        balanced(client, 0.0006, 0.0096, 0.2)
        triggered(client, 0.5)
    [flow] = record.flows(1)
    assert flow.shape.width_us == flow.shape.second_width_us == 550
    assert flow.period_us == 2 * 550 + 9_550


@pytest.mark.parametrize("firmware", ["21", "22"])
def test_stray_bytes_after_a_display_are_passed_over(firmware: str) -> None:
    with connected(firmware) as (client, pal, record):
        until_s = time.monotonic() + 2
        while not pal.display and time.monotonic() < until_s:
            threading.Event().wait(0.02)
        assert pal.display == b"PulsePal", "what the length says; the second row is not part of the command"
        balanced(client, 0.0002, INTERVAL_S, 0.1)
        triggered(client, 0.3)
    assert record.pulses(1) == 10


def test_its_stop_is_heard() -> None:
    with connected("22") as (client, _, record):
        balanced(client, 0.0002, INTERVAL_S, 60.0)
        triggered(client, 0.2)
        client.stop_all_outputs()
        threading.Event().wait(0.2)
        count = record.pulses(1)
        threading.Event().wait(0.2)
        assert record.pulses(1) == count
    assert 10 <= record.pulses(1) <= 60
