"""How long the machines run as tests: a few seconds. `python -m tests.agree` runs them for as long as one likes."""

from hypothesis import HealthCheck, settings


def runs(examples: int, steps: int) -> settings:
    """So many examples of so many steps."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
