"""Documents: JSON values that remember their text."""

from __future__ import annotations

import pytest

from treadle.document import Document, TooDeep, nests_deeper


@pytest.mark.parametrize(
    ("text", "deeper"),
    [
        ("[]", False),
        ("[[[]]]", False),
        ("[[[[]]]]", True),
        ('{"a":{"b":{"c":{}}}}', True),
        ("[[],[],[],[],[]]", False),
        ('["[[[[[", "\\"[[[[", {"[": "]"}]', False),
        ('[[["\\\\", [1]]]]', True),
    ],
)
def test_nesting_is_counted_outside_of_texts(text: str, deeper: bool) -> None:
    assert nests_deeper(text, 3) is deeper


def test_what_does_not_fit_on_the_stack_is_too_deep() -> None:
    text = "[" * 100_000 + "]" * 100_000
    with pytest.raises(TooDeep):
        _ = Document(text=text).value
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    for whole in (value, [10**30, value]):
        with pytest.raises(TooDeep):
            _ = Document(whole).text
    while value:  # taken apart by hand: an interpreter may end over freeing it at once
        value = value.pop()  # type: ignore[assignment]
