"""Event source mappings at work: one reader for each that is enabled, from the moment it is made until it goes.

Which sources there are is one table, `SOURCES`: a kind of ARN, and what reads it. The store holds the mappings; the
operations that change one write it there first, and then tell `follow` or `forget`. After a restart all go on.

A mapping that is disabled or deleted takes no more messages from then on, and is `Disabling` until what it took is
done. One that is changed goes on with the same reader: its next batch goes by the new settings.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import msgspec
from msgspec import Struct

from treadle.clock import Clock
from treadle.deliveries.queue_events import compile_filter
from treadle.deliveries.queue_source import MESSAGES_AT_ONCE, Queue, QueueReader
from treadle.deliveries.source import Assignment, Invoker, SourceSettings
from treadle.deliveries.source_reader import SourceReader
from treadle.deliveries.stream_batches import Post, Surroundings
from treadle.deliveries.stream_source import StreamReader
from treadle.deliveries.table_stream import StreamGone, TableStream
from treadle.deliveries.targets import Arn, kind_of
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.neighbours.event_patterns import Matches, compile_pattern
from treadle.store.event_source_contract import EventSourceMapping, EventSourceStore
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls

_PAGE = 1_000
_LEAST_RECORD_AGE = 60
"""Seconds (Lambda API reference, MaximumRecordAgeInSeconds)."""
_TABLE_STREAM = re.compile(r"table/[^/]+/stream/[^/]+")

_log = logging.getLogger(__name__)


class SourceUnusable(Exception):
    """A source cannot be read, or not by such a mapping. The message says why."""


class Source(Struct, frozen=True):
    """A kind of source."""

    open: Callable[[EventSources, EventSourceMapping, Assignment], SourceReader]
    """The reader for a mapping."""
    is_one: Callable[[str], bool]
    """Whether the resource of an ARN of the service can be read."""
    compile_filter: Callable[[str], Matches]
    """Of the text of a pattern, for its records. Raises PatternError."""
    check: Callable[[EventSources, str, SourceSettings, int | None], Awaitable[None]]
    """Whether a mapping with such settings can read the source of this ARN, for a function with this time-out (None: it
    was not set). Raises SourceUnusable."""
    batch_size: int
    """Unless the mapping says."""
    duplicate: str
    """Lambda's text about a second mapping of the same `source` and `function`."""
    takes: frozenset[str]
    """Members of CreateEventSourceMapping and UpdateEventSourceMapping that mean something for it, beside those that
    every mapping has."""


def settings_of(mapping: EventSourceMapping) -> SourceSettings:
    return msgspec.json.decode(mapping.settings, type=SourceSettings)


def source_of(arn: str) -> Source | None:
    """The kind of source that an ARN names; None: it cannot be one here."""
    read = Arn.read(arn)
    if read is None or not (read.region and read.account):
        return None
    source = SOURCES.get(read.service)
    return source if source is not None and source.is_one(read.resource) else None


class _Following(Struct):
    """A mapping at work."""

    source_arn: str
    reader: SourceReader
    task: asyncio.Task[None]
    stopping: bool = False


class EventSources:
    def __init__(
        self,
        store: EventSourceStore,
        functions: Invoker,
        services: ServiceCalls,
        post: Post,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """`post`: as that of `Deliveries`."""
        self.functions = functions
        self.services = services
        self.post = post
        self.clock = clock
        self.limits = limits
        self.store = store
        self._following: dict[str, _Following] = {}
        self.at_work = True
        """Whether sources are read here, and not by another node."""

    async def open(self) -> None:
        """Go on with all mappings that are enabled."""
        self.at_work = True
        await self.look()

    async def look(self) -> None:
        """Do as all mappings say, if sources are read here at all."""
        if not self.at_work:
            return
        after: str | None = None
        while mappings := await self.store.mapping_list("arn:", after, _PAGE):
            for mapping in mappings:
                self.follow(mapping)
            after = mappings[-1].arn

    async def close(self) -> None:
        """Follow none any more. Batches under way are dropped: their messages come again."""
        self.at_work = False
        tasks = [following.task for following in self._following.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def follow(self, mapping: EventSourceMapping) -> None:
        """Do as the mapping says, from now on, if sources are read here at all."""
        if not self.at_work:
            return
        following = self._following.get(mapping.arn)
        if not mapping.enabled:
            self.forget(mapping.arn)
            return
        source = source_of(mapping.source_arn)
        if source is None:  # of a later version of Treadle
            _log.error("event source mapping %s: nothing reads %s", mapping.arn, mapping.source_arn)
            return
        settings = settings_of(mapping)
        filters = [source.compile_filter(pattern) for pattern in settings.filters]
        assignment = Assignment(mapping.function_arn, settings, filters)
        if following is not None and not following.task.done():
            following.reader.assignment, following.stopping = assignment, False
            following.reader.go_on()
            return
        reader = source.open(self, mapping, assignment)
        task = asyncio.create_task(reader.run())
        self._following[mapping.arn] = _Following(mapping.source_arn, reader, task)
        task.add_done_callback(lambda done: self._ended(mapping.arn, done))

    async def changed(self, arn: str) -> None:
        """Another node has changed the mapping."""
        mapping = await self.store.mapping_get(arn)
        if mapping is None:
            self.forget(arn)
        else:
            self.follow(mapping)

    async def begun(self, arn: str) -> None:
        """Wait until the mapping misses nothing any more, or until it is known why it does not work, or for a while."""
        following = self._following.get(arn)
        if following is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(following.reader.looked.wait(), self.limits.event_source_pause_seconds)

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

    def reads(self, source_arn: str, function_arn: str) -> bool:
        """Whether a mapping that is at work brings the records of this source to this function."""
        return any(
            each.source_arn == source_arn and each.reader.assignment.function_arn == function_arn
            for each in self._following.values()
            if not each.stopping
        )

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


def _open_queue(sources: EventSources, mapping: EventSourceMapping, assignment: Assignment) -> SourceReader:
    queue = Queue(mapping.source_arn, sources.services)
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


# -- streams -----------------------------------------------------------------------------------------------


def _open_stream(sources: EventSources, mapping: EventSourceMapping, assignment: Assignment) -> SourceReader:
    around = Surroundings(sources.functions, sources.post, sources.clock, sources.limits)
    return StreamReader(
        lambda arn: TableStream(arn, sources.services),
        mapping.source_arn,
        assignment,
        _Positions(sources.store, mapping.arn),
        around,
        lambda arn: sources.reads(arn, mapping.function_arn),
    )


class _Positions(Struct, frozen=True):
    """Implements `stream_source.Positions`."""

    store: EventSourceStore
    mapping_arn: str

    async def get(self) -> str | None:
        return await self.store.mapping_position_get(self.mapping_arn)

    async def put(self, text: str) -> None:
        await self.store.mapping_position_put(self.mapping_arn, text)


async def _check_stream(sources: EventSources, arn: str, settings: SourceSettings, timeout_seconds: int | None) -> None:
    if not settings.starting_position:
        raise SourceUnusable(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if settings.starting_position not in ("TRIM_HORIZON", "LATEST"):
        raise SourceUnusable("The StartingPosition of a stream of DynamoDB is TRIM_HORIZON or LATEST.")
    if 0 <= settings.record_age_seconds < _LEAST_RECORD_AGE:
        raise SourceUnusable(f"MaximumRecordAgeInSeconds is -1 or at least {_LEAST_RECORD_AGE}.")
    target = settings.on_failure
    if target and (kind_of(target) not in ("sqs", "sns") or target.endswith(".fifo")):
        raise SourceUnusable(f"The destination ARN {target} is invalid: it must be a standard queue or topic.")
    try:
        await TableStream(arn, sources.services).shards()
    except StreamGone as error:
        raise SourceUnusable(str(error)) from error
    except (ServiceFault, NeighbourUnavailable, UnknownNeighbour) as error:
        raise SourceUnusable(f"Error occurred while DescribeStream. {error}") from error


SOURCES: Mapping[str, Source] = {
    "sqs": Source(
        open=_open_queue,
        is_one=lambda resource: True,
        compile_filter=compile_filter,
        check=_check_queue,
        batch_size=10,
        duplicate='An event source mapping with SQS arn (" {source} ") and function (" {function} ") already exists.',
        takes=frozenset({"FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "ScalingConfig"}),
    ),
    "dynamodb": Source(
        open=_open_stream,
        is_one=lambda resource: _TABLE_STREAM.fullmatch(resource) is not None,
        compile_filter=compile_pattern,
        check=_check_stream,
        batch_size=100,
        duplicate='The event source arn (" {source} ") and function (" {function} ") provided mapping already exists.',
        takes=frozenset(
            {
                "BisectBatchOnFunctionError",
                "DestinationConfig",
                "FunctionResponseTypes",
                "MaximumBatchingWindowInSeconds",
                "MaximumRecordAgeInSeconds",
                "MaximumRetryAttempts",
                "ParallelizationFactor",
                "StartingPosition",
                "TumblingWindowInSeconds",
            }
        ),
    ),
}
"""The kinds of sources, by the service in their ARNs."""
