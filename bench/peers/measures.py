"""W1 to W4 for whatever can carry out workflows. It needs nothing but the standard library, because it also runs in the
environment of a peer that is a library."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

CLIENTS = 64


class Workflow(enum.StrEnum):
    """What each peer offers, in its own way. Steps do nothing; how many there are stands behind the names."""

    ONE = "one"
    SHORT = "short"
    LONG = "long"
    WIDE = "wide"
    """Its steps do not wait for each other."""
    SYNCHRONOUS = "synchronous"
    """One step, and the answer to the request is the result; nothing is kept."""


STEPS = {Workflow.ONE: 1, Workflow.SHORT: 5, Workflow.LONG: 500, Workflow.WIDE: 1_000, Workflow.SYNCHRONOUS: 1}

Execute = Callable[[Workflow], Awaitable[None]]
"""Has one workflow carried out, from its start until its end is known to the client. Raises if it fails."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    seconds: float
    """Of W1."""
    rounds: int
    """Of W2 and W3."""
    requests: int
    """Of W4."""


Results = dict[str, list[float]]
"""Samples by the key of the figure that they belong to."""


async def measure(execute: Execute, size: Size, synchronous: bool) -> Results:
    """`synchronous`: whether the peer has such workflows."""
    await _together(execute, min(1.0, size.seconds))
    results: Results = {"w1.rate": [await _together(execute, size.seconds)]}
    results["w2.chain"] = await _milliseconds(execute, Workflow.LONG, size.rounds)
    results["w3.map"] = await _milliseconds(execute, Workflow.WIDE, size.rounds)
    _percentiles(results, "w4.standard", await _milliseconds(execute, Workflow.ONE, size.requests))
    if synchronous:
        _percentiles(results, "w4.sync", await _milliseconds(execute, Workflow.SYNCHRONOUS, size.requests))
    return results


async def _together(execute: Execute, seconds: float) -> float:
    """Executions in a second, by clients that begin another one as soon as theirs has ended."""
    count, began = 0, time.perf_counter()

    async def one_client() -> None:
        nonlocal count
        while time.perf_counter() - began < seconds:
            await execute(Workflow.SHORT)
            count += 1

    await asyncio.gather(*(one_client() for _ in range(CLIENTS)))
    return count / (time.perf_counter() - began)


async def _milliseconds(execute: Execute, workflow: Workflow, times: int) -> list[float]:
    """Of each, one after another; the first one warms up."""
    samples = []
    for _ in range(times + 1):
        began = time.perf_counter()
        await execute(workflow)
        samples.append((time.perf_counter() - began) * 1e3)
    return samples[1:]


def _percentiles(results: Results, key: str, samples: list[float]) -> None:
    ordered = sorted(samples)
    results[f"{key}.p50"] = [ordered[len(ordered) // 2]]
    results[f"{key}.p99"] = [ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]]
