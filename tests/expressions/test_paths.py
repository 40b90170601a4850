from __future__ import annotations

from typing import Any

import pytest

from treadle.expressions.bindings import Bindings
from treadle.expressions.errors import ExpressionSyntaxError, PathNotFound
from treadle.expressions.paths import compile_path

bindings = Bindings(
    {"input-value": 0, "a": [1, 2]},
    lambda: {"Execution": {"Input": {"input-value": 0}, "Name": "run"}, "Map": {"Item": {"Index": 0}}},
    {"count": 3, "größe": [{"x": 1}, {"x": 2}], "names": {"a": 1}},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", {"input-value": 0, "a": [1, 2]}),
        ("$.input-value", 0),
        ("$.a[1]", 2),
        ("$$.Execution.Input", {"input-value": 0}),  # recorded: context_object--input_path
        ("$$.Execution.Name", "run"),
        ("$$['Map'].Item.Index", 0),
        ("$count", 3),
        ("$größe[1].x", 2),
        ("$größe[*].x", [1, 2]),
        ("$names.a", 1),
        ("$names['a','b']", {"a": 1}),
    ],
)
def test_roots(text: str, expected: Any) -> None:
    path = compile_path(text)
    assert path(bindings) == expected
    assert path.text == text


def test_the_context_object_as_a_whole() -> None:
    assert compile_path("$$")(bindings) is bindings.context


def test_the_input_costs_no_context() -> None:
    def fail() -> Any:
        raise AssertionError("nobody asked for the context object")

    assert compile_path("$.a")(Bindings({"a": 1}, fail)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$.NoSuch", "Invalid path '$.NoSuch' : No results for path: $['NoSuch']"),
        (
            "$.no.such.result.path",
            "Invalid path '$.no.such.result.path' : Missing property in path $['no']",
        ),
        ("$$.Execution.x", "Invalid path '$$.Execution.x' : No results for path: $['Execution']['x']"),
        ("$unset.a", "Invalid path '$unset.a' : No results for path: $['unset']"),
        ("$names.c", "Invalid path '$names.c' : No results for path: $['c']"),
    ],
)
def test_a_missing_value(text: str, message: str) -> None:
    """The first two are recorded (base_scenarios--invalid_jsonpath, catch_states_runtime)."""
    with pytest.raises(PathNotFound) as failure:
        compile_path(text)(bindings)
    assert failure.value.message == message
    assert failure.value.error == "States.Runtime"


@pytest.mark.parametrize("text", ["", "a", "$$$", "$1", "$.a b", " $.a", "$name name", "States.UUID()"])
def test_no_path(text: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        compile_path(text)
