"""`python -m tests.fuzz`: every target for a while, guided by coverage; what breaks a promise is saved.

The kept corpus is read and never written, unless `--keep` is given: then what reaches something new is added to
it, as few inputs as do. An input that breaks a promise is saved, and how to run it again is printed.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from tests.fuzz import libfuzzer

TARGETS = libfuzzer.targets(instrumented="--again" not in sys.argv)

# After the targets, which have to be imported under instrumentation.
from tests.fuzz.seeds import FOLDERS, ROOT, shipped  # noqa: E402
from tests.fuzz.targets import CORPUS, corpus  # noqa: E402

MEMORY_MB = 1_024
SLOWEST_S = 20  # for one input, on a machine that is busy
_LENGTHS = {"profile": 8_192, "prescription": 4_096, "scenario": 4_096, "recording": 8_192, "traffic": 4_096}
_LENGTH = 1_024
_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(TARGETS)), metavar="[TARGET]...")
@click.option("--seconds", type=click.IntRange(1), default=5, show_default=True, help="For each target.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Targets at a time.")
@click.option("--keep", is_flag=True, help="Add what reaches something new to the corpus.")
@click.option("--saved", type=_FOLDER, help="Where inputs that break a promise are saved. [default: a new folder]")
@click.option("--again", type=_FILE, help="Run this one input through TARGET, without fuzzing.")
def main(names: tuple[str, ...], seconds: int, jobs: int, keep: bool, saved: Path | None, again: Path | None) -> None:
    """Fuzz TARGETs, or all of them.

    Example: python -m tests.fuzz --seconds 60 driver device_native
    """
    if again is not None:
        for name in names:
            TARGETS[name](again.read_bytes())
            click.echo(f"{name}: {again} breaks no promise")
        return
    if not libfuzzer.installed():
        click.echo(f"{libfuzzer.MISSING}: mutating the corpus without coverage instead")
        command = [sys.executable, "-m", "pytest", "-q", "tests/fuzz"]
        sys.exit(subprocess.run(command, cwd=ROOT, check=False).returncode)
    if saved is None:
        saved = Path(tempfile.mkdtemp(prefix="stimctl-broken-"))
    saved.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stimctl-fuzz-"))
    broken = 0
    names = names or tuple(TARGETS)
    try:
        for name, ended in _side_by_side(names, seconds, jobs, folder, saved):
            kept = f"; {_keep(name, folder / name)} inputs more kept" if keep else ""
            told = ("BROKEN" if any(saved.glob(f"{name}-*")) else f"ended {ended.status}") if ended.status else "ok"
            click.echo(f"{name:<16} {told:<9} {ended.runs:>8} runs, {ended.coverage:>5} edges{kept}")
            if ended.status:
                broken += 1
                click.echo(_told(name, ended, saved))
    finally:
        shutil.rmtree(folder)
    if not broken and not any(saved.iterdir()):
        saved.rmdir()
    click.echo(f"{len(names)} targets, {broken} broken")
    sys.exit(1 if broken else 0)


def _side_by_side(
    names: Sequence[str], seconds: int, jobs: int, folder: Path, saved: Path
) -> Iterator[tuple[str, libfuzzer.Ended]]:
    """Each target's end as it comes, `jobs` at a time."""
    waiting, running = list(names), dict[int, tuple[str, libfuzzer.Run]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            run = libfuzzer.Run(TARGETS[name], _arguments(name, seconds, folder, saved), folder / f"{name}.log")
            running[run.pid] = name, run
        pid, status = os.wait()
        if pid in running:
            name, run = running.pop(pid)
            yield name, run.ended(os.waitstatus_to_exitcode(status))


def _arguments(name: str, seconds: int, folder: Path, saved: Path) -> list[str]:
    new = folder / name
    new.mkdir()
    kept = [path for path in (CORPUS / name, FOLDERS.get(name)) if path is not None and path.is_dir()]
    return [
        f"-max_total_time={seconds}",
        f"-timeout={SLOWEST_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={_LENGTHS.get(name, _LENGTH)}",
        f"-artifact_prefix={saved}/{name}-",
        *_dictionary(name, folder),
        str(new),
        *map(str, kept),
    ]


def _dictionary(name: str, folder: Path) -> list[str]:
    """The words of the shipped files, for the fuzzer to put together: a key is found by no flipping of bits."""
    words = {word for path in shipped(name) for word in re.findall(rb"[A-Za-z0-9_]{3,30}", path.read_bytes())}
    if not words:
        return []
    path = folder / f"{name}.dict"
    path.write_text("".join(f'"{word.decode()}"\n' for word in sorted(words)), "ascii")
    return [f"-dict={path}"]


def _keep(name: str, found: Path) -> int:
    """Add to the kept corpus what reaches something that it does not. Returns how many inputs."""
    kept = CORPUS / name
    kept.mkdir(parents=True, exist_ok=True)
    before = len(corpus(name))
    options = ["-merge=1", f"-max_len={_LENGTHS.get(name, _LENGTH)}", str(kept), str(found)]
    command = [sys.executable, "-m", "tests.fuzz.libfuzzer", name, *options]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    return len(corpus(name)) - before


def _told(name: str, ended: libfuzzer.Ended, saved: Path) -> str:
    lines = ended.output.splitlines()
    at = next((number for number, line in enumerate(lines) if "Uncaught" in line or "ERROR:" in line), 0)
    trace = [f"    {line}" for line in lines[at : at + 25]]
    files = sorted(saved.glob(f"{name}-*"))
    again = [f"  run it again: python -m tests.fuzz {name} --again {path}" for path in files]
    return "\n".join([*trace, *again])


if __name__ == "__main__":
    main()
