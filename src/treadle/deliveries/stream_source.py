"""A stream as an event source: its records become events of a function, in the order of each shard.

    shards ─▶ one task for each ─▶ GetRecords ─▶ filters ─▶ batch ─▶ the function ─▶ position, on disk
                                        ▲                     │            └─ fails: again, and the shard waits
                                        └────── window ───────┘

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html. The stream keeps its records whatever the function does
with them. So what is kept here is how far the mapping has come in each shard, written when a batch has been dealt with:
a server that dies goes on there, and gives the batch that was under way once more.

- **The beginning.** With TRIM_HORIZON it is the oldest record. With LATEST it is what is written after the first look
  at the stream: the iterators of that moment are used, and the moment is written down, for a server that dies before
  there is a position. (Records tell the second only: after such a death some of that second may be given, too.)
  Shards that appear later are read from their beginning.
- **The order.** A shard is read when its parent has been read to the end. Of one shard one batch is under way.
- **Idle**, a shard is asked less and less often, up to once in `event_source_idle_seconds`; the stream is looked at for
  new shards when one has ended, and every `event_source_pause_seconds`.
- **A stream that is gone**, as when moto was started anew, may have a successor: the table of that name may have
  another one. The mapping goes on with that, from its beginning, unless another mapping takes it to the same function.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from msgspec import Struct

from treadle.deliveries.source import FIRST_PAUSE_SECONDS, Assignment, Troubles
from treadle.deliveries.source_reader import SourceReader
from treadle.deliveries.stream_batches import Shardwork, Surroundings
from treadle.deliveries.table_stream import (
    RECORDS_AT_ONCE,
    IteratorExpired,
    Position,
    Shard,
    StreamGone,
    StreamRecord,
    TableStream,
)

_log = logging.getLogger(__name__)


class Positions(Protocol):
    """Of one mapping, on disk."""

    async def get(self) -> str | None: ...

    async def put(self, text: str) -> None: ...


class Standing(Struct):
    """How far a mapping has come."""

    stream: str
    """The ARN of the stream that it reads."""
    shards: dict[str, Position]


class StreamReader(SourceReader):
    """Brings the records of a stream to a function."""

    def __init__(
        self,
        open_stream: Callable[[str], TableStream],
        source_arn: str,
        assignment: Assignment,
        positions: Positions,
        around: Surroundings,
        is_taken: Callable[[str], bool],
    ) -> None:
        """`is_taken`: whether another mapping brings the records of that stream to the same function."""
        super().__init__(source_arn, assignment, around.limits)
        self._open_stream = open_stream
        self._stream = open_stream(source_arn)
        self._positions = positions
        self._around = around
        self._is_taken = is_taken
        self._standing: Standing | None = None
        self._latest: dict[str, str] = {}
        """Iterators of the first look, by shard."""
        self._readers: dict[str, _ShardReader] = {}

    @property
    def problem(self) -> str | None:
        """Of the stream or of one of its shards."""
        return super().problem or next((reader.problem for reader in self._readers.values() if reader.problem), None)

    def stop(self) -> None:
        """What has failed is not tried again: the position stays before it."""
        super().stop()
        for reader in self._readers.values():
            reader.stop()

    # -- the stream and its shards -------------------------------------------------------------------------

    async def _look(self) -> float | None:
        """See which shards there are, and read those whose turn it is."""
        standing = await self._known()
        try:
            if self._is_superseded():
                raise StreamGone(f"Stream not found: {self._source_arn}")
            shards = await self._stream.shards()
        except StreamGone:
            await self._move_on()
            return None
        if standing is None:
            standing = await self._first(shards)
        there = {shard.id for shard in shards}
        standing.shards = {id: position for id, position in standing.shards.items() if id in there}
        for shard in shards:
            position = standing.shards.setdefault(shard.id, Position())
            parent = standing.shards.get(shard.parent or "")
            if shard.id not in self._readers and not position.ended and (parent is None or parent.ended):
                self._read(shard.id, position)
        return self._limits.event_source_pause_seconds

    async def _known(self) -> Standing | None:
        if self._standing is None and (text := await self._positions.get()) is not None:
            self._standing = msgspec.json.decode(text, type=Standing)
            self._stream = self._open_stream(self._standing.stream)
        return self._standing

    async def _first(self, shards: list[Shard]) -> Standing:
        standing = Standing(self._stream.arn.text, {})
        if self.assignment.settings.starting_position == "LATEST":
            since = self._around.clock.now() // 1_000 * 1_000
            for shard in shards:
                if not shard.closed:
                    self._latest[shard.id] = await self._stream.latest(shard.id)
                standing.shards[shard.id] = Position(since=since, ended=shard.closed)
        await self._keep(standing)
        return standing

    async def _move_on(self) -> None:
        """To the stream that has come in place of the one that is gone. Raises StreamGone if there is none."""
        successor = await self._stream.successor()
        if successor is None or self._is_taken(successor):
            for reader in self._readers.values():
                reader.stop()
            raise StreamGone(f"Stream not found: {self._source_arn}")
        _log.warning("event source %s is gone: %s is read in its place", self._stream.arn.text, successor)
        for reader in self._readers.values():
            reader.stop()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._stream = self._open_stream(successor)
        self._latest.clear()
        await self._keep(Standing(successor, {}))

    def _is_superseded(self) -> bool:
        """Whether the stream that came in place of the mapping's own has got a mapping."""
        return self._stream.arn.text != self._source_arn and self._is_taken(self._stream.arn.text)

    async def _keep(self, standing: Standing) -> None:
        self._standing = standing
        await self._positions.put(msgspec.json.encode(standing).decode())

    def _read(self, shard: str, position: Position) -> None:
        reader = _ShardReader(self, self._stream, shard, position, self._latest.pop(shard, None))
        self._readers[shard] = reader
        self._begin(reader.run(), f"shard {shard}").add_done_callback(lambda task: self._ended(shard))

    def _ended(self, shard: str) -> None:
        self._readers.pop(shard, None)
        self._woken.set()

    # -- what the readers of shards need -------------------------------------------------------------------

    @property
    def around(self) -> Surroundings:
        return self._around

    def may_deliver(self) -> bool:
        return not self._stopped and not self._is_superseded()

    async def stands(self, shard: str, position: Position) -> None:
        """The shard has been dealt with up to there: on disk when this returns."""
        assert self._standing is not None
        self._standing.shards[shard] = position
        await self._keep(self._standing)


class _ShardReader:
    def __init__(
        self, owner: StreamReader, stream: TableStream, shard: str, position: Position, iterator: str | None
    ) -> None:
        """`iterator`: where to begin, if not at the position."""
        self._owner = owner
        self._stream = stream
        self._shard = shard
        self._position = position
        self._iterator = iterator
        self._stopped = asyncio.Event()
        self._idle = 0
        """How many times in a row there was nothing."""
        self._problem: str | None = None
        self._work = Shardwork(stream.arn, shard, owner.around, lambda: owner.assignment, self._dealt_with)

    @property
    def problem(self) -> str | None:
        return self._problem or self._work.problem

    def stop(self) -> None:
        self._stopped.set()
        self._work.stop()

    async def run(self) -> None:
        """Until the shard ends, or until this is stopped."""
        while not self._stopped.is_set():
            try:
                if await self._read_on():
                    return
            except IteratorExpired:
                self._iterator = None
                self._idle += 1
                await self._pause(self._owner.around.limits.event_source_idle_seconds)
            except StreamGone:
                await self._pause(self._owner.around.limits.event_source_idle_seconds)
                return  # the owner looks at the stream then
            except Troubles as error:
                self._iterator = None
                await self._trouble(str(error))
            except Exception as bug:
                # An answer of an endpoint that makes no sense may do that.
                _log.exception("event source %s: shard %s could not be read", self._stream.arn.text, self._shard)
                self._iterator = None
                await self._trouble(f"Treadle has a bug: {bug!r}")

    async def _trouble(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("event source %s: %s", self._stream.arn.text, problem)
        self._problem = problem
        self._idle += 1
        await self._pause(self._owner.around.limits.event_source_pause_seconds)

    async def _pause(self, longest: float) -> None:
        """The longer, the longer there was nothing."""
        seconds = min(2 ** min(self._idle, 30) * FIRST_PAUSE_SECONDS, longest)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), seconds)

    async def _read_on(self) -> bool:
        """Read and deliver a batch, or wait a while. Whether the shard has ended."""
        function_arn = self._owner.assignment.function_arn
        if not await self._owner.around.functions.exists(function_arn):
            await self._trouble(f"Function not found: {function_arn}")
            return False
        batch, last, ended = await self._collect()
        self._problem = None
        if last is None and not ended:
            self._idle += 1
            await self._pause(self._owner.around.limits.event_source_idle_seconds)
            return False
        self._idle = 0
        if not self._owner.may_deliver() or not await self._work.deliver(batch):
            self._iterator = None
            self.stop()
            return False
        if last is not None and last != self._position.after:  # the last ones were not wanted
            await self._dealt_with(last)
        if ended:
            await self._stand(Position(after=self._position.after, ended=True))
        return ended

    async def _collect(self) -> tuple[list[StreamRecord], str | None, bool]:
        """A batch, the sequence number of the last record that was looked at, and whether the shard has ended: what
        there is, or with a window what comes until the batch is full or the window ends."""
        assignment, limits = self._owner.assignment, self._owner.around.limits
        settings, loop = assignment.settings, asyncio.get_running_loop()
        batch: list[StreamRecord] = []
        last, size, end = None, 0, 0.0
        while True:
            limit = min(settings.batch_size - len(batch), RECORDS_AT_ONCE)
            if self._iterator is None:
                self._iterator = await self._stream.iterator(self._shard, self._position)
            page = await self._stream.read(self._iterator, limit)
            self._iterator = page.next
            if not batch:
                end = loop.time() + settings.window_seconds
            for record in page.records:
                last = record.sequence
                if record.created >= self._position.since and assignment.wants(record.form):
                    batch.append(record)
                    size += len(record.text)
            if page.next is None:
                return batch, last, True
            if len(batch) >= settings.batch_size or size >= limits.function_request_bytes or self._stopped.is_set():
                return batch, last, False
            if len(page.records) < limit:
                left = end - loop.time()
                if not batch or left <= 0:
                    return batch, last, False
                await self._pause(min(left, limits.event_source_idle_seconds))

    async def _dealt_with(self, sequence: str) -> None:
        await self._stand(Position(after=sequence))

    async def _stand(self, position: Position) -> None:
        self._position = position
        await self._owner.stands(self._shard, position)
