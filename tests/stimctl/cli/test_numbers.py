"""What an option takes for a number, in every command."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stimctl.cli import main
from stimctl.cli.numbers import Number, WholeNumber

NOT_NUMBERS = ("nan", "inf", "-inf", "1_0", "1,5", "0x10", "١", "１", "1e400", "", "9" * 20)


@pytest.mark.parametrize("typed", NOT_NUMBERS)
def test_what_is_no_number_is_refused(typed: str) -> None:
    for kind in (Number(), WholeNumber(0)):
        with pytest.raises(click.BadParameter):
            kind.convert(typed, None, None)


@pytest.mark.parametrize(("typed", "number"), [("2", 2), (" 2 ", 2), ("+1", 1), ("0", 0), ("007", 7)])
def test_plain_digits_are_taken(typed: str, number: int) -> None:
    assert Number().convert(typed, None, None) == WholeNumber(0).convert(typed, None, None) == number


@pytest.mark.parametrize(("typed", "number"), [("1.5", 1.5), ("1e3", 1000.0), ("-.5", -0.5)])
def test_a_number_may_have_places(typed: str, number: float) -> None:
    assert Number().convert(typed, None, None) == number
    with pytest.raises(click.BadParameter):
        WholeNumber(0).convert(typed, None, None)


def test_no_command_has_a_number_of_another_kind() -> None:
    found = [(command, each.name, each.type) for command, each in _options(main, "stimctl")]
    assert len(found) > 200
    ours = [kind for _, _, kind in found if isinstance(kind, (Number, WholeNumber))]
    assert len(ours) > 20
    others = (click.types.IntParamType, click.types.FloatParamType)
    # The simulator shares nothing with the commands but the errors; what it is given, it says in its first line.
    assert [
        (command, name)
        for command, name, kind in found
        if isinstance(kind, others) and not isinstance(kind, (Number, WholeNumber)) and command != "stimctl sim"
    ] == []


@pytest.mark.parametrize(
    "words",
    [
        "log list -n 99999999999999999999",
        "log correct 99999999999999999999 text",
        "log score latest --when before --pain nan",
        "replay none.traffic --tolerance-ms nan",
        "stop --timeout nan",
        "bench accept --capture none.npz --profile bench-2hz --load 500 --amplitude-ma 0",
        "bench accept --capture none.npz --profile bench-2hz --load 500 --full-scale -1",
        "bench accept --capture none.npz --profile bench-2hz --load 500 --gain-percent nan",
        "bench accept --capture none.npz --profile bench-2hz --load 500 --minutes inf",
        "conformance --port sim:// --only R-04 --scope-load -1",
        "course new P-1 low-back-pain --simulated --clinician C --weeks ٤",
    ],
)
def test_an_option_says_so_before_anything_else(words: str, home: Path) -> None:
    told = CliRunner().invoke(main, words.split())
    assert told.exit_code == 2
    assert "Invalid value for" in told.stderr
    assert not home.exists()


def _options(command: click.Command, path: str) -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            each = command.get_command(context, name)
            assert each is not None
            yield from _options(each, f"{path} {name}")
    else:
        yield from ((path, each) for each in command.params)
