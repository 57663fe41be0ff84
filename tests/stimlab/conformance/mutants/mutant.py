"""Lists devices that break one requirement each: the suite has to catch every one.

@mutant("R-17", "welcomes every version")
class WelcomesAll(Device): ...

@mutant("R-44", "waits 1.5 s for a keepalive")
class SlowWatchdog(Machine): ...          # a genuine device, but for this part

mutant("R-86", "tells of a load at any pulse")(saying(Channel, lambda message: message._replace(ohm=30)))
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from firmware_sim.native.channel import OutputChannel
from firmware_sim.native.device import Device
from firmware_sim.native.flash import Totals
from firmware_sim.native.machine import Machine
from firmware_sim.native.output_stage import OutputStage
from firmware_sim.native.reply_cache import ReplyCache
from firmware_sim.native.telemetry import TelemetrySender
from firmware_sim.native.train import ChannelTrain
from firmware_sim.native.zero_detector import ZeroDetector
from tests.stimlab.conformance.bench_world import Make
from tests.stimlab.conformance.mutants.altered import Altered, Said

M = TypeVar("M", bound=Make | type[Any])


class Mutant(NamedTuple):
    """A device that breaks `requirement`, how, and what makes it."""

    requirement: str
    text: str
    make: Make


MUTANTS: list[Mutant] = []


def mutant(requirement: str, text: str) -> Callable[[M], M]:
    """List what is below: a device's or a part's class, or a function that makes a device; below another, for both."""

    def register(made: M) -> M:
        MUTANTS.append(Mutant(requirement, text, _device_of(made)))
        return made

    return register


def _device_of(made: Any) -> Make:
    parts = {Machine: "machine_class", OutputStage: "stage_class", TelemetrySender: "telemetry_class"}
    for part, attribute in parts.items():
        if isinstance(made, type) and issubclass(made, part):
            return type("WithPart", (Device,), {attribute: made})
    for part, fit in _FITTED.items():
        if isinstance(made, type) and issubclass(made, part):
            return fit(made)
    return made  # type: ignore[no-any-return]


def _with_cache(cache: type[ReplyCache]) -> type[Device]:
    class WithCache(Device):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self._replies = cache()

    return WithCache


def _with_zero(zero: type[ZeroDetector]) -> type[Device]:
    class WithZero(Device):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.machine.zero = zero()

    return WithZero


def _with_train(train: type[ChannelTrain]) -> type[Device]:
    """The gate sees nothing of what its pulses are."""

    class Stage(OutputStage):
        train_class = train

    class Blind(Machine):
        def _permit(self, channel: int, segment: int, amplitude_ua: int, second_ua: int, last_ua: int) -> bool:
            return True

    class WithTrain(Device):
        stage_class = Stage
        machine_class = Blind

    return WithTrain


def with_channels(channel_class: type[OutputChannel], base: type[OutputStage] = OutputStage) -> type[Device]:
    """A device whose output stage has channels of this class."""

    class Stage(base):  # type: ignore[misc, valid-type]
        def __init__(self, *parts: Any, **options: Any) -> None:
            super().__init__(*parts, **options)
            for channel in self._channels.values():
                channel.__class__ = channel_class

    class WithChannels(Device):
        stage_class = Stage

    return WithChannels


_FITTED: dict[type[Any], Callable[[Any], type[Device]]] = {
    ReplyCache: _with_cache, ZeroDetector: _with_zero, ChannelTrain: _with_train, OutputChannel: with_channels,
}  # fmt: skip


def saying(kind: type[Any], change: Callable[[Any], Any]) -> type[Device]:
    """A genuine device but for what it says in messages of this kind."""

    class Saying(Altered):
        def says(self, sequence: int, message: Any) -> Iterable[Said]:
            return ((sequence, change(message) if isinstance(message, kind) else message),)

    return Saying


def counting(change: Callable[[Totals], Totals]) -> type[Device]:
    """A genuine device but for what it counted and measured."""

    class Counting(OutputStage):
        def totals(self, channel: int) -> Totals:
            return change(super().totals(channel))

    return type("WithCounts", (Device,), {"stage_class": Counting})
