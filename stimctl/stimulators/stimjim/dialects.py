"""What each of the StimJim's three dialects does in its own way."""

from typing import Any

from stimctl.stimulators.stimjim import parser as text
from stimctl.stimulators.stimjim.adapter import StimJimAdapter
from stimctl.stimulators.stimjim.gate import CURRENT
from stimctl.stimulators.stimjim.train import StartedSlot


class StimJimAdapterA(StimJimAdapter):
    """The Teensy's "Pulser": no identification, blocks for people, no count after a stop."""

    letter = "a"


class StimJimAdapterB(StimJimAdapter):
    """stimjimAWG: answers `IDN` and `ERR`, echoes one line; its measurement is not there in every version."""

    letter = "b"
    measures = False
    stops_mid_pulse = True

    _tells_sums: bool | None = None  # not known before its first lease

    def _complete(self, message: text.TrainComplete, now_us: int) -> list[Any]:
        foreign, train = super()._complete(message, now_us), self._train
        whole = train is not None and train.done_due_us is not None and self._tells_sums is False
        return self._done(train, now_us) if train is not None and whole else foreign

    def _mean(self, message: text.StageReport, now_us: int) -> list[Any]:
        self._tells_sums = self.measures = True
        return super()._mean(message, now_us)

    def _done(self, train: StartedSlot, now_us: int) -> list[Any]:
        self._tells_sums = bool(self._tells_sums)
        return super()._done(train, now_us)


class StimJimAdapterC(StimJimAdapter):
    """The RP2354B: `X` stops in mid-stage, `T-1` means nothing, each channel tells its own end."""

    letter = "c"
    stops_mid_pulse = True
    # One early version ends a train on any byte that it hears.
    prepares_ahead = False
    engines = frozenset({""})

    def _is_whole(self, train: StartedSlot, message: text.StageReport) -> bool:
        return message.stage is None and message.channel == max(
            channel for channel, mode in enumerate(train.slot.modes) if mode == CURRENT
        )


DIALECTS: dict[str, type[StimJimAdapter]] = {"a": StimJimAdapterA, "b": StimJimAdapterB, "c": StimJimAdapterC}
