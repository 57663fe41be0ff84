"""The whole suite on the chip, full range included: docs/firmware-certificate.md.

    python -m tests.firmware.certificate --write [--jobs 2]

It takes hours of virtual time, so parts of it run side by side, each on a chip of its own, and what is done is kept in
`build/firmware/certificate.jsonl` beside the image's hash: a run that was broken off goes on where it was, on the same
machine code.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from firmware_sim.chip.built import BUILD, CHIP, built
from stimctl.port import open_port
from stimlab.conformance.check import Check, all_checks
from stimlab.conformance.dut import Dut
from stimlab.conformance.extremes import EXTREMES
from stimlab.conformance.fixture import fixture_for
from stimlab.conformance.matrix import CELLS, SafetyAction
from stimlab.conformance.operating_point import check_of
from stimlab.conformance.plan import MatrixPlan
from stimlab.conformance.runner import SuiteRunner

URL = "sim://?device=firmware&load=r1k"
DOCUMENT = Path(__file__).parents[2] / "docs" / "firmware-certificate.md"
KEPT = BUILD / "certificate.jsonl"
_LATE = "after_a_minute"
TOGETHER = 12  # checks that share a chip


@dataclass(frozen=True, slots=True)
class Came:
    """How one check came out on one image."""

    image: str
    name: str
    verdict: str
    told: str
    took_us: int


def image_sha256() -> str:
    """The machine code that is judged."""
    return sha256(built(CHIP.with_suffix(".bin")).read_bytes()).hexdigest()


def run_part(names: tuple[str, ...]) -> list[Came]:
    """Run some checks by name on a chip of their own, as `stimctl conformance` does at the same port."""
    image = image_sha256()
    port = open_port(URL)
    try:
        chosen = [check for check in all_checks() if check.name in names]
        plan = MatrixPlan(wanted=True, chosen=lambda check: check.name in names)
        run = SuiteRunner(Dut(port, fixture=fixture_for(port))).run(chosen, plan)
    finally:
        port.close()
    came = []
    for out in run.outcomes:
        if out.check.name in names:
            told = "; ".join(
                [f"{found.requirement}: {found.text}" for found in out.found] + [out.reason] * bool(out.reason)
            )
            came.append(Came(image, out.check.name, out.verdict, told, out.took_us))
    missing = set(names) - {each.name for each in came}
    return came + [Came(image, name, "error", run.broken_off or "not run", 0) for name in sorted(missing)]


def wanted() -> list[str]:
    """Every check by name: those that take minutes first, points in a session's second minute last and mixed."""
    everything: list[Check] = [*all_checks(), *EXTREMES, *(check_of(cell) for cell in CELLS)]

    def order(check: Check) -> tuple[bool, bool, str]:
        late = _LATE in check.name
        return not check.long, late, sha256(check.name.encode()).hexdigest() if late else ""

    return [check.name for check in sorted(everything, key=order)]


def kept(image: str) -> dict[str, Came]:
    """What was done on this image before."""
    if not KEPT.is_file():
        return {}
    rows = (Came(**json.loads(line)) for line in KEPT.read_text("utf-8").splitlines())
    return {row.name: row for row in rows if row.image == image}


def parts(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """In parts, in the order of `wanted`; what takes a minute or more, alone."""
    minutes = {check.name for check in all_checks() if check.long}
    names = list(names)
    late = [name for name in names if _LATE in name]
    rest = [name for name in names if name not in minutes and _LATE not in name]
    yield from ((name,) for name in names if name in minutes)
    yield from (tuple(rest[at : at + TOGETHER]) for at in range(0, len(rest), TOGETHER))
    yield from ((name,) for name in late)


def run_all(jobs: int) -> dict[str, Came]:
    """Run whatever is not done yet."""
    image = image_sha256()
    done = {name: came for name, came in kept(image).items() if came.verdict in {"passed", "skipped"}}
    left, began = [name for name in wanted() if name not in done], time.monotonic()
    with ProcessPoolExecutor(jobs) as pool, KEPT.open("a", encoding="utf-8") as keeping:
        for finished in as_completed([pool.submit(run_part, part) for part in parts(left)]):
            for came in finished.result():
                done[came.name] = came
                keeping.write(json.dumps(asdict(came)) + "\n")
                if came.verdict in {"failed", "error"}:
                    print(f"{came.verdict}: {came.name}: {came.told}", file=sys.stderr)
            keeping.flush()
            print(f"{len(done)} of {len(wanted())} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return done


def main(arguments: list[str] | None = None) -> int:
    """Run it. Returns 1 when something is not kept."""
    parser = argparse.ArgumentParser(description="The certificate of the machine code.")
    parser.add_argument("--write", action="store_true", help="write docs/firmware-certificate.md")
    parser.add_argument("--kept", action="store_true", help="run nothing: the page of what was done until now")
    parser.add_argument("--jobs", type=int, default=2, help="chips side by side")
    options = parser.parse_args(arguments)
    done = kept(image_sha256()) if options.kept else run_all(options.jobs)
    page = document(done)
    if options.write:
        DOCUMENT.write_text(page, "utf-8")
    sys.stdout.write(page)
    return 0 if all(name in done and done[name].verdict == "passed" for name in wanted()) else 1


def document(done: dict[str, Came]) -> str:
    """The page, as Markdown."""
    return "\n".join((
        "# Certificate of the machine code",
        "",
        "Made by `make firmware-certificate`, in virtual time; nothing here is typed by hand. It is evidence about the",
        f"reference firmware on an emulated ATmega328P at `{URL}`, and says nothing about any hardware.",
        "What the suite does is in [conformance.md](conformance.md), the firmware is in [firmware.md](firmware.md).",
        "",
        f"Image (`stimulator-emulated.bin`): SHA-256 `{image_sha256()}`.",
        "",
        *_verdict(list(done.values())),
        "",
        "| what | passed | failed | not examined | virtual time, s |",
        "|---|---|---|---|---|",
        *_rows(done),
        "",
    ))  # fmt: skip


def _verdict(came: list[Came]) -> Iterator[str]:
    passed = sum(each.verdict == "passed" for each in came)
    wrong = [each for each in came if each.verdict != "passed"]
    left = len(wanted()) - len(came)
    yield f"**{passed} of {len(wanted())} checks passed, {len(wrong)} did not, {left} were not examined.**"
    if left:
        yield "The run was broken off; left are points after a minute of a session. The same command goes on with them."
    for each in wrong:
        yield f"\n- {each.verdict}: `{each.name}`: {each.told}"


def _rows(done: dict[str, Came]) -> Iterator[str]:
    topics: dict[str, list[str]] = {}
    for check in [*all_checks(), *EXTREMES]:
        topics.setdefault(check.topic, []).append(check.name)
    for action in SafetyAction:
        topics[f"full range: {action.value}"] = [cell.name for cell in CELLS if cell.action is action]
    topics["**all**"] = wanted()
    for topic, names in topics.items():
        came = [done[name] for name in names if name in done]
        passed = sum(each.verdict == "passed" for each in came)
        wrong = sum(each.verdict in {"failed", "error"} for each in came)
        took_s = sum(each.took_us for each in came) / 1e6
        yield f"| {topic} | {passed} | {wrong} | {len(names) - passed - wrong} | {took_s:,.0f} |"


if __name__ == "__main__":
    sys.exit(main())
