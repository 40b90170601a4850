"""Whatever the text, compiling refuses it in order or gives something that evaluates in order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.expressions.bindings import Bindings
from treadle.expressions.errors import EvaluationError, ExpressionSyntaxError
from treadle.expressions.intrinsics import compile_intrinsic
from treadle.expressions.paths import compile_path
from treadle.expressions.reference_path import compile_reference_path

pieces = st.one_of(
    st.sampled_from([*"$@.*[]()'\"?:,-0123{}\\/ !ab", "$.", "[?(", ")]", "..", "==", "=~", "&&", "||", "in", "@.a"]),
    st.sampled_from(["States.", "States.Format(", "'{}'", "States.Array(", "length()", "null", "[1:2]", "1e9", "\0"]),
    st.text(max_size=2),
)
texts = st.lists(pieces, max_size=14).map("".join)

_document = {"a": [1, {"b": "x", "a": None}, [True]], "b": {"a": 2.5}}


def _insert(text: str) -> Callable[[Bindings], Any]:
    path = compile_reference_path(text)
    return lambda bindings: path.insert(bindings.input, 1)


@pytest.mark.parametrize(
    ("compile_text", "prefix"),
    [(compile_path, "$"), (compile_path, "$.a[?("), (compile_intrinsic, "States."), (_insert, "$")],
)
@settings(max_examples=200)
@given(texts)
def test_hostile_text(compile_text: Callable[[str], Callable[[Bindings], Any]], prefix: str, text: str) -> None:
    try:
        run = compile_text(prefix + text)
    except ExpressionSyntaxError:
        return
    with contextlib.suppress(EvaluationError):
        run(Bindings(_document, lambda: _document, {"a": _document}))
