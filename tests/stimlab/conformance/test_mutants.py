"""Each broken device is caught, by a check that names the requirement it breaks; the genuine one passes them all."""

import pytest

from tests.stimlab.conformance.bench_world import checks_naming, failures, run_checks
from tests.stimlab.conformance.mutants import early, late  # noqa: F401  they list their devices
from tests.stimlab.conformance.mutants.mutant import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: f"{each.requirement} {each.text}")
def test_it_is_caught(mutant: Mutant) -> None:
    run = run_checks(checks_naming(mutant.requirement), mutant.make)
    named = {found.requirement for outcome in run.outcomes for found in outcome.found}
    assert mutant.requirement in named, failures(run)
