from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.expressions.errors import EvaluationError, ExpressionSyntaxError
from treadle.expressions.jsonpath import compile_jsonpath
from treadle.expressions.reference_path import compile_reference_path


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("$", {"a": 1}, "R"),
        ("$", 5, "R"),
        ("$.a", {}, {"a": "R"}),
        ("$.a", {"a": {"b": 1}, "c": 2}, {"a": "R", "c": 2}),
        ("$.a.b['c d']", {"x": 1}, {"x": 1, "a": {"b": {"c d": "R"}}}),
        ("$.a.b", {"a": {"c": 1}}, {"a": {"c": 1, "b": "R"}}),
        ("$[1].p", [{"a": 1}, {"id": 7}, 4], [{"a": 1}, {"id": 7, "p": "R"}, 4]),
        ("$.a[0]", {"a": [1, 2]}, {"a": ["R", 2]}),
    ],
)
def test_insert(path: str, value: Any, expected: Any) -> None:
    before = copy.deepcopy(value)
    assert compile_reference_path(path).insert(value, "R") == expected
    assert value == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a", []),
        ("$.a", "text"),
        ("$.a", None),
        ("$.a.b", {"a": None}),
        ("$.a.b", {"a": [1]}),
        ("$.a[0]", {}),
        ("$.a[1]", {"a": [1]}),
        ("$[0]", {"0": 1}),
    ],
)
def test_nothing_but_an_object_has_members(path: str, value: Any) -> None:
    with pytest.raises(EvaluationError) as failure:
        compile_reference_path(path).insert(value, "R")
    assert failure.value.error == "States.ResultPathMatchFailure"
    assert path in failure.value.message


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "$.",
        "$..a",
        "$.*",
        "$.a[*]",
        "$.a[0,1]",
        "$.a[0:1]",
        "$.a[-1]",
        "$.a[?(@.b)]",
        "$$.a",
        "$.a b",
    ],
)
def test_only_one_place(path: str) -> None:
    with pytest.raises(ExpressionSyntaxError):
        compile_reference_path(path)


names = st.text(st.characters(exclude_characters="'\\", exclude_categories=["Cs"]), max_size=4)
documents = st.recursive(st.integers(), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=5).filter(
    lambda value: isinstance(value, dict)
)


@given(documents, st.lists(names, min_size=1, max_size=4), st.integers())
def test_what_is_inserted_can_be_read(value: Any, keys: list[str], result: int) -> None:
    text = "$" + "".join(f"['{key}']" for key in keys)
    before = copy.deepcopy(value)
    try:
        inserted = compile_reference_path(text).insert(value, result)
    except EvaluationError:
        with pytest.raises(EvaluationError):  # a number is in the way
            compile_jsonpath(text + ".x").evaluate(value)
    else:
        assert compile_jsonpath(text).evaluate(inserted) == result
    assert value == before
