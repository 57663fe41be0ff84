"""The options that `stimctl bench run` and `sweep` share: the port, the load, the pulses, where the readings go."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from stimctl.bench.dummy_load import LoadRun, asked_hz, prescription_for
from stimctl.cli.bench.amounts import AMPLITUDE, LOAD, MODE, RATE, WIDTH
from stimctl.cli.device_options import device_options
from stimctl.cli.numbers import WholeNumber
from stimctl.cli.table import json_option
from stimctl.errors import Problem, Unsafe
from stimctl.units import UA_PER_MA, US_PER_S, charge_text

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
_OPTION_OF: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    (r"stimulation_us", "--seconds", lambda us: f"{us / US_PER_S:g} s"),
    (r"ceiling_ua|channels\[\d\]\.amplitude_ua", "--amplitude", lambda ua: f"{ua / UA_PER_MA:g} mA"),
    (r"segment \d period_us", "--frequency", asked_hz),
    (r"segment \d (second_)?width_us", "--width", lambda us: f"{us} us"),
)
_SPAN = re.compile(r"must be (\d+) to (\d+) u[As]")
_CHARGE = re.compile(r"gives \d+ pC: must be 0 to (\d+) pC")
_MOST_NAMED = 8  # of a sweep's steps, in one sentence


def check_limits(runs: Iterable[LoadRun], *, stepped: str = "") -> None:
    """Raise `Unsafe` with every limit that one of them breaks, named as its option and not as the prescription's field.

    `stepped`: the quantity whose amounts are a sweep's steps, which no option of its own says.
    """
    amounts: dict[tuple[str, str], dict[str, None]] = {}
    for run in runs:
        try:
            prescription_for(run)
        except Unsafe as broken:
            for name, amount, allowed in _by_option(broken, stepped):
                amounts.setdefault((name, allowed), {})[amount] = None
    if amounts:
        raise Unsafe(
            Problem(f"{name} {_listed([*each])}".rstrip(), None, allowed) for (name, allowed), each in amounts.items()
        )


def _by_option(broken: Unsafe, stepped: str) -> Iterator[tuple[str, str, str]]:
    """Name, amount and what is allowed. What a pulse's width may be, say, stands in the limits of both its phases."""
    spans = set()
    for problem in broken.problems:
        allowed = problem.allowed.replace("ramp_only = true", "--ramp-only")
        allowed = _CHARGE.sub(lambda found: f"gives more than {charge_text(int(found[1]))} a phase", allowed)
        known = (each for each in _OPTION_OF if re.fullmatch(each[0], problem.field))
        _, option, shown = next(known, (None, problem.field, lambda value: f"is {value!r}"))
        span = _SPAN.match(allowed)
        if span is not None:
            if option in spans:
                continue
            spans.add(option)
            ends = sorted((int(span[1]), int(span[2])), reverse=option == "--frequency")
            allowed = f"must be {shown(ends[0])} to {shown(ends[1])}{allowed[span.end() :]}"
        amount = "" if problem.value is None else shown(problem.value)
        if stepped and option == "--seconds":
            option, amount = "--seconds and the ramps", ""  # these are longer at each step of an amplitude
        yield "a step of" if option == f"--{stepped}" else option, amount, allowed


def _listed(amounts: list[str]) -> str:
    *others, last = amounts
    if len(others) >= _MOST_NAMED:
        others, last = amounts[:_MOST_NAMED], f"{len(amounts) - _MOST_NAMED} more"
    return f"{', '.join(others)} and {last}" if others else last


def check_pulses(mode: object, frequency: object) -> None:
    """A mode and a rate of one's own do not go together."""
    if mode is not None and frequency is not None:
        raise click.UsageError("--mode and --frequency: give one of the two.")
