"""One queue of SQS behind the wire, whose time passes when the test says so, and functions that do as they are told."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from tests.tasks.fake_neighbour import HOST, Reply
from treadle.document import decode, encode
from treadle.functions.contract import FunctionNotFound, Invocation
from treadle.limits import Limits
from treadle.neighbours.contract import Incoming, NeighbourUnavailable, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.service_calls import ServiceCalls

ACCOUNT, REGION = "123456789012", "eu-west-1"
QUEUES = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"


class _Message:
    def __init__(self, body: str, group: str | None, attributes: dict[str, Any]) -> None:
        self.id = str(uuid4())
        self.body = body
        self.group = group
        self.attributes = attributes
        self.receipt: str | None = None
        """None: it is visible."""
        self.received = 0


class FakeQueue:
    """Implements `neighbours.contract.Neighbour`."""

    def __init__(self, name: str = "orders", visibility_seconds: int = 30) -> None:
        self.arn = QUEUES + name
        self.fifo = name.endswith(".fifo")
        self.exists = True
        self.visibility_seconds = visibility_seconds
        self.trouble: dict[str, Exception] = {}
        """What operations fail with."""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Operations and their members, but for those that found nothing."""
        self._messages: list[_Message] = []
        self._change = asyncio.Condition()

    @property
    def calls(self) -> ServiceCalls:
        limits = Limits()
        return ServiceCalls(Neighbours(self, {}, limits), limits, HOST)

    # -- what tests do and see -----------------------------------------------------------------------------

    async def put(self, *bodies: str, group: str | None = None, **attributes: Any) -> None:
        self._messages += [_Message(body, group, attributes) for body in bodies]
        await self._changed()

    async def expire(self) -> None:
        """The visibility time-out of all messages passes."""
        for message in self._messages:
            message.receipt = None
        await self._changed()

    async def wake(self) -> None:
        """Polls end."""
        await self._changed()

    @property
    def left(self) -> list[str]:
        return [message.body for message in self._messages]

    @property
    def visible(self) -> list[str]:
        return [message.body for message in self._messages if message.receipt is None]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self._change:
            await self._change.wait_for(condition)

    async def _changed(self) -> None:
        async with self._change:
            self._change.notify_all()

    # -- the wire ------------------------------------------------------------------------------------------

    async def send(self, request: Outgoing) -> Incoming:
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        operation = headers["x-amz-target"].partition(".")[2]
        assert isinstance(request.body, bytes)
        members = decode(request.body)
        if operation in self.trouble:
            raise self.trouble[operation]
        if not self.exists:
            error = {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "The specified queue does not exist."}
            return Reply(
                400, encode(error).encode(), {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}
            )
        answer = await getattr(self, f"_{operation}")(members)
        if operation != "ReceiveMessage" or answer["Messages"]:
            self.asked.append((operation, members))
        await self._changed()
        return Reply(200, encode(answer).encode(), {"content-type": "application/x-amz-json-1.0"})

    @property
    def is_running(self) -> bool:
        return True

    async def close(self) -> None: ...

    async def _GetQueueUrl(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - SQS's name
        assert members == {"QueueName": self.arn.rpartition(":")[2], "QueueOwnerAWSAccountId": ACCOUNT}
        return {"QueueUrl": f"http://{HOST}/{ACCOUNT}/q"}

    async def _GetQueueAttributes(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Attributes": {"VisibilityTimeout": str(self.visibility_seconds)}}

    async def _ReceiveMessage(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        given = self._take(members["MaxNumberOfMessages"])
        if not given and members["WaitTimeSeconds"]:
            async with self._change:
                await self._change.wait()
            given = self._take(members["MaxNumberOfMessages"])
        return {"Messages": [_shown(message) for message in given]}

    def _take(self, most: int) -> list[_Message]:
        locked = {message.group for message in self._messages if self.fifo and message.receipt is not None}
        given = [each for each in self._messages if each.receipt is None and each.group not in locked][:most]
        for message in given:
            message.receipt = str(uuid4())
            message.received += 1
        return given

    async def _DeleteMessageBatch(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        receipts = {entry["ReceiptHandle"] for entry in members["Entries"]}
        self._messages = [message for message in self._messages if message.receipt not in receipts]
        return {"Successful": [{"Id": entry["Id"]} for entry in members["Entries"]]}

    async def _ChangeMessageVisibilityBatch(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        receipts = {entry["ReceiptHandle"] for entry in members["Entries"] if entry["VisibilityTimeout"] == 0}
        for message in self._messages:
            if message.receipt in receipts:
                message.receipt = None
        return {"Successful": [{"Id": entry["Id"]} for entry in members["Entries"]]}


def _shown(message: _Message) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(message.received)}
    if message.group is not None:
        attributes["MessageGroupId"] = message.group
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "Body": message.body,
        "MD5OfBody": hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": attributes,
        **({"MessageAttributes": message.attributes} if message.attributes else {}),
    }


class Called:
    """An invocation that a test ends."""

    def __init__(self, function_arn: str, payload: bytes) -> None:
        self.function_arn = function_arn
        self.records: list[dict[str, Any]] = decode(payload)["Records"]
        self.bytes = len(payload)
        self._end: asyncio.Future[Invocation] = asyncio.get_running_loop().create_future()

    @property
    def bodies(self) -> list[str]:
        return [record["body"] for record in self.records]

    def answer(self, value: Any = None) -> None:
        self._end.set_result(Invocation(payload=encode(value).encode(), request_id="r"))

    def fail(self) -> None:
        document = b'{"errorType":"Own","errorMessage":"no"}'
        self._end.set_result(Invocation(payload=document, request_id="r", function_error="Unhandled"))

    def refuse(self, error: Exception) -> None:
        self._end.set_exception(error)

    async def ended(self) -> Invocation:
        return await self._end


class FakeInvoker:
    """Implements `source.Invoker`."""

    def __init__(self) -> None:
        self.there = True
        """Whether there is the function."""
        self.asked = asyncio.Event()
        """Somebody wanted to know."""
        self._calls: deque[Called] = deque()
        self._arrived = asyncio.Semaphore(0)

    async def exists(self, function_arn: str) -> bool:
        self.asked.set()
        return self.there

    async def invoke(self, name: str, payload: bytes, *, function_arn: str) -> Invocation:
        if not self.there:
            raise FunctionNotFound(function_arn)
        call = Called(function_arn, payload)
        self._calls.append(call)
        self._arrived.release()
        return await call.ended()

    async def next(self) -> Called:
        async with asyncio.timeout(20):
            await self._arrived.acquire()
        return self._calls.popleft()

    @property
    def waiting(self) -> int:
        return len(self._calls)


def unreachable() -> NeighbourUnavailable:
    return NeighbourUnavailable("it is not there")
