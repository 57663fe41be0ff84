"""A StimJim at rest: nothing that it holds could give output, and it says so.

Slots keep what they hold after a stop, inputs what they start, and dialect B an envelope and a measurement for each
slot, which outlive a new definition and, stored in its EEPROM, the power. So all of it is taken away, line by line, and
what the device says of each is compared. A and C cannot be asked for an input: their word for it is all there is.
"""

from typing import Any, NamedTuple

from stimctl.stimulators.stimjim import gate
from stimctl.stimulators.stimjim.gate import HARMLESS_SLOT, OUR_SLOTS
from stimctl.stimulators.stimjim.parser import Detached, Setting, SlotEcho


class Step(NamedTuple):
    """A line, and what the device has to say to it; None where anything will do."""

    line: bytes
    told: Any = None


def steps_of(letter: str) -> list[Step]:
    """What puts a device of this dialect at rest."""
    if letter == "b":
        return _with_settings()
    detached = [Step(line, Detached(number)) for number, line in enumerate(gate.DETACH)]
    return [*(_grounded(letter, index) for index in OUR_SLOTS), *detached]


def _grounded(letter: str, index: int) -> Step:
    return Step(HARMLESS_SLOT.line(index), SlotEcho(index, HARMLESS_SLOT, letter))


def _set(line: bytes, *more: int) -> Step:
    """A setting: the device answers with the line itself, in full."""
    return Step(line, Setting(",".join([line.decode("ascii").strip(), *map(str, more)])))


def _query(setting: Step) -> Step:
    """The question whether it stands."""
    return Step(setting.line.partition(b",")[0] + b"?\n", setting.told)


def _with_settings() -> list[Step]:
    steps: list[Step] = []
    for index in OUR_SLOTS:
        no_envelope = _set(gate.NO_ENVELOPES[index], 0)
        measured = _set(gate.ALL_MEASURED[index])
        # A slot of another kind refuses the first measurement, a measurement of one stage refuses the slot.
        unmeasured = Step(gate.NOTHING_MEASURED[index])
        steps += [no_envelope, unmeasured, _grounded("b", index), measured, _query(no_envelope), _query(measured)]
    for line in gate.NO_TRIGGERS:
        steps += [_set(line), _query(_set(line))]
    return steps
