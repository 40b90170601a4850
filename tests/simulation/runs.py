"""Runs of many seeds, and of one: in parallel, mutated, and made smaller."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from treadle.runtime.cluster.node import Node
from treadle.runtime.runtime import Runtime

from .mutations import MUTATIONS, UNCHANGED
from .plan import Plan, draw_plan
from .world import Report, Violation, World

_CHUNK = 10
"""Seeds that a process is given at a time."""


class Failure(Struct, frozen=True):
    seed: int
    violation: Violation


def run_plan(plan: Plan, mutation: str = UNCHANGED) -> Report:
    bug = MUTATIONS[mutation]
    with bug.applied():
        return World(plan, bug.make_runtime or (Runtime if plan.nodes == 1 else Node)).run()


def run_seed(seed: int, nodes: int = 1, mutation: str = UNCHANGED) -> Report:
    return run_plan(draw_plan(seed, nodes), mutation)


def run_seeds(
    seeds: Sequence[int], processes: int, nodes: int = 1, mutation: str = UNCHANGED
) -> Iterator[Failure | None]:
    """What came of each seed, in any order."""
    judge = partial(_judge, nodes=nodes, mutation=mutation)
    if processes == 1:
        yield from map(judge, seeds)
        return
    # A fresh interpreter in each: what has been imported here may have threads.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(judge, seeds, chunksize=_CHUNK)


def _judge(seed: int, nodes: int, mutation: str) -> Failure | None:
    try:
        violation = run_seed(seed, nodes, mutation).violation
    except Exception as error:
        violation = Violation("no bugs", f"in the simulation itself: {error!r}")
    return None if violation is None else Failure(seed, violation)


def shrink(plan: Plan, mutation: str = UNCHANGED) -> Plan:
    """A part of the plan's events that still violates the same invariant, and of which none can be left out."""
    violation = run_plan(plan, mutation).violation
    assert violation is not None, "it must fail"
    size = max(len(plan.events) // 2, 1)
    while True:
        for smaller in _without(plan, size):
            found = run_plan(smaller, mutation).violation
            if found is not None and found.invariant == violation.invariant:
                plan = smaller
                break
        else:
            if size == 1:
                return plan
            size = max(size // 2, 1)


def _without(plan: Plan, size: int) -> Iterable[Plan]:
    """The plan without so many of its events that follow each other."""
    for first in range(0, len(plan.events), size):
        yield replace(plan, events=[*plan.events[:first], *plan.events[first + size :]])
