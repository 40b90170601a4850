"""Runs the simulation: many seeds at once, or one that has failed.

python -m tests.simulation --seeds 10000
python -m tests.simulation --seed 464 --trace
python -m tests.simulation --seed 464 --shrink
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import click

from .mutations import MUTATIONS, UNCHANGED
from .plan import draw_plan
from .runs import run_plan, run_seeds, shrink

_MOST_FAILURES = 10
"""After so many, nothing is learnt from more of them."""


@click.command(help=__doc__)
@click.option("--seeds", default=1_000, show_default=True, help="How many seeds to run.")
@click.option("--first", default=0, help="The first of them.")
@click.option("--processes", default=os.cpu_count() or 1, help="How many run at once.")
@click.option("--nodes", default=1, show_default=True, help="How many nodes share a database.")
@click.option("--seed", type=int, help="Run this one, and say what went wrong.")
@click.option("--trace", is_flag=True, help="With --seed: say all that happened, in order.")
@click.option("--shrink", "shrinks", is_flag=True, help="With --seed: leave out what the failure does not need.")
@click.option("--mutation", default=UNCHANGED, type=click.Choice(list(MUTATIONS)), help="Make this bug.")
def main(
    seeds: int, first: int, processes: int, nodes: int, seed: int | None, trace: bool, shrinks: bool, mutation: str
) -> None:
    if seed is None:
        failed = _run_many(range(first, first + seeds), processes, nodes, mutation)
    else:
        failed = _run_one(seed, nodes, mutation, trace=trace, shrinks=shrinks)
    sys.exit(failed)


def _run_one(seed: int, nodes: int, mutation: str, *, trace: bool, shrinks: bool) -> bool:
    plan = draw_plan(seed, nodes)
    report = run_plan(plan, mutation)
    if shrinks and report.violation is not None:
        plan = shrink(plan, mutation)
        report = run_plan(plan, mutation)
        click.echo("\n".join(["The events that it needs:", *(f"    {event}" for event in plan.events)]))
    if trace:
        for machine in plan.machines:
            click.echo(f"{machine.name} ({machine.type}): {machine.definition}")
        click.echo("\n".join(report.trace))
    if report.violation is None:
        click.echo(f"seed {seed}: everything holds; trace {report.hash[:16]}")
        return False
    click.echo(f"seed {seed}: {report.violation.invariant}: {report.violation.text}")
    return True


def _run_many(seeds: Sequence[int], processes: int, nodes: int, mutation: str) -> bool:
    began, failures = time.monotonic(), 0
    for done, failure in enumerate(run_seeds(seeds, processes, nodes, mutation), 1):
        if failure is not None:
            failures += 1
            click.echo(f"seed {failure.seed}: {failure.violation.invariant}: {failure.violation.text}")
            click.echo(f"    python -m tests.simulation --seed {failure.seed} --trace{_options(nodes, mutation)}")
            if failures == _MOST_FAILURES:
                break
        if done % 1_000 == 0:
            click.echo(f"{done} seeds, {failures} failed, {time.monotonic() - began:.0f} s", err=True)
    click.echo(f"{done} seeds, {failures} failed, {time.monotonic() - began:.0f} s")
    return failures > 0


def _options(nodes: int, mutation: str) -> str:
    """What the command that replays a seed needs beside it."""
    some = "" if nodes == 1 else f" --nodes {nodes}"
    return some if mutation == UNCHANGED else f"{some} --mutation '{mutation}'"


if __name__ == "__main__":
    main()
