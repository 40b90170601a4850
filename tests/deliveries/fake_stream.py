"""The streams of one table behind the wire: shards whose records tests write, close and trim."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.tasks.fake_neighbour import HOST, Reply
from treadle.document import decode, encode
from treadle.limits import Limits
from treadle.neighbours.contract import Incoming, Outgoing
from treadle.neighbours.directory import Neighbours
from treadle.tasks.service_calls import ServiceCalls

from .fake_queue import ACCOUNT, REGION

STREAMS = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/"


class FakeShard:
    def __init__(self, parent: str | None = None) -> None:
        self.parent = parent
        self.records: list[dict[str, Any]] = []
        self.trimmed = 0
        """How many of the records are forgotten."""
        self.closed = False


class FakeStream:
    """Implements `neighbours.contract.Neighbour`."""

    def __init__(self, label: str = "2026-01-01T00:00:00.000") -> None:
        self.arn = STREAMS + label
        self.exists = True
        self.shards = {"s1": FakeShard()}
        self.trouble: dict[str, Exception] = {}
        """What operations fail with."""
        self.expired = False
        """Whether the next iterator that is used was not used for too long."""
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.created = 1_700_000_000
        """The second in which records are written."""
        self._change = asyncio.Condition()

    @property
    def calls(self) -> ServiceCalls:
        limits = Limits()
        return ServiceCalls(Neighbours(self, {}, limits), limits, HOST)

    # -- what tests do and see -----------------------------------------------------------------------------

    def put(self, *names: str, shard: str = "s1") -> None:
        for name in names:
            records = self.shards[shard].records
            change = {
                "ApproximateCreationDateTime": self.created,
                "Keys": {"Id": {"S": name}},
                "NewImage": {"Id": {"S": name}, "b": {"B": "AA=="}},
                "SequenceNumber": f"1{len(records):020}",
                "SizeBytes": 5,
                "StreamViewType": "NEW_IMAGE",
            }
            records.append({"eventID": name, "eventName": "INSERT", "eventVersion": "1.1", "dynamodb": change})

    def anew(self, label: str) -> None:
        """The table is made again, with another stream."""
        self.arn = STREAMS + label
        self.shards = {"s1": FakeShard()}

    @property
    def looks(self) -> int:
        """How often somebody asked which shards there are."""
        return sum(operation == "DescribeStream" for operation, _ in self.asked)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Looked at after each request."""
        async with asyncio.timeout(20), self._change:
            await self._change.wait_for(condition)

    # -- the wire ------------------------------------------------------------------------------------------

    async def send(self, request: Outgoing) -> Incoming:
        headers = {name.decode().lower(): value.decode() for name, value in request.headers}
        operation = headers["x-amz-target"].partition(".")[2]
        assert isinstance(request.body, bytes)
        members = decode(request.body)
        self.asked.append((operation, members))
        async with self._change:
            self._change.notify_all()
        if operation in self.trouble:
            raise self.trouble[operation]
        arn = members.get("StreamArn") or members.get("ShardIterator", self.arn).partition("|")[0]
        if arn != self.arn or not self.exists:
            if operation == "ListStreams":
                return _reply({"Streams": []})
            return _error("ResourceNotFoundException")
        if operation == "GetRecords" and self.expired:
            self.expired = False
            return _error("ExpiredIteratorException")
        answer: Reply = getattr(self, f"_{operation}")(members)
        return answer

    @property
    def is_running(self) -> bool:
        return True

    async def close(self) -> None: ...

    def _ListStreams(self, members: dict[str, Any]) -> Reply:  # noqa: N802 - DynamoDB's name
        assert members["TableName"] == "orders"
        return _reply({"Streams": [{"StreamArn": self.arn}]})

    def _DescribeStream(self, members: dict[str, Any]) -> Reply:  # noqa: N802
        """One shard at a time."""
        names = list(self.shards)
        start = members.get("ExclusiveStartShardId")
        at = 0 if start is None else names.index(start) + 1
        shard = self.shards[names[at]]
        numbers = {"StartingSequenceNumber": "1"} | ({"EndingSequenceNumber": "2"} if shard.closed else {})
        told: dict[str, Any] = {"ShardId": names[at], "SequenceNumberRange": numbers}
        if shard.parent is not None:
            told["ParentShardId"] = shard.parent
        more = {"LastEvaluatedShardId": names[at]} if at + 1 < len(names) else {}
        return _reply({"StreamDescription": {"StreamArn": self.arn, "Shards": [told], **more}})

    def _GetShardIterator(self, members: dict[str, Any]) -> Reply:  # noqa: N802
        shard = self.shards[members["ShardId"]]
        match members["ShardIteratorType"]:
            case "TRIM_HORIZON":
                at = shard.trimmed
            case "LATEST":
                at = len(shard.records)
            case "AFTER_SEQUENCE_NUMBER":
                at = int(members["SequenceNumber"][1:]) + 1
                if at < shard.trimmed:
                    return _error("TrimmedDataAccessException")
        return _reply({"ShardIterator": f"{self.arn}|{members['ShardId']}|{at}"})

    def _GetRecords(self, members: dict[str, Any]) -> Reply:  # noqa: N802
        _, name, at = members["ShardIterator"].split("|")
        shard, start = self.shards[name], int(at)
        records = shard.records[start : start + members["Limit"]]
        told: dict[str, Any] = {"Records": records}
        if not shard.closed or start + len(records) < len(shard.records):
            told["NextShardIterator"] = f"{self.arn}|{name}|{start + len(records)}"
        return _reply(told)


def _reply(answer: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, encode(answer).encode(), {"content-type": "application/x-amz-json-1.0"})


def _error(code: str) -> Reply:
    return _reply({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}, 400)
