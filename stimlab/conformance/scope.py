"""What nobody can see from the device's end of the wire: requirements without a check, and points left to a scope."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Literal

from stimlab.conformance.matrix import AMPLITUDES_UA, CHANNELS, SHAPES

NOT_ON_THE_WIRE = {
    "R-01": "a line's rate is not seen in its bytes: the suite opens the port at 115 200 8N1, and a device that "
    "answers at all has it",
    "R-11": "binds the host: how it numbers commands and sends them again; what a device makes of it is R-13 and R-14",
    "R-43": "binds the host: how often it sends KeepAlive; what a device does without is R-44",
    "R-45": "binds the host: when it takes the device for silent; how often a device speaks is R-65",
    "R-49": "binds the host: how it sends Stop, and when it raises an alarm; what a device makes of it is R-46 to R-50",
    "R-76": "binds the host: the empty frames that it sends; that a device minds none is R-06",
    "R-78": "binds the host: what it takes from telemetry that is older than an answer",
    "R-81": "what comes while a command is being executed cannot be timed from the line; repeats as such are R-13",
    "R-83": "a line's rate is not seen in its bytes",
    "R-85": "where its chance comes from is not seen in a nonce; that it is drawn at each Arm is R-34",
    "R-87": "no dummy load unbalances a good device, and how its windows lie is not told",
    "R-88": "a host has no image to hash",
    "R-89": "binds the host: how long it waits for a device that boots when its port is opened",
    "R-90": "nobody can change a device's memory from its end of the line",
}


@dataclass(frozen=True, slots=True)
class ToMeasure:
    """What a scope over the dummy load has to show at one operating point. Nothing here is judged from the line."""

    name: str
    what: str
    point: str
    expected: str


PointVerdict = Literal["passed", "failed", "open"]


@dataclass(frozen=True, slots=True)
class PointMeasured:
    """What a capture showed at one point, in words."""

    name: str
    file: str
    verdict: PointVerdict
    text: str


def _pulses() -> Iterator[ToMeasure]:
    """A device that misreads itself is true to all that it says: only what flows tells of it."""
    for place, (_, width_us, gap_us, second_us) in SHAPES.items():
        for amplitude_ua, channel in product(AMPLITUDES_UA, CHANNELS):
            volt, second_ua = amplitude_ua / 1_000, amplitude_ua * width_us // second_us
            expected = (
                f"+{volt:.3f} V for {width_us} us, {gap_us} us of none, -{second_ua / 1_000:.3f} V for {second_us} us"
            )
            point = f"{amplitude_ua} uA on channel {channel} in {place.value}, over 1 kohm"
            name = f"pulse-{place.name.lower()}-{amplitude_ua}ua-ch{channel}"
            yield ToMeasure(name, "both phases, which a lying readback or integrator would hide", point, expected)


def _others() -> Iterator[ToMeasure]:
    for channel in CHANNELS:
        point = f"channel {channel}, 5 to 100 ms after Stop at {max(AMPLITUDES_UA)} uA"
        yield ToMeasure(f"zero-ch{channel}", "zero, which a timer could tell as well", point, "under 20 mV over 1 kohm")
    for first, second in combinations(CHANNELS, 2):
        point = f"channels {first} and {second} driven together"
        expected = f"pulses {(second - first) * 2_500} us apart, never at once"
        yield ToMeasure(f"pair-ch{first}-ch{second}", "that no two channels drive at once", point, expected)
    yield ToMeasure(
        "gate", "the gate (R-57)", "a pulse that it has to refuse", "none: nobody can make a good device ask for one"
    )


TO_MEASURE = (*_pulses(), *_others())
