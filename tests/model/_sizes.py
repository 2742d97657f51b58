"""How much the property tests of this package try: a quick look by default, many times that in a nightly run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("FAKEAMQP_MODEL_FACTOR", "1"))
"""By how much to multiply the number of examples."""


def size(examples: int, steps: int = 50) -> settings:
    """Settings of a property test: how many examples, and how many steps a state machine makes in each."""
    return settings(
        max_examples=examples * FACTOR,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
