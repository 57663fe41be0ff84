"""The options that `stimctl bench run` and `sweep` share: the port, the load, the pulses, where the readings go."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stimctl.cli.bench.amounts import AMPLITUDE, LOAD, MODE, RATE, WIDTH
from stimctl.cli.device_options import device_options
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.table import json_option
from stimctl.errors import Problem, Unsafe
from stimctl.units import UA_PER_MA, US_PER_S, hz_text

_FILE = click.Path(dir_okay=False, path_type=Path)
_PULSES = (
    click.option(
        "--ohm", type=LOAD, required=True, metavar="OHM", help="The resistor at the output, as in 1000 or 1k."
    ),
    click.option("--amplitude", type=AMPLITUDE, default="1.0mA", show_default=True, help="As in 1.5mA or 1500uA."),
    click.option("--mode", type=MODE, help="2, 100 or 2/100 Hz, with the bench profile's widths."),
    click.option("--frequency", type=RATE, metavar="HZ", help="Any rate from 1 to 100 Hz, in place of a mode."),
    click.option("--width", type=WIDTH, help="Of a phase, as in 200us: 0.1 to 0.6 ms."),
)


def load_options(*, channels: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command these options; `channels`: whether it may drive several."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        channel = click.option(
            "--channel",
            "channels" if channels else "channel",
            type=WholeNumber(1, 4),
            multiple=channels,
            default=(1,) if channels else 1,
            help="1 to 4; the first by default." + (" Repeatable." if channels else ""),
        )
        telemetry = click.option(
            "--telemetry", type=_FILE, help="Write each reading into this new file: .csv or .parquet."
        )
        for option in (json_option, telemetry, channel, *reversed(_PULSES)):
            command = option(command)
        return device_options()(command)

    return decorate


# What a limit is about, the option that says it, and its amount as people write it.
_OPTION_OF: tuple[tuple[str, str, Callable[[int], str]], ...] = (
    (r"stimulation_us", "--seconds", lambda us: f"{us / US_PER_S:g} s"),
    (r"ceiling_ua|channels\[\d\]\.amplitude_ua", "--amplitude", lambda ua: f"{ua / UA_PER_MA:g} mA"),
    (r"segment \d period_us", "--frequency", hz_text),
    (r"segment \d (second_)?width_us", "--width", lambda us: f"{us} us"),
)


@contextmanager
def limits_by_option(*, stepped: str = "") -> Iterator[None]:
    """Name what breaks a limit as its option does, and not as the prescription's field is called inside.

    `stepped`: the quantity whose amounts are a sweep's steps, which no option of its own says.
    """
    try:
        yield
    except Unsafe as broken:
        named = (_by_option(problem, stepped) for problem in broken.problems)
        raise Unsafe({str(each): each for each in named}.values()) from None


def _by_option(problem: Problem, stepped: str) -> Problem:
    allowed = problem.allowed.replace("ramp_only = true", "--ramp-only")
    for field, option, shown in _OPTION_OF:
        if re.fullmatch(field, problem.field) and isinstance(problem.value, int):
            name = "a step of" if option == f"--{stepped}" else option
            return Problem(f"{name} {shown(problem.value)}", None, allowed)
    return replace(problem, allowed=allowed)


def check_pulses(mode: object, frequency: object) -> None:
    """A mode and a rate of one's own do not go together."""
    if mode is not None and frequency is not None:
        raise click.UsageError("--mode and --frequency: give one of the two.")
