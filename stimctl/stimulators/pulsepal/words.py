"""A PulsePal's traffic in words: each command that goes to it, and the answer that each wants."""

import struct
from collections import deque
from collections.abc import Iterator

from stimctl.stimulators.pulsepal import gate

_Words = tuple[str, dict[str, str]]  # kind and fields
_NAMES = {
    72: "Handshake", 73: "Program", 74: "SetTriggerMode", 77: "Trigger", 79: "SetVoltage", 80: "AbortAll",
    82: "SetLoop", 92: "Program", 93: "ReadProgram", 98: "Stop",
}  # fmt: skip
# How many bytes answer a command.
_ANSWERS = {72: 5, 73: 1, 74: 1, 79: 1, 82: 1, 92: 1, 93: 178}


class PulsePalWords:
    """A `Language` of recorded traffic."""

    def __init__(self) -> None:
        self.tails = {"host": b"", "device": b""}
        self._wanted: deque[int] = deque()  # ops that want an answer, in order

    def hear(self, sender: str, data: bytes) -> Iterator[_Words]:
        self.tails[sender] += data
        yield from self._commands() if sender == "host" else self._answers()

    def _commands(self) -> Iterator[_Words]:
        while data := self.tails["host"]:
            begins = data.find(gate.START)
            if begins:
                junk = data if begins < 0 else data[:begins]
                self.tails["host"] = data[len(junk) :]
                yield "Unknown", {"why": '"does not begin with 213, so it is passed over"', "bytes": junk.hex(" ")}
                continue
            op = data[1] if len(data) > 1 else 0
            length = gate.length(op, data[2:])
            if len(data) < 2 or (length is not None and len(data) < 2 + length):
                return
            payload = data[2 : 2 + (length or 0)]
            self.tails["host"] = data[2 + len(payload) :]
            if op in _ANSWERS:
                self._wanted.append(op)
            yield _NAMES.get(op, "Unknown"), {"op": str(op), **_described(op, payload)}

    def _answers(self) -> Iterator[_Words]:
        while data := self.tails["device"]:
            if not self._wanted:
                self.tails["device"] = b""
                yield "Unasked", {"bytes": data.hex(" ")}
                return
            size = _ANSWERS[self._wanted[0]]
            if len(data) < size:
                return
            self.tails["device"] = data[size:]
            yield _answer(self._wanted.popleft(), data[:size])


def _answer(op: int, answer: bytes) -> _Words:
    if op == 72:
        letter, firmware = struct.unpack("<BI", answer)
        return "Welcome", {"letter": chr(letter), "firmware": str(firmware)}
    if op == 93:
        wide = answer[: 128 + 24 + 16] + bytes(4) + answer[128 + 24 + 16 :]
        return "Holds", _program(92, wide)
    return "Done" if answer == b"\1" else "Rejected", {"to": _NAMES[op], "answer": answer.hex()}


def _described(op: int, payload: bytes) -> dict[str, str]:
    match op:
        case 73 | 92:
            return _program(op, payload)
        case 77 | 98:
            return {"channels": ",".join(str(n + 1) for n in range(8) if payload[0] >> n & 1) or "none"}
        case 79:
            channel, code = struct.unpack("<BH", payload)
            return {"channel": str(channel), "voltage": _volt(code - gate.ZERO_CODE)}
        case 82:
            return {"channel": str(payload[0]), "state": "on" if payload[1] else "off"}
        case 74:
            return {"line": str(payload[1]), "mode": str(payload[2])}
    return {"bytes": payload.hex(" ")} if payload else {}


def _program(op: int, payload: bytes) -> dict[str, str]:
    fields = {f"channel_{n}": _output(each) for n, each in enumerate(gate.read_outputs(op, payload), 1) if each.driven}
    return fields or {"channels": "all at rest"}


def _output(each: gate.ChannelOutput) -> str:
    us = [cycles * gate.CYCLE_US for cycles in each[:6]]
    return (
        f"({_volt(each.code_1)} for {us[0]} us, {us[1]} us, {_volt(each.code_2)} for {us[2]} us, then {us[3]} us; "
        f"{us[4]} us in all, after {us[5]} us)"
    )


def _volt(code: int) -> str:
    return f"{code * gate.FULL_MV / gate.ZERO_CODE / 1_000:.4f} V"
