"""What the benchmarks of sessions share: a log that takes everything and does nothing, and a prescription."""

from collections.abc import Mapping
from typing import Any

from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import load_profiles


class _QuietLog:
    """A log set aside, so that what is measured is the session."""

    def put(self, kind: str, at_us: int, body: Mapping[str, Any]) -> None:
        pass

    def problem(self) -> str | None:
        return None

    def wait_room(self) -> None:
        pass

    def drain(self, timeout_s: float) -> None:
        pass


QUIET_LOG = _QuietLog()


def prescription(minutes: float = 30) -> Prescription:
    """2/100 Hz at 2.0 mA on one channel, for a simulator."""
    answers = {
        "format": 1,
        "profile": "bench-2-100hz",
        "subject": "simulator",
        "operator": "benchmark",
        "pseudonym": "none",
        "minutes": minutes,
        "ceiling_ma": 2.0,
        "channels": [
            {
                "channel": 1,
                "first": {"point": "terminal 1"},
                "second": {"point": "terminal 2"},
                "amplitude_ma": 2.0,
                "needle": {"diameter_mm": 0.30, "inserted_mm": 30, "coating": "none"},
            }
        ],
    }
    return from_mapping(answers, load_profiles(), source="benchmark")
