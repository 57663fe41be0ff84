"""Runs a recorded session again, without any port, and checks every byte that the driver would send.

`recording` reads a record of traffic with what it says of its session, `port` stands in for the line, `play` runs
the driver on it. Nothing in here can open a port, and nothing takes a port's URL.
"""

from stimctl.replay.play import ReplayResult, replay
from stimctl.replay.port import TOLERANCE_US, ReplayMismatch, ReplayPort
from stimctl.replay.recording import Recording, read_recording

__all__ = ["TOLERANCE_US", "Recording", "ReplayMismatch", "ReplayPort", "ReplayResult", "read_recording", "replay"]
