"""What dialect B keeps besides its slots: envelopes, settings of the measurement, trigger routes, and an EEPROM."""

import copy
from collections.abc import Callable
from typing import Any

from firmware_sim.stimjim.device import StimJimDevice
from firmware_sim.stimjim.fields_b import ErrReply, envelope_of, fields, measurement_of, route_of, slot_of
from firmware_sim.stimjim.slot import CURRENT, SLOTS, VOLTAGE, TrainSlot

STORED = 10  # slots that the EEPROM keeps
BUSY_SLOT = "slot is attached to a running train — stop first (T-1 / U-1)"


class Settings(StimJimDevice):
    """A StimJim with them. `eeprom` is what an earlier boot left there."""

    def __init__(self, *, eeprom: dict[str, Any] | None = None, **options: Any) -> None:
        self.eeprom = {} if eeprom is None else eeprom
        super().__init__(**options)
        self.routes = copy.deepcopy(self.eeprom.get("routes", [[3, -1, -1, 0], [3, -1, -1, 0]]))
        for index, slot in enumerate(self.eeprom.get("slots", ())):
            self.slots[index] = copy.deepcopy(slot)

    def _setting(self, word: str, text: str, name: str, of: Callable[[list[int] | None, TrainSlot], list[int]]) -> None:
        index, rest = slot_of(text)
        slot = self.slots[index]
        if rest[:1] == ",":
            self.check_free(index)
            setattr(slot, name, of(fields(rest[1:]), slot))
        elif rest[:1] != "?":
            raise ErrReply(f"need {word}<idx>,... or {word}<idx>?")
        self.say(f"{word}{index},{','.join(map(str, getattr(slot, name)))}\r\n")

    def envelope(self, word: str, text: str) -> None:
        """Ramps of the amplitude."""
        self._setting(word, text, "envelope", envelope_of)

    def measurement(self, word: str, text: str) -> None:
        """What is measured of a train, and when."""

        def of(values: list[int] | None, slot: TrainSlot) -> list[int]:
            asked = measurement_of(values, slot)
            if any(what and mode not in {VOLTAGE, CURRENT} for what, mode in zip(asked, slot.modes, strict=False)):
                self.say("WARN MEAS: channel not driven (mode 2/3) — nothing to measure\n")
            return asked

        self._setting(word, text, "measurement", of)

    def trigger(self, _word: str, text: str) -> None:
        """What an edge on an input starts."""
        if text[:1] not in {"0", "1"} or text[1:2] not in {",", "?"}:
            raise ErrReply("need trigger input 0 or 1")
        if text[1] == ",":
            self.routes[int(text[0])] = route_of(fields(text[2:]))
        self._tell_route(int(text[0]))

    def _tell_route(self, line: int) -> None:
        self.say(f"TRIG{line},{','.join(map(str, self.routes[line]))}\r\n")

    def route(self, _word: str, text: str) -> None:
        """The same in the older form."""
        if text in {"0?", "1?"}:
            mode, first, _second, _edge = self.routes[int(text[0])]
            self.say(f"R{text[0]},{first if mode == 1 else -1},{int(mode == 3)}\n")
            return
        values = fields(text)
        if values is None or not 2 <= len(values) <= 3:
            raise ErrReply("need R<trig>,<slot>[,<output>] or R<t>?")
        line, index, marks = [*values, 0][:3]
        if line not in {0, 1}:
            raise ErrReply("trigger input must be 0 or 1")
        if not -1 <= index < SLOTS:
            raise ErrReply("slot must be -1 or 0-99")
        self.routes[line] = [3, -1, -1, 0] if marks else [0, -1, -1, 0] if index < 0 else [1, index, -1, 0]
        self._tell_route(line)

    def store(self, _word: str, _text: str) -> None:
        """Keep the first slots and the routes."""
        self.eeprom |= copy.deepcopy({"slots": self.slots[:STORED], "routes": self.routes})
        self.say("First 10 slot definitions and the trigger table saved to EEPROM.\r\n")

    def check_free(self, index: int) -> None:
        """Raise `ErrReply` for a slot that plays."""
        if index in {engine.slot for engine in self.engines}:
            raise ErrReply(BUSY_SLOT)
