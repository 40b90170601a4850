"""Figures, their rows and their percentiles."""

from __future__ import annotations

import pytest

from bench.figures import HEADER, Figure, number, percentile


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [([5.0], 99, 5.0), ([3.0, 1.0, 2.0], 50, 2.0), (list(map(float, range(101))), 99, 99.0), ([1.0, 2.0], 0, 1.0)],
)
def test_percentile(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(12_345.6, "12,346"), (123.45, "123.5"), (12.345, "12.3"), (0.01234, "0.0123"), (0, "0")]
)
def test_number(value: float, expected: str) -> None:
    assert number(value) == expected


def test_a_row_has_median_spread_and_runs() -> None:
    row = Figure("W3", "ms", [3.0, 1.0, 2.0], "why").row()
    assert row.split() == ["W3", "2", "ms", "1", "-", "3", "3", "why"]
    assert row.index("2") < HEADER.index("min")


def test_what_could_not_be_measured_is_a_dash_with_its_reason() -> None:
    assert Figure("W4", "ms", [], "there is no npm").row().split(maxsplit=2) == ["W4", "-", "there is no npm"]
    assert Figure("W4", "ms", []).record()["median"] is None
