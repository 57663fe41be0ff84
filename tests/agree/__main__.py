"""`python -m tests.agree`: the machines for as many examples as one likes. Exits with 1 when something disagrees.

A failure prints the scenario that makes it, and how to draw it again. Examples are drawn anew each time, unless
`--seed` says which.
"""

import secrets
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from time import monotonic

import click

from tests.agree.parts import MACHINES, Part, parts, play_part


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(MACHINES)), metavar="[MACHINE]...")
@click.option("--examples", type=click.IntRange(1), default=1_000, show_default=True, help="For each machine.")
@click.option("--steps", type=click.IntRange(1), default=25, show_default=True, help="The most in one example.")
@click.option("--seed", "seed_", type=int, help="Draw the examples from this. [default: another one each time]")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes that share them.")
@click.option("--shrink", is_flag=True, help="Make what fails as small as it gets, which takes its time.")
def main(names: tuple[str, ...], examples: int, steps: int, seed_: int | None, jobs: int, shrink: bool) -> None:
    """Run MACHINEs, or all of them.

    Example: python -m tests.agree --examples 20000 --jobs 2 session
    """
    drawn = secrets.randbelow(1 << 32) if seed_ is None else seed_
    agreed = [_run(name, parts(name, examples, steps, drawn, shrink), drawn, jobs) for name in names or MACHINES]
    sys.exit(0 if all(agreed) else 1)


def _run(name: str, ahead: list[Part], drawn: int, jobs: int) -> bool:
    """Play all parts, with a line for each that is done. Returns whether they agree."""
    began_s, agree, cpu_s, failed = monotonic(), 0, 0.0, 0
    asked = sum(part.examples for part in ahead)
    with ProcessPoolExecutor(min(jobs, len(ahead)), mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(play_part, part) for part in ahead]):
            result = done.result()
            agree, cpu_s = agree + result.agree, cpu_s + result.cpu_s
            if result.failure is not None:
                failed += 1
                click.echo(f"{result.failure}\nagain: {result.part.again()}")
            click.echo(f"{name}: {agree:,} of {asked:,} examples agree, {monotonic() - began_s:.0f} s")
    disagree = f", {failed} of {len(ahead)} parts DISAGREE" if failed else ""
    click.echo(
        f"{name}: {agree:,} of {asked:,} examples agree{disagree} (--seed {drawn}, {cpu_s:.0f} s of processor time)"
    )
    return not failed


if __name__ == "__main__":
    main()
