"""The table of the aims."""

from __future__ import annotations

from bench.aims import AIMS, Aim, table
from bench.figures import Figure, Measured


def _measured(*figures: Figure) -> Measured:
    return Measured("w", list(figures), 1.0, 0.25, failed=False)


def test_bounds() -> None:
    rate = Aim("", "", "at least", 100, "/s")
    time = Aim("", "", "at most", 10, "ms")
    assert [rate.met_by(value) for value in (99.9, 100, 101)] == [False, True, True]
    assert [time.met_by(value) for value in (9.9, 10, 10.1)] == [True, True, False]


def test_every_aim_has_a_key_of_its_own() -> None:
    assert len({aim.key for aim in AIMS}) == len(AIMS)


def test_rows_and_columns() -> None:
    measured = _measured(
        Figure("", "exec/s", [6_000, 7_000, 8_000], key="w1.rate"),
        Figure("", "ms", [61], key="w3.map"),
        Figure("", "exec/s", [440], key="w1.rate@Restate"),
        Figure("", "exec/s", [1], key="not aimed at"),
        Figure("", "ms", [], key="w2.chain"),
    )
    head, _, *rows = table([measured], ["moto", "Restate"], quick=False)
    assert head.endswith("| cores of others | Restate |")
    assert rows == [
        "| W1: Standard executions of 5 states, over the API | at least 7,000 exec/s "
        "| 7,000 | 6,000 - 8,000 | met | 0.2 | 440.0 |",
        "| W3: inline Map of 1,000 items | at most 60 ms | 61 |  | missed | 0.2 | - |",
    ]


def test_nothing_measured_of_which_an_aim_speaks() -> None:
    assert list(table([_measured(Figure("", "ms", [1.0]))], [], quick=False)) == []


def test_a_quick_run_says_so() -> None:
    first, *_ = table([_measured(Figure("", "ms", [61], key="w3.map"))], [], quick=True)
    assert first.startswith("With --quick")
