"""Retry and Catch: what becomes of a state that failed.

Retriers are looked through in order, and the first that names the error decides; each keeps its own count for
as long as the state is not left.  When none is left to try, the first catcher that names the error takes over.
Some errors nobody catches (asl.md section 10): States.Runtime, not even by name.
"""

from __future__ import annotations

from random import Random

from msgspec import Struct

from treadle.document import Document
from treadle.expressions.reference_path import ReferencePath
from treadle.language.definition import Catcher, Retrier

UNCATCHABLE = frozenset({"States.Runtime"})

_not_a_failed_task = frozenset({"States.Timeout"})
"""Errors that the wildcard States.TaskFailed does not stand for."""


class Handlers(Struct, frozen=True):
    retriers: tuple[Retrier, ...]
    catchers: tuple[Catcher, ...]
    result_paths: tuple[ReferencePath | None, ...]
    """The compiled ResultPath of each catcher; None where the error output replaces the input, or is discarded."""

    def retrier(self, error: str | None, used: list[int] | None) -> int | None:
        """Which retrier tries again, if any does."""
        for number, retrier in enumerate(self.retriers):
            if matches(retrier.error_equals, error):
                spent = used[number] if used is not None else 0
                return number if spent < retrier.max_attempts else None
        return None

    def catcher(self, error: str | None) -> int | None:
        for number, catcher in enumerate(self.catchers):
            if matches(catcher.error_equals, error):
                return number
        return None

    def caught_output(self, number: int, raw_input: Document, error: str | None, cause: str | None) -> Document:
        """What the catcher's Next gets: the error output, placed into the input of the state that failed."""
        output = Document({"Error": error or "", "Cause": cause or ""})
        if self.catchers[number].result_path is None:
            return raw_input
        path = self.result_paths[number]
        return output if path is None else Document(path.insert(raw_input.value, output.value))


NO_HANDLERS = Handlers((), (), ())
"""Of a state type that has no Retry and Catch."""


def matches(names: tuple[str, ...], error: str | None) -> bool:
    """Whether ErrorEquals `names` this error, by name or by wildcard."""
    if error in UNCATCHABLE:
        return False
    for name in names:
        if name in (error, "States.ALL"):
            return True
        if name == "States.TaskFailed" and error not in _not_a_failed_task:
            return True
    return False


def retry_delay(retrier: Retrier, retried: int, seed: str) -> int:
    """Milliseconds until the next try, after `retried` earlier ones: Interval times Rate to the power of `retried`,
    at most MaxDelaySeconds; with full jitter, anything from 0 to that."""
    try:
        seconds = retrier.interval_seconds * retrier.backoff_rate**retried
    except OverflowError:
        seconds = float("inf")
    longest = retrier.max_delay_seconds
    seconds = min(seconds, float(longest if longest is not None else _longest_delay_seconds))
    if retrier.jitter_strategy == "FULL":
        seconds = Random(seed).uniform(0.0, seconds)  # noqa: S311 - reproducible on purpose
    return round(seconds * 1_000)


_longest_delay_seconds = 31_622_400
"""366 days, longer than any execution: keeps a runaway backoff within what a clock can take."""
