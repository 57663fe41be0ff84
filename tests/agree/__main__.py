"""`python -m tests.agree`: the machines for as many examples as one likes. Exits with 1 when something disagrees.

A failure prints the scenario that makes it. Examples are drawn anew each time, unless `--seed` says which.
"""

import secrets
import sys
import traceback
from typing import Any

import click
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.agree.test_device import Commands
from tests.agree.test_late import Late
from tests.agree.test_session import Sessions

MACHINES: dict[str, Any] = {"device": Commands, "late": Late, "session": Sessions}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(MACHINES)), metavar="[MACHINE]...")
@click.option("--examples", type=click.IntRange(1), default=1_000, show_default=True, help="For each machine.")
@click.option("--steps", type=click.IntRange(1), default=25, show_default=True, help="The most in one example.")
@click.option("--seed", "seed_", type=int, help="Draw the examples from this. [default: another one each time]")
@click.option("--shrink", is_flag=True, help="Make what fails as small as it gets, which takes its time.")
def main(names: tuple[str, ...], examples: int, steps: int, seed_: int | None, shrink: bool) -> None:
    """Run MACHINEs, or all of them.

    Example: python -m tests.agree --examples 20000 session
    """
    failed = 0
    drawn = secrets.randbelow(1 << 32) if seed_ is None else seed_
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for name in names or MACHINES:
        try:
            run_state_machine_as_test(seed(drawn)(MACHINES[name]), settings=chosen)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told, and the others run
            failed += 1
            notes = "\n".join(getattr(failure, "__notes__", ()))
            click.echo(notes or "".join(traceback.format_exception(failure)))
            click.echo(f"{name}: {type(failure).__name__}: {failure} (--seed {drawn})")
        else:
            click.echo(f"{name}: {examples} examples agree (--seed {drawn})")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
