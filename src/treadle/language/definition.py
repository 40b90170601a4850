"""The typed tree of a state machine definition, as written: expressions are still text.

`parse.py` builds it, `engine/program.py` compiles it.  A field that may be null (InputPath, OutputPath,
ResultPath) is `None` for null and holds AWS's default when it is absent; any other absent field is `UNSET`
where null would be a value of its own, and `None` where it would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType


class Retrier(Struct, frozen=True, kw_only=True):
    error_equals: tuple[str, ...]
    interval_seconds: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: int | None = None
    jitter_strategy: str = "NONE"


class Catcher(Struct, frozen=True, kw_only=True):
    error_equals: tuple[str, ...]
    next: str
    result_path: str | None = "$"


class ChoiceRule(Struct, frozen=True, kw_only=True):
    condition: Mapping[str, Any]
    """The rule without Next and Comment: an operator with its Variable, or And, Or, Not."""
    next: str


class State(Struct, frozen=True, kw_only=True):
    """What every state has. `next` is None where the state ends its scope (End: true) or has no such field.

    A field of the state is at `{location}/InputPath`, and within its lists at
    `{location}/Retry[0]/ErrorEquals` or `{location}/Choices[0]/And[1]`.
    """

    name: str
    location: str
    """Where the state stands in the document, as AWS writes it: `/States/P/Branches[0]/States/X`."""
    next: str | None = None
    input_path: str | None = "$"
    output_path: str | None = "$"


class PassState(State, frozen=True, kw_only=True):
    parameters: Any | UnsetType = UNSET
    result: Any | UnsetType = UNSET
    result_path: str | None = "$"


class TaskState(State, frozen=True, kw_only=True):
    resource: str
    parameters: Any | UnsetType = UNSET
    result_selector: Any | UnsetType = UNSET
    result_path: str | None = "$"
    timeout_seconds: int | None = None
    timeout_seconds_path: str | None = None
    heartbeat_seconds: int | None = None
    heartbeat_seconds_path: str | None = None
    credentials: Any | UnsetType = UNSET
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


class ChoiceState(State, frozen=True, kw_only=True):
    choices: tuple[ChoiceRule, ...]
    default: str | None = None


class WaitState(State, frozen=True, kw_only=True):
    """Exactly one of the four is set."""

    seconds: int | None = None
    seconds_path: str | None = None
    timestamp: str | None = None
    timestamp_path: str | None = None


class SucceedState(State, frozen=True, kw_only=True):
    pass


class FailState(State, frozen=True, kw_only=True):
    error: str | None = None
    error_path: str | None = None
    cause: str | None = None
    cause_path: str | None = None


class Scope(Struct, frozen=True, kw_only=True):
    """States with an entry point: the whole machine, a branch of a Parallel, the processor of a Map."""

    start_at: str
    states: Mapping[str, State]


class ParallelState(State, frozen=True, kw_only=True):
    branches: tuple[Scope, ...]
    parameters: Any | UnsetType = UNSET
    result_selector: Any | UnsetType = UNSET
    result_path: str | None = "$"
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


class MapState(State, frozen=True, kw_only=True):
    """An inline Map. `item_selector` also holds the legacy Parameters, `processor` the legacy Iterator."""

    processor: Scope
    items_path: str | None = "$"
    item_selector: Any | UnsetType = UNSET
    max_concurrency: int = 0
    max_concurrency_path: str | None = None
    result_selector: Any | UnsetType = UNSET
    result_path: str | None = "$"
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


class StateMachine(Scope, frozen=True, kw_only=True):
    comment: str | None = None
    timeout_seconds: int | None = None
