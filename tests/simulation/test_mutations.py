"""The simulation finds the bugs that are made on purpose, each by an invariant that is meant to find it."""

from __future__ import annotations

import pytest

from .mutations import MUTATIONS, UNCHANGED
from .runs import run_seed

_SEEDS = range(60)


@pytest.mark.parametrize("name", [name for name in MUTATIONS if name != UNCHANGED])
def test_it_is_found(name: str) -> None:
    for seed in _SEEDS:
        violation = run_seed(seed, MUTATIONS[name].nodes, name).violation
        if violation is not None:
            assert violation.invariant in MUTATIONS[name].invariants, f"seed {seed}: {violation}"
            return
    pytest.fail(f"{len(_SEEDS)} seeds do not find it")
