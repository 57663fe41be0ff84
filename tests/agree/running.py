"""How long the machines run: a few seconds by default, as long as one likes with STIMCTL_AGREE."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("STIMCTL_AGREE", "1"))


def runs(examples: int, steps: int) -> settings:
    """So many examples of so many steps, times what the environment says."""
    return settings(
        max_examples=examples * TIMES,
        stateful_step_count=steps,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
