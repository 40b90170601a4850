"""What a benchmark gives: figures, each with all its samples."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured quantity. Every sample is one run, in `unit`; without samples it could not be measured."""

    name: str
    unit: str
    samples: list[float]
    note: str = ""
    key: str = ""
    """By which an aim or a peer's figure refers to it, such as "w1.rate"; of a peer, "w1.rate@moto"."""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def row(self) -> str:
        if not self.samples:
            return f"{self.name:<72} {'-':>10} {self.note}".rstrip()
        spread = f"{number(min(self.samples))} - {number(max(self.samples))}"
        median = f"{number(self.median):>10} {self.unit:<7}"
        return f"{self.name:<72} {median} {spread:>21}  {len(self.samples):>3}  {self.note}".rstrip()

    def record(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "key": self.key,
            "unit": self.unit,
            "median": self.median if self.samples else None,
            "min": min(self.samples, default=None),
            "max": max(self.samples, default=None),
            "samples": self.samples,
            "note": self.note,
        }


@dataclass(frozen=True)
class Measured:
    """One workload, measured."""

    workload: str
    figures: list[Figure]
    seconds: float
    others: float
    """Cores that others used meanwhile, on average: above a few hundredths, figures of time say too little of speed."""
    failed: bool

    def record(self) -> dict[str, Any]:
        return {
            "workload": self.workload,
            "seconds": self.seconds,
            "cores_of_others": self.others,
            "failed": self.failed,
            "figures": [figure.record() for figure in self.figures],
        }


HEADER = f"{'':<72} {'median':>10} {'':<7} {'min - max':>21} {'runs':>4}"


def percentile(samples: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, round(percent / 100 * (len(ordered) - 1)))]


def number(value: float) -> str:
    """With three digits, or all there are before the point."""
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"
