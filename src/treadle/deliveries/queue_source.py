"""A queue as an event source: its messages become events of a function, and are deleted when it has dealt with them.

    ReceiveMessage ─▶ batch ─▶ filters ─▶ the function ─▶ DeleteMessageBatch of what succeeded
         ▲              │         └─ what no filter wants is deleted
         └── window ────┘

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html. Nothing of a batch is kept on disk, because the queue keeps
it: a message that was not deleted (the function failed, the server died) is visible again when the queue's visibility
time-out has passed, and goes to the queue's dead-letter queue when it has been received too often.

- One reader for a queue. It waits in a long poll and starts a task for each batch, at most as many as may be under
  way at once; while there is no room it receives nothing, because the time-out of a message runs from then on.
- **Order.** A FIFO queue gives out no message of a group while another one of it is invisible. So a batch of a group
  ends, or its messages are visible again, before the next of the group; and where an invocation takes longer than the
  visibility time-out, what comes of its groups meanwhile is left alone. Of a batch that is cut in two because it is too
  large, the second part goes without the groups that have failed in the first.
- A reader that is told to stop lets its poll end: a service goes on with a poll whose asker has gone away, and what it
  gives out then nobody has. What comes is given back.
- A FIFO queue is not waited for in long polls, but asked briefly, less and less often, up to once in
  `event_source_idle_seconds`, and at once when a batch has ended: in moto, a long poll works without a pause while all
  groups are taken, and does not see that one gets free.
- A queue or function that is not there costs no message: the reader looks first, and tries again after pauses that
  grow up to `event_source_pause_seconds`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from msgspec import Struct

from treadle.deliveries.queue_events import failed_items, record_of
from treadle.deliveries.source import EVENT, FIRST_PAUSE_SECONDS, Assignment, Invoker, SourceTrouble, Troubles
from treadle.deliveries.source_reader import SourceReader
from treadle.deliveries.targets import Arn
from treadle.document import encode
from treadle.functions.contract import FunctionNotFound, FunctionThrottled
from treadle.functions.created import FunctionArn
from treadle.limits import Limits
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

MESSAGES_AT_ONCE = 10
"""The most that ReceiveMessage gives and DeleteMessageBatch takes."""
_DELETE_TRIES = 5

_log = logging.getLogger(__name__)


class _Received(Struct, frozen=True):
    """A message on its way."""

    id: str
    receipt: str
    group: str | None
    record: dict[str, Any]
    text: str
    """The record as JSON."""


class Queue:
    """The calls of one queue's service."""

    def __init__(self, arn: str, services: ServiceCalls) -> None:
        read = Arn.read(arn)
        assert read is not None, arn
        self.arn = read
        self.fifo = read.resource.endswith(".fifo")
        self._services = services
        self._url: str | None = None

    async def visibility_seconds(self) -> int:
        """How long a message that was received is invisible. Raises what `Troubles` lists."""
        answer = await self._call("GetQueueAttributes", AttributeNames=["VisibilityTimeout"])
        try:
            return int(answer["Attributes"]["VisibilityTimeout"])
        except (KeyError, ValueError) as error:
            raise NeighbourUnavailable("the service of queues does not say how long messages are invisible") from error

    async def receive(self, count: int, wait_seconds: int) -> list[dict[str, Any]]:
        answer = await self._call(
            "ReceiveMessage",
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_seconds,
        )
        return list(answer.get("Messages", ()))

    async def delete(self, receipts: Sequence[str]) -> Collection[int]:
        """The places of those that could not be deleted."""
        entries = [{"Id": str(at), "ReceiptHandle": receipt} for at, receipt in enumerate(receipts)]
        answer = await self._call("DeleteMessageBatch", Entries=entries)
        return {int(failed["Id"]) for failed in answer.get("Failed", ())}

    async def give_back(self, receipts: Sequence[str]) -> None:
        entries = [
            {"Id": str(at), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for at, receipt in enumerate(receipts)
        ]
        await self._call("ChangeMessageVisibilityBatch", Entries=entries)

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        if self._url is None:
            named = {"QueueName": self.arn.resource, "QueueOwnerAWSAccountId": self.arn.account}
            self._url = (await self._ask("GetQueueUrl", named)).get("QueueUrl", "")
        try:
            return await self._ask(operation, {"QueueUrl": self._url, **members})
        except ServiceFault:
            self._url = None
            raise

    async def _ask(self, operation: str, members: dict[str, Any]) -> dict[str, Any]:
        answered = await self._services.call(
            load("sqs").operation_model(operation),
            members,
            account=self.arn.account,
            region=self.arn.region,
            token=str(uuid4()),
        )
        return answered.members


class QueueReader(SourceReader):
    """Brings the messages of a queue to a function."""

    def __init__(
        self,
        queue: Queue,
        assignment: Assignment,
        functions: Invoker,
        limits: Limits,
        briefly: Callable[[], bool] = lambda: False,
    ) -> None:
        """`briefly`: whether polls must not wait, because too many of them would."""
        super().__init__(queue.arn.text, assignment, limits)
        self.looked.set()  # a queue keeps its messages: there is nothing to miss
        self._queue = queue
        self._functions = functions
        self._briefly = briefly
        self._busy: set[str] = set()
        """Message groups of which a batch is under way."""
        self._idle = 0
        """How many brief polls in a row gave nothing."""

    async def _look(self) -> float | None:
        """Receive a batch, when there is room for one, and begin it."""
        most = self.assignment.settings.concurrency or self._limits.event_source_concurrency
        while len(self._tasks) >= most:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if not await self._functions.exists(self.assignment.function_arn):
            raise SourceTrouble(f"Function not found: {self.assignment.function_arn}")
        messages = await self._collect()
        if messages and self._stopped:
            for part in _tens(messages):
                await self._queue.give_back([message.receipt for message in part])
        elif messages:
            self._begin(self._deliver(messages), "a batch").add_done_callback(self._batch_ended)
        return None

    def _batch_ended(self, batch: asyncio.Task[None]) -> None:
        if self._queue.fifo:  # its groups are free
            self._idle = 0
            self._woken.set()

    # -- receiving -----------------------------------------------------------------------------------------

    async def _collect(self) -> list[_Received]:
        """A batch: what one poll gives, or with a window what comes until it is full or the window ends."""
        settings, loop = self.assignment.settings, asyncio.get_running_loop()
        messages = await self._poll(settings.batch_size, self._limits.event_source_wait_seconds)
        end = loop.time() + settings.window_seconds
        size = sum(len(message.text) for message in messages)
        while messages and len(messages) < settings.batch_size and size < self._limits.function_request_bytes:
            left = end - loop.time()
            if left <= 0 or self._stopped:
                break
            wait = min(math.floor(left), self._limits.event_source_wait_seconds)
            try:
                more = await self._poll(settings.batch_size - len(messages), wait, longest=left)
            except Troubles as error:  # what there is must not wait for the queue's next visibility time-out
                _log.warning("event source %s: %s", self._queue.arn.text, error)
                break
            messages += more
            size += sum(len(message.text) for message in more)
        return messages

    async def _poll(self, room: int, wait_seconds: int, longest: float = math.inf) -> list[_Received]:
        wait = 0 if self._queue.fifo or self._briefly() else wait_seconds
        given = await self._queue.receive(min(room, MESSAGES_AT_ONCE), wait)
        messages = [message for message in map(self._received, given) if message.group not in self._busy]
        if messages:
            self._idle = 0
        elif wait == 0 or given:
            # A poll that did not wait, or gave only what belongs to groups that are busy.
            pause = min(2**self._idle * FIRST_PAUSE_SECONDS, self._limits.event_source_idle_seconds, longest)
            self._idle = min(self._idle + 1, 30)
            await self._pause(pause)
        return messages

    def _received(self, message: dict[str, Any]) -> _Received:
        record = record_of(message, self._queue.arn)
        group = message.get("Attributes", {}).get("MessageGroupId") if self._queue.fifo else None
        return _Received(message["MessageId"], message["ReceiptHandle"], group, record, encode(record))

    # -- one batch -----------------------------------------------------------------------------------------

    async def _deliver(self, messages: list[_Received]) -> None:
        assignment = self.assignment
        with self._holding() as hold:
            left = [message for message in messages if assignment.wants(message.record)]
            hold(left)
            await self._delete([message for message in messages if message not in left])
            broken: set[str] = set()
            for part in self._parts(left):
                left = left[len(part) :]
                batch = [message for message in part if message.group not in broken]
                if not batch:
                    continue
                failed = await self._invoke(assignment, batch)
                broken.update(message.group for message in batch if message.id in failed and message.group is not None)
                hold(left)
                await self._delete([message for message in batch if message.id not in failed])

    @contextmanager
    def _holding(self) -> Iterator[Callable[[Sequence[_Received]], None]]:
        """Gives a function that is told which messages are still to be delivered: their groups are busy, and no others.
        It is told before messages are deleted, because with that the queue gives out the next of their group."""
        held: set[str] = set()

        def hold(messages: Sequence[_Received]) -> None:
            nonlocal held
            self._busy -= held
            held = {message.group for message in messages if message.group is not None}
            self._busy |= held

        try:
            yield hold
        finally:
            hold(())

    def _parts(self, messages: Sequence[_Received]) -> Iterator[list[_Received]]:
        """Each small enough for one event."""
        part: list[_Received] = []
        size = 0
        for message in messages:
            more = len(message.text.encode()) + 1
            if part and size + more > self._limits.function_request_bytes - len("".join(EVENT)):
                yield part
                part, size = [], 0
            part.append(message)
            size += more
        if part:
            yield part

    async def _invoke(self, assignment: Assignment, messages: Sequence[_Received]) -> Collection[str]:
        """The ids of the messages that have failed."""
        ids = {message.id for message in messages}
        event = EVENT[0] + ",".join(message.text for message in messages) + EVENT[1]
        name = FunctionArn.read(assignment.function_arn).name
        try:
            invocation = await self._functions.invoke(name, event.encode(), function_arn=assignment.function_arn)
        except FunctionNotFound:
            return ids
        except FunctionThrottled:
            await asyncio.sleep(FIRST_PAUSE_SECONDS)  # the reader has less room meanwhile
            return ids
        if invocation.function_error is not None:
            return ids
        return failed_items(invocation.payload, ids) if assignment.settings.report_failures else ()

    async def _delete(self, messages: Sequence[_Received]) -> None:
        """What cannot be deleted comes again."""
        for part in _tens(messages):
            left = [message.receipt for message in part]
            for attempt in range(_DELETE_TRIES):
                try:
                    undeleted = await self._queue.delete(left)
                    left = [receipt for at, receipt in enumerate(left) if at in undeleted]
                except Troubles as error:
                    _log.warning("event source %s: %s", self._queue.arn.text, error)
                if not left:
                    break
                await asyncio.sleep(2**attempt * FIRST_PAUSE_SECONDS)


def _tens(messages: Sequence[_Received]) -> Iterator[Sequence[_Received]]:
    for at in range(0, len(messages), MESSAGES_AT_ONCE):
        yield messages[at : at + MESSAGES_AT_ONCE]
