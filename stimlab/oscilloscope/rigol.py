"""The SCPI of Rigol's DS1000Z, as far as a capture needs it (DS1000Z programming guide)."""

import re

from stimlab.oscilloscope.front_end import FrontEnd, Vertical

IDENTITY = "RIGOL TECHNOLOGIES,DS1104Z,SIMULATED0001,00.04.05"
MOST_POINTS = 250_000  # of one read, in bytes
_STATES = {"stop": "STOP", "wait": "WAIT", "fill": "TD"}
_MIDDLE = 128


class RigolScpi:
    """Answers one command at a time: bytes for a question, None for an order."""

    def __init__(self, scope: FrontEnd) -> None:
        self._scope = scope
        self._source, self._first, self._last = 1, 1, 0

    def answer(self, line: str) -> bytes | None:
        """Carry out a command. An unknown one is not answered, as with the instrument."""
        command, _, value = line.strip().partition(" ")
        name = re.sub(r"[a-z]+", "", command.lstrip(":")).upper() if command != "*IDN?" else command
        channel = re.fullmatch(r"CHAN([1-4]):(\w+\??)", name)
        if channel:
            return self._vertical(self._scope.channels[int(channel[1])], channel[2], value)
        found = getattr(self, _METHODS.get(name, ""), None)
        return None if found is None else found(value)

    def _vertical(self, vertical: Vertical, name: str, value: str) -> bytes | None:
        attribute = {"SCAL": "volts_per_division", "OFFS": "offset_v"}.get(name.rstrip("?"))
        if attribute is None:
            return None
        if name.endswith("?"):
            return f"{getattr(vertical, attribute):e}".encode()
        setattr(vertical, attribute, float(value))
        return None

    def _identity(self, _value: str) -> bytes:
        return IDENTITY.encode()

    def _time_scale(self, value: str) -> None:
        self._scope.seconds_per_division = float(value)

    def _depth(self, value: str) -> None:
        self._scope.points = int(float(value))

    def _rate(self, _value: str) -> bytes:
        return f"{self._scope.rate_hz:e}".encode()

    def _trigger_source(self, value: str) -> None:
        self._scope.trigger_channel = int(value[-1])

    def _trigger_level(self, value: str) -> None:
        self._scope.trigger_v = float(value)

    def _single(self, _value: str) -> None:
        self._scope.single()

    def _force(self, _value: str) -> None:
        self._scope.force()

    def _stop(self, _value: str) -> None:
        self._scope.stop()

    def _status(self, _value: str) -> bytes:
        return _STATES[self._scope.poll()].encode()

    def _choose(self, value: str) -> None:
        self._source = int(value[-1])

    def _from(self, value: str) -> None:
        self._first = int(value)

    def _to(self, value: str) -> None:
        self._last = int(value)

    def _preamble(self, _value: str) -> bytes:
        scope, vertical = self._scope, self._scope.channels[self._source]
        taken = scope.taken
        rate_hz, points = (taken.rate_hz, taken.points) if taken else (scope.rate_hz, 0)
        origin_s = (taken.start_us - taken.trigger_us) / 1e6 if taken else 0.0
        y = f"{vertical.volts_per_code:e},{round(vertical.offset_v / vertical.volts_per_code)},{_MIDDLE}"
        return f"0,2,{points},1,{1 / rate_hz:e},{origin_s:e},0,{y}".encode()

    def _data(self, _value: str) -> bytes:
        last = min(self._last or MOST_POINTS, self._first - 1 + MOST_POINTS)
        raw = (self._scope.codes(self._source)[self._first - 1 : last].astype("i2") + _MIDDLE).astype("u1").tobytes()
        return f"#9{len(raw):09d}".encode() + raw


_METHODS = {
    "*IDN?": "_identity", "TIM:SCAL": "_time_scale", "TIM:MAIN:SCAL": "_time_scale", "ACQ:MDEP": "_depth",
    "ACQ:SRAT?": "_rate", "TRIG:EDG:SOUR": "_trigger_source", "TRIG:EDG:LEV": "_trigger_level", "SING": "_single",
    "TFOR": "_force", "STOP": "_stop", "TRIG:STAT?": "_status", "WAV:SOUR": "_choose", "WAV:STAR": "_from",
    "WAV:STOP": "_to", "WAV:PRE?": "_preamble", "WAV:DATA?": "_data",
}  # fmt: skip
