"""The wiring check: fifteen steps on a resistor before anything else, from one table that the document has too."""

import json
import os
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from stimctl.bench.dummy_load import LoadRun
from stimctl.errors import Misuse
from stimctl.new_file import open_growing
from stimctl.waveform import Mode

TABLE = Path(__file__).with_name("wiring.toml")
FOLDER = "wiring"
Answer = Literal["as expected", "not as expected", "left out"]


class _WiringModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WiringDrive(_WiringModel):
    """What the command runs for a step, on channel 1."""

    mode: Mode
    amplitude_ua: int
    seconds: int


class WiringStep(_WiringModel):
    """One step: what is done, where the oscilloscope looks, and what it has to show. `only`: kinds of device."""

    number: int
    do: str
    scope: str
    expected: str
    drive: WiringDrive | None = None
    only: tuple[str, ...] = ()


class WiringTable(_WiringModel):
    """All of it, over one load."""

    ohm: int
    steps: tuple[WiringStep, ...] = Field(min_length=1)

    def run_of(self, step: WiringStep) -> LoadRun | None:
        """What is driven in a step, if anything is."""
        if step.drive is None:
            return None
        return LoadRun(
            ohm=self.ohm, amplitude_ua=step.drive.amplitude_ua, mode=step.drive.mode,
            stimulation_us=step.drive.seconds * 1_000_000, ramp_only=True,
        )  # fmt: skip

    def document(self) -> str:
        """As Markdown."""
        rows = [f"| {each.number} | {each.do} | {each.scope} | {each.expected} | |".replace("|  |", "| |")
                for each in self.steps]  # fmt: skip
        return "\n".join(["| # | do | scope on | expected | tick |", "|---|---|---|---|---|", *rows])


def wiring_table() -> WiringTable:
    """The shipped table."""
    return WiringTable.model_validate(tomllib.loads(TABLE.read_text("utf-8")))


@dataclass(frozen=True, slots=True)
class WiringAnswer:
    """What a person saw at a step."""

    step: int
    answer: Answer
    seen: str
    at_utc: str
    session_id: str | None = None


class WiringRecord:
    """A new file of answers, each on the disk before the next step. Raises `Misuse` where it cannot be made."""

    def __init__(self, folder: Path, head: dict[str, Any], name: str) -> None:
        self.path = folder / FOLDER / f"{name}.jsonl"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open_growing(self.path)
            self._write(head)
        except OSError as fault:
            raise Misuse(f"{self.path} cannot be written: {fault.strerror or fault}") from fault

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()

    def put(self, answer: WiringAnswer) -> None:
        """One more."""
        self._write(asdict(answer))

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
