from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.expressions.json_types import equal, hashable, is_number

values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5]) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (0.0, False, False),
        ([1], [1.0], True),
        ([1], [True], False),
        ({"a": 1, "b": [0]}, {"b": [0.0], "a": 1.0}, True),
        ({"a": None}, {"b": None}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (None, False, False),
        ("1", 1, False),
        ([], {}, False),
    ],
)
def test_equal(left: Any, right: Any, expected: bool) -> None:
    assert equal(left, right) is expected
    assert equal(right, left) is expected
    assert (hashable(left) == hashable(right)) is expected


@given(values, values)
def test_hashable_agrees_with_equal(left: Any, right: Any) -> None:
    assert (hashable(left) == hashable(right)) is equal(left, right)


def test_a_boolean_is_no_number() -> None:
    assert [is_number(value) for value in (0, 0.5, True, "1", None)] == [True, True, False, False, False]
