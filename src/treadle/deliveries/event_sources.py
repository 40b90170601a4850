"""Event source mappings at work: one reader for each that is enabled, from the moment it is made until it goes.

Which sources there are is one table, `SOURCES`: a kind of ARN, and what reads it. The store holds the mappings; the
operations that change one write it there first, and then tell `follow` or `forget`. After a restart all go on.

A mapping that is disabled or deleted takes no more messages from then on, and is `Disabling` until what it took is
done. One that is changed goes on with the same reader: its next batch goes by the new settings.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct

from treadle.deliveries.queue_events import compile_filter
from treadle.deliveries.queue_source import (
    MESSAGES_AT_ONCE,
    Assignment,
    Invoker,
    Queue,
    QueueReader,
    SourceSettings,
)
from treadle.deliveries.targets import Arn
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.store.event_source_contract import EventSourceMapping, EventSourceStore
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

_PAGE = 1_000

_log = logging.getLogger(__name__)


class SourceUnusable(Exception):
    """A source cannot be read, or not by such a mapping. The message says why."""


class Reader(Protocol):
    """What brings the records of a source to a function."""

    assignment: Assignment
    problem: str | None

    async def run(self) -> None: ...

    def stop(self) -> None: ...

    def go_on(self) -> None: ...


class Source(Struct, frozen=True):
    """A kind of source."""

    open: Callable[[EventSources, str, Assignment], Reader]
    """The reader of the source of this ARN."""
    check: Callable[[EventSources, str, SourceSettings, int | None], Awaitable[None]]
    """Whether a mapping with such settings can read the source of this ARN, for a function with this time-out (None: it
    was not set). Raises SourceUnusable."""
    batch_size: int
    """Unless the mapping says."""
    takes: frozenset[str]
    """Members of CreateEventSourceMapping and UpdateEventSourceMapping that mean something for it, beside those that
    every mapping has."""


def settings_of(mapping: EventSourceMapping) -> SourceSettings:
    return msgspec.json.decode(mapping.settings, type=SourceSettings)


def source_of(arn: str) -> Source | None:
    """The kind of source that an ARN names; None: it cannot be one here."""
    read = Arn.read(arn)
    return None if read is None or not (read.region and read.account) else SOURCES.get(read.service)


class _Following(Struct):
    """A mapping at work."""

    reader: Reader
    task: asyncio.Task[None]
    stopping: bool = False


class EventSources:
    def __init__(self, store: EventSourceStore, functions: Invoker, services: ServiceCalls, limits: Limits) -> None:
        self.functions = functions
        self.services = services
        self.limits = limits
        self._store = store
        self._following: dict[str, _Following] = {}

    async def open(self) -> None:
        """Go on with all mappings that are enabled."""
        after: str | None = None
        while mappings := await self._store.mapping_list("arn:", after, _PAGE):
            for mapping in mappings:
                self.follow(mapping)
            after = mappings[-1].arn

    async def close(self) -> None:
        """Batches under way are dropped: their messages come again."""
        tasks = [following.task for following in self._following.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def follow(self, mapping: EventSourceMapping) -> None:
        """Do as the mapping says, from now on."""
        following = self._following.get(mapping.arn)
        if not mapping.enabled:
            self.forget(mapping.arn)
            return
        settings = settings_of(mapping)
        filters = [compile_filter(pattern) for pattern in settings.filters]
        assignment = Assignment(mapping.function_arn, settings, filters)
        if following is not None and not following.task.done():
            following.reader.assignment, following.stopping = assignment, False
            following.reader.go_on()
            return
        source = source_of(mapping.source_arn)
        if source is None:  # of a later version of Treadle
            _log.error("event source mapping %s: nothing reads %s", mapping.arn, mapping.source_arn)
            return
        reader = source.open(self, mapping.source_arn, assignment)
        task = asyncio.create_task(reader.run())
        self._following[mapping.arn] = _Following(reader, task)
        task.add_done_callback(lambda done: self._ended(mapping.arn, done))

    def forget(self, arn: str) -> None:
        """The mapping was disabled, or is gone."""
        following = self._following.get(arn)
        if following is not None:
            following.stopping = True
            following.reader.stop()

    def state(self, mapping: EventSourceMapping) -> str:
        following = self._following.get(mapping.arn)
        if mapping.enabled:
            return "Enabled"
        return "Disabled" if following is None else "Disabling"

    def problem(self, mapping: EventSourceMapping) -> str | None:
        """Why a mapping that is enabled delivers nothing now."""
        following = self._following.get(mapping.arn)
        return None if following is None else following.reader.problem

    @property
    def crowded(self) -> bool:
        """Whether so many readers wait in polls that others would find no connection."""
        return len(self._following) > self.limits.neighbour_connections // 2

    def _ended(self, arn: str, task: asyncio.Task[None]) -> None:
        following = self._following.get(arn)
        if following is not None and following.task is task:
            del self._following[arn]
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.error("event source mapping %s has ended", arn, exc_info=bug)


# -- queues ------------------------------------------------------------------------------------------------


def _open_queue(sources: EventSources, arn: str, assignment: Assignment) -> Reader:
    queue = Queue(arn, sources.services)
    return QueueReader(queue, assignment, sources.functions, sources.limits, lambda: sources.crowded)


async def _check_queue(sources: EventSources, arn: str, settings: SourceSettings, timeout_seconds: int | None) -> None:
    """Texts as Lambda's, where users have quoted them: all but those about FIFO queues."""
    queue = Queue(arn, sources.services)
    if queue.fifo and settings.window_seconds:
        raise SourceUnusable("A batching window is not supported for FIFO queues.")
    if queue.fifo and settings.batch_size > MESSAGES_AT_ONCE:
        raise SourceUnusable(f"The batch size of a FIFO queue must be at most {MESSAGES_AT_ONCE}.")
    if settings.batch_size > MESSAGES_AT_ONCE and settings.window_seconds == 0:
        raise SourceUnusable(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than "
            f"{MESSAGES_AT_ONCE}"
        )
    try:
        visibility = await queue.visibility_seconds()
    except ServiceFault as fault:
        raise SourceUnusable(
            f"Error occurred while ReceiveMessage. SQS Error Code: {fault.code}. SQS Error Message: {fault.message}"
        ) from fault
    except (NeighbourUnavailable, UnknownNeighbour) as error:
        raise SourceUnusable(f"Error occurred while ReceiveMessage. {error}") from error
    if timeout_seconds is not None and visibility < timeout_seconds:
        raise SourceUnusable(
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout_seconds} seconds"
        )


SOURCES: Mapping[str, Source] = {
    "sqs": Source(
        open=_open_queue,
        check=_check_queue,
        batch_size=10,
        takes=frozenset({"FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig"}),
    ),
}
"""The kinds of sources, by the service in their ARNs."""
