"""Every kept input breaks no promise, nor do mutations of it; and a bounded run with coverage finds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import libfuzzer
from tests.fuzz.seeds import ROOT, seeds, shipped
from tests.fuzz.targets import CORPUS, TARGETS, corpus

INPUTS = [(name, path) for name in TARGETS for path in [*corpus(name), *shipped(name)]]
LARGEST = 16 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_breaks_no_promise(name: str) -> None:
    inputs = [*corpus(name), *shipped(name)]
    assert inputs
    for path in inputs:
        TARGETS[name](path.read_bytes())


def test_the_corpus_belongs_to_targets_and_stays_small() -> None:
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} <= set(TARGETS)
    assert all(path.stat().st_size <= LARGEST for path in files)
    assert sum(path.stat().st_size for path in files) < 1024 * 1024
    assert {name for name, _ in seeds()} <= set(TARGETS)


@st.composite
def mutations(draw: st.DrawFn, name: str) -> bytes:
    """A kept input with a few bytes changed, cut out, doubled or put in."""
    inputs = [path for known, path in INPUTS if known == name]
    data = bytearray(draw(st.sampled_from(inputs)).read_bytes())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[at : at + length] = draw(st.one_of(st.binary(max_size=8), st.just(bytes(data[at : at + length]) * 2)))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations_break_no_promise(name: str) -> None:
    """Without coverage, and so on any machine."""

    @settings(max_examples=40)
    @given(mutations(name))
    def none_is_broken(data: bytes) -> None:
        TARGETS[name](data)

    none_is_broken()


@pytest.mark.realtime
def test_a_run_guided_by_coverage_leaves_the_corpus_as_it_was(tmp_path: Path) -> None:
    if not libfuzzer.installed():
        pytest.skip(libfuzzer.MISSING)
    before = sorted(CORPUS.rglob("*"))
    done = _fuzz("messages", "--seconds", "1", "--saved", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "messages         ok " in done.stdout
    assert "1 targets, 0 broken" in done.stdout
    assert sorted(CORPUS.rglob("*")) == before


def test_one_input_can_be_run_again() -> None:
    done = _fuzz("messages", "--again", str(corpus("messages")[0]))
    assert done.returncode == 0, done.stderr
    assert "breaks no promise" in done.stdout


def _fuzz(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
