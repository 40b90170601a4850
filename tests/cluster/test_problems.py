"""What is looked for in histories is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.nodes import problems_of


def history(*types: str) -> list[dict[str, Any]]:
    return [{"id": id, "previousEventId": id - 1, "type": type} for id, type in enumerate(types, 1)]


WHOLE = history("ExecutionStarted", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "ExecutionSucceeded")


def test_a_whole_history() -> None:
    assert problems_of(WHOLE) == []


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        (WHOLE[:2] + WHOLE[3:], "the ids are"),
        ([*WHOLE, WHOLE[-1]], "the ids are"),
        (WHOLE[:-1], "does not end once"),
        (history("ExecutionStarted", "ExecutionFailed", "ExecutionSucceeded"), "does not end once"),
        (history("ExecutionStarted", "ExecutionStarted", "ExecutionSucceeded"), "does not begin once"),
        ([*WHOLE[:-1], {**WHOLE[-1], "previousEventId": 5}], "comes before"),
        (
            history("ExecutionStarted", "TaskScheduled", "TaskSucceeded", "TaskFailed", "ExecutionFailed"),
            "more Task ended than began",
        ),
    ],
)
def test_a_history_that_is_not(events: list[dict[str, Any]], problem: str) -> None:
    assert problem in " ".join(problems_of(events))
