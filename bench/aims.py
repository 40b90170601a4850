"""How fast Treadle is meant to be, beside how fast it was and how fast others were in the same run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.figures import Figure, Measured, number


@dataclass(frozen=True)
class Aim:
    """On two cores that client and server share, with fsync on."""

    key: str
    """Of the figure that it speaks of."""
    what: str
    bound: Literal["at least", "at most"]
    value: float
    unit: str

    def met_by(self, value: float) -> bool:
        return value >= self.value if self.bound == "at least" else value <= self.value


AIMS = (
    Aim("w1.rate", "W1: Standard executions of 5 states, over the API", "at least", 7_000, "exec/s"),
    Aim("w1.transitions", "W1: durable transitions", "at least", 35_000, "/s"),
    Aim("w2.chain", "W2: one execution of 500 Pass", "at most", 10, "ms"),
    Aim("w2.functions", "W2: one execution of 500 function tasks", "at most", 1_000, "ms"),
    Aim("w3.map", "W3: inline Map of 1,000 items", "at most", 60, "ms"),
    Aim("w4.sync.p50", "W4: StartSyncExecution, p50", "at most", 1, "ms"),
    Aim("w4.sync.p99", "W4: StartSyncExecution, p99", "at most", 4, "ms"),
    Aim("w6.lost", "W6: acknowledged executions lost by kill -9", "at most", 0, ""),
    Aim("express.engine", "Express: transitions, engine alone", "at least", 100_000, "/s"),
    Aim("express.starts", "Express: StartExecution over the API", "at least", 10_000, "/s"),
    Aim("overload.kept.320", "throughput kept with 5 times the connections", "at least", 0.9, "times"),
    Aim("overload.kept.2560", "throughput kept with 40 times the connections", "at least", 0.9, "times"),
    Aim("recover.wait", "100,000 in a Wait of a day recovered after kill -9", "at most", 10, "s"),
    Aim("recover.callback", "100,000 that wait for a callback recovered", "at most", 10, "s"),
    Aim("recover.activity", "100,000 offered to workers recovered", "at most", 10, "s"),
    Aim("recover.task", "100,000 with a task in flight recovered", "at most", 10, "s"),
    Aim("sleep.memory", "1,000,000 sleeping executions: memory of the server", "at most", 100, "MiB"),
    Aim("sleep.disk", "1,000,000 sleeping executions: on disk, each", "at most", 2_048, "B"),
    Aim("growth.closed", "cost beside 1,000,000 ended ones, of that beside 1,000", "at most", 1.2, "times"),
    Aim("growth.open", "cost beside 1,000,000 sleeping ones, of that beside 1,000", "at most", 1.2, "times"),
    Aim("growth.history", "a task at the end of 24,502 events, of one at their beginning", "at most", 1.2, "times"),
)
"""Where the aim is that nothing is lost or grows, the bound leaves room for noise."""


def table(measured: Sequence[Measured], peers: Sequence[str], *, quick: bool) -> Iterator[str]:
    """In Markdown: the aims of which there are figures. `peers`: whose figures have a column, if they have any."""
    found: dict[str, Figure] = {}
    noise: dict[str, float] = {}
    for workload in measured:
        for figure in workload.figures:
            if figure.key and figure.samples:
                found[figure.key] = figure
                noise[figure.key] = workload.others
    columns = [peer for peer in peers if any(key.endswith(f"@{peer}") for key in found)]
    aims = [aim for aim in AIMS if aim.key in found]
    if not aims:
        return
    if quick:
        yield "With --quick, there are fewer executions than the aims speak of: a tenth, or less."
    yield _line("", "aim", "measured", "min - max", "", "cores of others", *columns)
    yield _line("---", "--:", "--:", "--:", "---", "--:", *("--:" for _ in columns))
    for aim in aims:
        ours = found[aim.key]
        spread = f"{number(min(ours.samples))} - {number(max(ours.samples))}" if len(ours.samples) > 1 else ""
        verdict = "met" if aim.met_by(ours.median) else "missed"
        theirs = [found.get(f"{aim.key}@{peer}") for peer in columns]
        others = [number(figure.median) if figure is not None else "-" for figure in theirs]
        bound = f"{aim.bound} {number(aim.value)} {aim.unit}".rstrip()
        yield _line(aim.what, bound, number(ours.median), spread, verdict, f"{noise[aim.key]:.1f}", *others)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
