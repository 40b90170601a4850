"""The calls of one stream of DynamoDB, and what a function gets of its records.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html. Whoever reads a stream sees shards, positions and records,
and knows of DynamoDB no more than that.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from msgspec import Struct

from treadle.deliveries.source import SourceTrouble
from treadle.deliveries.targets import Arn
from treadle.document import encode
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

RECORDS_AT_ONCE = 1_000
"""The most that GetRecords gives."""
_MISSING = "ResourceNotFoundException"
_TRIMMED = "TrimmedDataAccessException"
_EXPIRED = "ExpiredIteratorException"


class StreamGone(SourceTrouble):
    """There is no such stream. The message says which."""


class IteratorExpired(Exception):
    """It was not used for too long: another one is to be asked for."""


class Position(Struct, frozen=True, omit_defaults=True):
    """Up to where the records of a shard have been dealt with. By default: none of them."""

    after: str = ""
    """The sequence number of the last one that was."""
    since: int = 0
    """Records older than this are not wanted (milliseconds since the epoch)."""
    ended: bool = False
    """There will be no more."""


class Shard(Struct, frozen=True):
    id: str
    parent: str | None
    """The shard whose records come before its own."""
    closed: bool


class StreamRecord(Struct, frozen=True):
    sequence: str
    created: int
    """Milliseconds since the epoch, in whole seconds."""
    form: dict[str, Any]
    """As a record of an event."""
    text: str
    """The same as JSON."""


class Page(Struct, frozen=True):
    records: Sequence[StreamRecord]
    next: str | None
    """The iterator of what follows; None: the shard ends here."""


class TableStream:
    """All methods raise what `Troubles` lists, and StreamGone."""

    def __init__(self, arn: str, services: ServiceCalls) -> None:
        read = Arn.read(arn)
        assert read is not None, arn
        self.arn = read
        self._services = services

    async def shards(self) -> list[Shard]:
        found: list[Shard] = []
        members: dict[str, Any] = {"StreamArn": self.arn.text}
        while True:
            told = (await self._call("DescribeStream", **members))["StreamDescription"]
            for shard in told.get("Shards", ()):
                closed = "EndingSequenceNumber" in shard.get("SequenceNumberRange", {})
                found.append(Shard(shard["ShardId"], shard.get("ParentShardId"), closed))
            if "LastEvaluatedShardId" not in told:
                return found
            members["ExclusiveStartShardId"] = told["LastEvaluatedShardId"]

    async def successor(self) -> str | None:
        """The ARN of the stream that the table has now, if that is another one."""
        listed = await self._call("ListStreams", TableName=self.arn.resource.split("/")[1])
        arns = [str(each["StreamArn"]) for each in listed.get("Streams", ())]
        newest = max(arns, default=None)  # the label is the moment
        return None if newest is None or newest <= self.arn.text else newest

    async def iterator(self, shard: str, position: Position) -> str:
        """Of what follows the position; of all that there still is, if the stream has forgotten what stood there."""
        if position.after:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": position.after}
            try:
                return await self._iterator(shard, where)
            except ServiceFault as fault:
                if fault.code != _TRIMMED:
                    raise
        return await self._iterator(shard, {"ShardIteratorType": "TRIM_HORIZON"})

    async def latest(self, shard: str) -> str:
        """The iterator of what is written from now on."""
        return await self._iterator(shard, {"ShardIteratorType": "LATEST"})

    async def read(self, iterator: str, limit: int) -> Page:
        """At most `limit` records. Raises IteratorExpired, too."""
        try:
            told = await self._call("GetRecords", ShardIterator=iterator, Limit=min(limit, RECORDS_AT_ONCE))
        except ServiceFault as fault:
            if fault.code in (_EXPIRED, _TRIMMED):
                raise IteratorExpired(str(fault)) from fault
            raise
        return Page([self._record(record) for record in told.get("Records", ())], told.get("NextShardIterator"))

    async def _iterator(self, shard: str, where: dict[str, str]) -> str:
        told = await self._call("GetShardIterator", StreamArn=self.arn.text, ShardId=shard, **where)
        if "ShardIterator" not in told:
            raise NeighbourUnavailable("the service of streams gives no iterator")
        return str(told["ShardIterator"])

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        try:
            answered = await self._services.call(
                load("dynamodbstreams").operation_model(operation),
                members,
                account=self.arn.account,
                region=self.arn.region,
                token=str(uuid4()),
            )
        except ServiceFault as fault:
            if fault.code == _MISSING:
                raise StreamGone(f"Stream not found: {self.arn.text}") from fault
            raise
        return answered.members

    def _record(self, told: dict[str, Any]) -> StreamRecord:
        change = dict(told["dynamodb"])
        created = _seconds(change.get("ApproximateCreationDateTime"))
        for image in ("Keys", "NewImage", "OldImage"):
            if image in change:
                change[image] = _plain_image(change[image])
        form = {
            "eventID": told["eventID"],
            "eventName": told["eventName"],
            "eventVersion": told.get("eventVersion", "1.1"),
            "eventSource": "aws:dynamodb",
            "awsRegion": self.arn.region,
            "dynamodb": {**change, "ApproximateCreationDateTime": created},
            **({"userIdentity": _lower(told["userIdentity"])} if "userIdentity" in told else {}),
            "eventSourceARN": self.arn.text,
        }
        return StreamRecord(change["SequenceNumber"], created * 1_000, form, encode(form))


def _seconds(moment: Any) -> int:
    return int(moment.timestamp()) if isinstance(moment, datetime) else int(moment or 0)


def _lower(identity: dict[str, Any]) -> dict[str, Any]:
    """What a deletion by time to live has; its members are in lower case on Lambda."""
    return {name[:1].lower() + name[1:]: value for name, value in identity.items()}


def _plain_image(image: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in image.items()}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """An attribute as JSON has it: bytes in base64."""
    ((kind, told),) = value.items()
    match kind:
        case "B":
            told = _text(told)
        case "BS":
            told = [_text(each) for each in told]
        case "L":
            told = [_plain(each) for each in told]
        case "M":
            told = _plain_image(told)
    return {kind: told}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
