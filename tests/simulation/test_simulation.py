"""Several hundred seeds, each a world of its own; and the tools by which a seed that fails is understood.

`make simulate` runs as many more as one likes. What happens in a world is decided by its seed alone: if one of these
fails, the command that is printed shows what happened in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from click.testing import CliRunner

from .__main__ import main
from .mutations import UNCHANGED
from .plan import draw_plan
from .runs import Failure, run_plan, run_seed, run_seeds, shrink

_GROUP = 20
"""Seeds of one test."""
_HASHES = """
from tests.simulation.runs import run_seed
print([run_seed(seed, nodes).hash for seed in range(6) for nodes in (1, 3)])
"""
_MUTATION = "a restart forgets what was in flight"


def failed(seeds: Sequence[int], nodes: int = 1, mutation: str = UNCHANGED) -> list[Failure]:
    return [failure for failure in run_seeds(seeds, 1, nodes, mutation) if failure is not None]


@pytest.mark.parametrize("first", range(0, 400, _GROUP))
def test_everything_holds(first: int) -> None:
    assert failed(range(first, first + _GROUP)) == [], "python -m tests.simulation --seed ... --trace"


@pytest.mark.parametrize("nodes", [2, 3])
@pytest.mark.parametrize("first", range(0, 60, _GROUP))
def test_everything_holds_on_several_nodes(first: int, nodes: int) -> None:
    assert failed(range(first, first + _GROUP), nodes) == [], (
        "python -m tests.simulation --nodes ... --seed ... --trace"
    )


def test_much_happens() -> None:
    """A world in which nothing goes wrong proves nothing."""
    counts: Counter[str] = Counter()
    for seed in range(60):
        counts += run_seed(seed).counts
    for seed in range(10):
        counts += run_seed(seed, nodes=3).counts
    for what in (
        *("crash", "ExecutionRedriven", "ExecutionTimedOut", "ExecutionAborted", "RetryScheduled", "ErrorCaught"),
        *("MapRunStarted", "MapRunRedriven", "MapRunFailed", "MapIterationAborted", "ParallelStateSucceeded"),
        *("ActivityTimedOut", "TaskSubmitted", "TaskTimedOut", "LambdaFunctionFailed", "WaitStateExited"),
        "session ends",
    ):
        assert counts[what] > 5, what


@pytest.mark.parametrize("nodes", [1, 3])
def test_the_same_seed_gives_the_same_world(nodes: int) -> None:
    hashes = [[run_seed(seed, nodes).hash for seed in range(10)] for _ in range(2)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 10


def test_no_order_of_a_set_of_texts_plays_a_part() -> None:
    """Python draws the hashes of texts anew in each process."""
    told = set()
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt}
        ran = subprocess.run(
            [sys.executable, "-c", _HASHES], env=environment, capture_output=True, text=True, check=True
        )
        told.add(ran.stdout)
    assert len(told) == 1


def test_a_failing_plan_is_made_smaller() -> None:
    seed = failed(range(_GROUP), mutation=_MUTATION)[0].seed
    plan = draw_plan(seed)
    smaller = shrink(plan, _MUTATION)
    assert 0 < len(smaller.events) < len(plan.events)
    assert run_plan(smaller, _MUTATION).violation is not None


def test_the_command_says_how_to_replay_what_failed() -> None:
    arguments = ["--seeds", "20", "--processes", "1", "--mutation", _MUTATION]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 1, told.output
    line = next(line for line in told.output.splitlines() if "--trace" in line)
    seed = line.split("--seed ")[1].split()[0]
    traced = CliRunner().invoke(main, ["--seed", seed, "--trace", "--mutation", _MUTATION])
    assert traced.exit_code == 1, traced.output
    assert "commit arn:aws:states:" in traced.output
    assert f"seed {seed}: " in traced.output


def test_the_command_succeeds_where_everything_holds() -> None:
    told = CliRunner().invoke(main, ["--seeds", "3", "--processes", "1"])
    assert (told.exit_code, told.output.splitlines()[-1][:17]) == (0, "3 seeds, 0 failed"), told.output
