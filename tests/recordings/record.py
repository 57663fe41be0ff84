"""Record the kept sessions anew: `python -m tests.recordings.record [NAME ...]`, all of them without a name.

Each is replayed at once; what differs is told.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from stimctl.api import Session
from stimctl.ledger import Ledger
from stimctl.prescription import Prescription
from stimctl.replay import read_recording, replay
from stimctl.session.commands import AskHold, AskStop, Command, Lower, Proceed, Raise
from stimctl.stimulators.discovery import NATIVE, DeviceChoice
from stimctl.traffic.transcript import TrafficWriter
from tests.stimctl.session.world import S, prescription

FOLDER = Path(__file__).parent
ORDERS: list[tuple[int, Command]] = [
    (3 * S, Lower(1)), (3_300_000, Raise(1)), (3_400_000, Raise(1)), (4_200_000, AskHold()), (5 * S, Proceed()),
    (8_500_000, AskStop()),
]  # fmt: skip


def half_a_milliampere(seconds: float, **changes: Any) -> Prescription:
    return prescription(seconds=seconds, profile="bench-100hz", amplitudes_ma={1: 0.5}, ceiling_ma=1.0, **changes)


class Kept(NamedTuple):
    """One recording: arguments of `stimctl sim`, none for a simulator in virtual time."""

    simulator: tuple[str, ...]
    prescription: Prescription
    orders: list[tuple[int, Command]] = []  # noqa: RUF012
    choice: DeviceChoice = NATIVE


RECORDINGS = {
    "native-sim": Kept((), half_a_milliampere(3)),
    "native-pty": Kept(("--pty",), half_a_milliampere(3)),
    "native-pty-hold-and-stop": Kept(("--pty",), half_a_milliampere(20), ORDERS),
    "native-tcp": Kept(("--tcp", "0"), half_a_milliampere(3)),
    "stimjim-pty": Kept(
        ("--pty", "--device", "stimjim", "--dialect", "a"),
        half_a_milliampere(3, subject="dummy_load", declared_ohm=1_000),
        choice=DeviceChoice("stimjim"),
    ),
}


@contextmanager
def simulator(arguments: tuple[str, ...]) -> Iterator[str]:
    """The URL of a running simulator."""
    if not arguments:
        yield "sim://?seed=7"
        return
    command = [sys.executable, "-c", "from stimctl.cli import main; main()", "sim", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def record(name: str) -> str:
    """Record one session, and say what came of it."""
    kept, path = RECORDINGS[name], FOLDER / f"{name}.traffic"
    with (
        simulator(kept.simulator) as url,
        tempfile.TemporaryDirectory() as folder,
        path.open("w") as file,
        Ledger(Path(folder) / "ledger.sqlite") as ledger,
        Session(url, kept.prescription, ledger, traffic=TrafficWriter(file, url), choice=kept.choice) as session,
    ):
        report = session.run(kept.orders)
    again = replay(read_recording(path))
    return f"{name}: {report.end.value}; replayed {again.sent} pieces, difference: {again.difference}"


if __name__ == "__main__":
    for wanted in sys.argv[1:] or RECORDINGS:
        print(record(wanted))
