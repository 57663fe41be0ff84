"""The SCPI of Siglent's SDS1000X-E, as far as a capture needs it (SDS programming guide)."""

import re

from stimlab.oscilloscope.front_end import FrontEnd

IDENTITY = "Siglent Technologies,SDS1104X-E,SIMULATED0001,8.1.6.1.37R9"
_STATES = {"stop": "Stop", "wait": "Ready", "fill": "Trig'd"}
_UNITS = {"": 1.0, "N": 1e-9, "U": 1e-6, "M": 1e-3, "K": 1e3}
_NUMBER = re.compile(r"([-+0-9.]+(?:[eE][-+]?[0-9]+)?)([NUMK]?)(?:V|S|PTS)?$", re.IGNORECASE)


class SiglentScpi:
    """Answers one command at a time: bytes for a question, None for an order. Headers are off (`CHDR OFF`)."""

    def __init__(self, scope: FrontEnd) -> None:
        self._scope = scope

    def answer(self, line: str) -> bytes | None:
        """Carry out a command. An unknown one is not answered, as with the instrument."""
        command, _, value = line.strip().partition(" ")
        channel = re.fullmatch(r"C([1-4]):(\w+\??)", command.upper())
        if channel:
            return self._of_channel(int(channel[1]), channel[2], value)
        return self._of_all(command.upper(), value)

    def _of_channel(self, number: int, name: str, value: str) -> bytes | None:
        scope, vertical = self._scope, self._scope.channels[number]
        if name == "VDIV?":
            return f"{vertical.volts_per_division:.3E}".encode()
        if name == "OFST?":
            return f"{vertical.offset_v:.3E}".encode()
        if name == "VDIV":
            vertical.volts_per_division = _number(value)
        elif name == "OFST":
            vertical.offset_v = _number(value)
        elif name == "TRLV":
            scope.trigger_channel, scope.trigger_v = number, _number(value)
        elif name == "WF?":
            raw = scope.codes(number).tobytes()
            return f"DAT2,#9{len(raw):09d}".encode() + raw + b"\n"
        return None

    def _of_all(self, name: str, value: str) -> bytes | None:
        scope = self._scope
        answers = {
            "*IDN?": lambda: IDENTITY,
            "SAST?": lambda: _STATES[scope.poll()],
            "SARA?": lambda: f"{scope.rate_hz:.3E}",
            "TDIV?": lambda: f"{scope.seconds_per_division:.3E}",
            "SANU?": lambda: f"{scope.points}",
        }
        if name in answers:
            return answers[name]().encode()
        if name == "TDIV":
            scope.seconds_per_division = _number(value)
        elif name == "MSIZ":
            scope.points = int(_number(value))
        elif name == "TRMD" and value.upper() == "SINGLE":
            scope.single()
        elif name == "FRTR":
            scope.force()
        elif name == "STOP":
            scope.stop()
        return None


def _number(text: str) -> float:
    found = _NUMBER.match(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no number with a unit")
    return float(found[1]) * _UNITS[found[2].upper()]
