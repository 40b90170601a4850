"""What an expression may refer to while it is evaluated.

    $      input         the data that the field works on (state input, task result, error output, ...)
    $$     context       the context object, built only if an expression asks for it
    $name  variables     workflow variables in scope

Randomness is an argument too: `random` is seeded by the engine from the place in the history, so that an
expression evaluated again (after a restart) draws the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

_NO_VARIABLES: Mapping[str, Any] = {}


class Bindings:
    """The names an expression can see."""

    __slots__ = ("_context", "_make_context", "_random", "_seed", "input", "variables")

    def __init__(
        self,
        input: Any,
        make_context: Callable[[], Any] | None = None,
        variables: Mapping[str, Any] = _NO_VARIABLES,
        seed: str = "",
    ) -> None:
        self.input = input
        self.variables = variables
        self._make_context = make_context
        self._context: Any = None
        self._seed = seed
        self._random: Random | None = None

    @property
    def context(self) -> Any:
        if self._context is None:
            self._context = self._make_context() if self._make_context is not None else {}
        return self._context

    @property
    def random(self) -> Random:
        if self._random is None:
            self._random = Random(self._seed)  # noqa: S311 - reproducible on purpose
        return self._random
