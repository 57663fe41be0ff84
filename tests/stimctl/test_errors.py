"""The error tree: whose fault each is, and that what went wrong is told in full."""

import pytest

from stimctl import errors
from stimctl.errors import CommandRefused, InputInvalid, NotSent, Problem, StimctlError, Unsafe


def test_a_problem_reads_as_a_sentence() -> None:
    assert str(Problem("width_us", 700, "must be 100 to 600 us")) == "width_us is 700: must be 100 to 600 us"
    assert str(Problem("needle", None, "must be declared", line=7)) == "line 7: needle: must be declared"
    assert str(Problem("side", "middle", "left or right")) == "side is 'middle': left or right"


def test_all_problems_are_told_not_only_the_first() -> None:
    problems = [Problem("a", 1, "no"), Problem("b", 2, "no")]
    invalid = InputInvalid("my.toml", iter(problems))
    assert str(invalid) == "my.toml:\n  a is 1: no\n  b is 2: no"
    unsafe = Unsafe(iter(problems))
    assert str(unsafe) == "a is 1: no\nb is 2: no"
    assert unsafe.problems == invalid.problems == tuple(problems)


def test_a_refusal_keeps_its_reason() -> None:
    refused = CommandRefused("Start", "wrong nonce", "7")
    assert str(refused) == "the device refused Start: wrong nonce (7)"
    assert str(CommandRefused("Start", "wrong state")) == "the device refused Start: wrong state"
    assert (refused.command, refused.reason) == ("Start", "wrong nonce")


def test_what_went_of_a_write_is_told() -> None:
    assert (NotSent("the port takes no bytes").sent, NotSent("it took 3 of 9", 3).sent) == (0, 3)


TREE = {
    "Misuse": ["InputInvalid", "IllegalEvent"],
    "Unsafe": [],
    "DeviceFault": ["CommandRefused", "EchoMismatch", "WrongDevice"],
    "LineFault": ["LineLost", "NotSent", "Suspended", "TimedOut", "PortBusy"],
    "WireError": [],
    "LogFault": [],
}


@pytest.mark.parametrize(("parent", "children"), TREE.items())
def test_the_tree_is_as_drawn(parent: str, children: list[str]) -> None:
    kind = getattr(errors, parent)
    assert kind.__base__ is StimctlError
    assert [child.__name__ for child in kind.__subclasses__() if child.__module__ == errors.__name__] == children
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in [parent, *children])


def test_no_class_stands_outside_the_tree() -> None:
    raised = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert raised == {"StimctlError", *TREE, *(child for children in TREE.values() for child in children)}
