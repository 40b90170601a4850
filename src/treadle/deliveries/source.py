"""What readers of all kinds of event sources share: what they are told, whom they invoke, and what is in their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from treadle.functions.contract import Invocation
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.neighbours.event_patterns import Matches
from treadle.tasks.contract import ServiceFault

FIRST_PAUSE_SECONDS = 0.1
EVENT = ('{"Records":[', "]}")
"""What stands around the records of an event, and commas between them."""

Troubles = (ServiceFault, NeighbourUnavailable, UnknownNeighbour)
"""What a call of a source's service raises."""


class SourceTrouble(Exception):
    """Something else is in the way. The message says what."""


class SourceSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps as the settings of a mapping."""

    batch_size: int = 10
    window_seconds: int = 0
    filters: list[str] = []
    """Event patterns; a record goes to the function if one of them matches, or if there are none."""
    report_failures: bool = False
    """The function's answer says which records of a batch have failed."""
    concurrency: int | None = None
    """Of a queue: batches under way at once; None: as the limits have it."""
    starting_position: str = ""
    """Of a stream: TRIM_HORIZON or LATEST."""
    retries: int = -1
    """Of a stream: how often a batch is tried again before it is given up; -1: until it succeeds."""
    record_age_seconds: int = -1
    """Of a stream: how old a record may be that the function is to get; -1: as old as the stream keeps it."""
    bisect: bool = False
    """Of a stream: a batch that fails is cut in two before it is tried again."""
    on_failure: str = ""
    """Of a stream: the ARN of what is told of the batches that are given up."""


class Invoker(Protocol):
    """The functions, as far as event sources need them."""

    async def exists(self, function_arn: str) -> bool: ...

    async def invoke(self, name: str, payload: bytes, *, function_arn: str) -> Invocation: ...


class Assignment(Struct, frozen=True):
    """What a reader is to do, as its mapping says."""

    function_arn: str
    settings: SourceSettings
    filters: Sequence[Matches]

    def wants(self, record: object) -> bool:
        return not self.filters or any(matches(record) for matches in self.filters)
