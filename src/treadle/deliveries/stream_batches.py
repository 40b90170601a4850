"""What becomes of one batch of a stream's records: how often it is tried, in which parts, and when it is given up.

    the function                          the records
    succeeds                              are dealt with
    fails                                 again after a growing pause, until `retries` are used up; with `bisect` each
                                          half by itself, the earlier one first; only a single record uses up retries
    names the first that has failed       those before it are dealt with, and the others are tried again
    is throttled, or not there            again after a growing pause, which is no retry
    was slow, and a record is too old     that record is given up

What is given up is told to `on_failure`, without its data: the stream has them. The order of records is kept: nothing
of a batch is tried while something before it is still to be tried.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html and the page on error handling
beside it. Not documented, and a guess: that retries begin anew when a part of the batch is dealt with, and that a batch
is still cut in two when there are no retries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import msgspec
from msgspec import Struct

from treadle.clock import Clock
from treadle.deliveries.contract import Message
from treadle.deliveries.queue_events import failed_items
from treadle.deliveries.source import EVENT, FIRST_PAUSE_SECONDS, Assignment, Invoker
from treadle.deliveries.table_stream import StreamRecord
from treadle.deliveries.targets import Arn
from treadle.functions.contract import FunctionNotFound, FunctionThrottled, Invocation
from treadle.functions.created import FunctionArn
from treadle.functions.failures import is_of_the_system
from treadle.limits import Limits

_STATUS = 200
"""What Lambda's Invoke answers with, whether the function failed or not."""

Condition = Literal["RetryAttemptsExhausted", "RecordAgeExceeded"]
"""The first one is documented. The second is a guess."""
Post = Callable[[str, Message], Awaitable[None]]
"""Have a message delivered to an ARN; it is on disk then."""


class Surroundings(Struct, frozen=True):
    """What all batches of a reader need."""

    functions: Invoker
    post: Post
    clock: Clock
    limits: Limits


class GivenUp(Struct, frozen=True):
    """Records that are given up."""

    condition: Condition
    records: Sequence[StreamRecord]
    tries: int
    invocation: Invocation | None
    """The last one; None: there was none."""


class Shardwork:
    """The batches of one shard, one after the other."""

    def __init__(
        self,
        stream: Arn,
        shard: str,
        around: Surroundings,
        assignment: Callable[[], Assignment],
        dealt_with: Callable[[str], Awaitable[None]],
    ) -> None:
        """`assignment`: as it is now. `dealt_with`: is told up to which sequence number all is done, and returns when
        that is on disk."""
        self._stream = stream
        self._shard = shard
        self._around = around
        self._assignment = assignment
        self._dealt_with = dealt_with
        self._stopped = asyncio.Event()
        self.problem: str | None = None
        """Why it does not go on."""

    def stop(self) -> None:
        """What is under way still ends; what has failed is not tried again."""
        self._stopped.set()

    async def deliver(self, records: Sequence[StreamRecord]) -> bool:
        """Whether all of it was dealt with, one way or the other. Otherwise it was stopped."""
        parts = self._parts(records)
        tries, pauses = 0, 0
        invocation: Invocation | None = None
        while parts:
            part, settings = parts[0], self._assignment().settings
            old = self._too_old(part, settings.record_age_seconds)
            if old:
                await self._give_up(GivenUp("RecordAgeExceeded", part[:old], tries, invocation))
                parts[:1] = [part[old:]] if part[old:] else []
                continue
            if self._stopped.is_set():
                return False
            invocation = await self._invoke(part)
            if invocation is None:
                pauses += 1
                await self._pause(pauses)
                continue
            done = self._done(part, invocation)
            if done:
                await self._dealt_with(part[done - 1].sequence)
                parts[:1] = [part[done:]] if part[done:] else []
                tries, pauses = 0, 0
                continue
            tries += 1
            self.problem = "Function call failed"
            if settings.bisect and len(part) > 1:
                middle = len(part) // 2
                parts[:1], tries = [part[:middle], part[middle:]], 0
            elif 0 <= settings.retries < tries:
                await self._give_up(GivenUp("RetryAttemptsExhausted", part, tries, invocation))
                del parts[0]
                tries, pauses = 0, 0
                continue
            pauses += 1
            await self._pause(pauses)
        self.problem = None
        return True

    def _parts(self, records: Sequence[StreamRecord]) -> list[Sequence[StreamRecord]]:
        """Each small enough for one event."""
        most = self._around.limits.function_request_bytes - len("".join(EVENT))
        parts: list[list[StreamRecord]] = []
        size = 0
        for record in records:
            more = len(record.text.encode()) + 1
            if not parts or size + more > most:
                parts.append([])
                size = 0
            parts[-1].append(record)
            size += more
        return list(parts)

    def _too_old(self, records: Sequence[StreamRecord], most_seconds: int) -> int:
        """How many, of the first ones."""
        if most_seconds < 0:
            return 0
        oldest = self._around.clock.now() - most_seconds * 1_000
        return next((at for at, record in enumerate(records) if record.created >= oldest), len(records))

    async def _invoke(self, records: Sequence[StreamRecord]) -> Invocation | None:
        """None: the function did not run."""
        arn = self._assignment().function_arn
        event = EVENT[0] + ",".join(record.text for record in records) + EVENT[1]
        try:
            invocation = await self._around.functions.invoke(
                FunctionArn.read(arn).name, event.encode(), function_arn=arn
            )
        except (FunctionNotFound, FunctionThrottled) as error:
            self.problem = str(error)
            return None
        if invocation.function_error is not None and is_of_the_system(invocation.payload):
            self.problem = "Function call failed"
            return None
        return invocation

    def _done(self, records: Sequence[StreamRecord], invocation: Invocation) -> int:
        """How many of the records, from the first one on, are dealt with."""
        if invocation.function_error is not None:
            return 0
        if not self._assignment().settings.report_failures:
            return len(records)
        failed = failed_items(invocation.payload, {record.sequence for record in records})
        return next((at for at, record in enumerate(records) if record.sequence in failed), len(records))

    async def _pause(self, number: int) -> None:
        longest = self._around.limits.event_source_pause_seconds
        seconds = min(2 ** min(number - 1, 30) * FIRST_PAUSE_SECONDS, longest)
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return

    async def _give_up(self, given: GivenUp) -> None:
        assignment = self._assignment()
        target = assignment.settings.on_failure
        if target:
            await self._around.post(target, self._message(assignment.function_arn, given))
        await self._dealt_with(given.records[-1].sequence)

    def _message(self, function_arn: str, given: GivenUp) -> Message:
        """In the form of the page "Retain discarded records" of the Lambda developer guide."""
        context: dict[str, Any] = {
            "requestId": str(uuid4()) if given.invocation is None else given.invocation.request_id,
            "functionArn": function_arn,
            "condition": given.condition,
            "approximateInvokeCount": given.tries,
        }
        now = self._around.clock.now()
        record: dict[str, Any] = {"requestContext": context}
        if given.invocation is not None:
            record["responseContext"] = {
                "statusCode": _STATUS,
                "executedVersion": given.invocation.executed_version,
                "functionError": given.invocation.function_error,
            }
        record |= {
            "version": "1.0",
            "timestamp": f"{_moment(now)}.{now % 1_000:03d}Z",
            "DDBStreamBatchInfo": {
                "shardId": self._shard,
                "startSequenceNumber": given.records[0].sequence,
                "endSequenceNumber": given.records[-1].sequence,
                "approximateArrivalOfFirstRecord": f"{_moment(given.records[0].created)}Z",
                "approximateArrivalOfLastRecord": f"{_moment(given.records[-1].created)}Z",
                "batchSize": len(given.records),
                "streamArn": self._stream.text,
            },
        }
        function = FunctionArn.read(function_arn)
        return Message(body=msgspec.json.encode(record).decode(), account=function.account, region=function.region)


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1_000, UTC):%Y-%m-%dT%H:%M:%S}"
