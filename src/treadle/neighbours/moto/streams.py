"""The streams of tables in moto, as DynamoDB has them.

moto's own keep one shard for a table, whatever stream is asked for. They end a request with status 500 if it names a
shard or position that is not there, keep all iterators for ever, and make writes fail when a stream has been disabled.

A stream has one shard. It stays readable when it is disabled or its table deleted; its records are kept for a day.

    a write ─▶ moto changes the table, and notes each change ─▶ the changes of the whole operation are records

An operation notes an item more than once: UpdateItem of an item that is new puts it first and changes it then. So what
is recorded is an item before and after the operation, and nothing if that is the same, or if the operation failed.
Operations that write take turns: the order of records is that of changes.

From the DynamoDB developer guide, "Change data capture for DynamoDB Streams", and the reference of DynamoDB Streams.
The size of items is that of "DynamoDB item sizes and formats"; the examples of stream records in the Lambda developer
guide have the same.
"""

from __future__ import annotations

import functools
import json
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from msgspec import Struct

_KEPT_SECONDS = 24 * 3_600
_RECORDS_AT_ONCE = 1_000
_BYTES_AT_ONCE = 1_048_576
_SEQUENCE_FROM = 10**12
"""Room for the records of one stream, behind the second in which it was made."""
_WRITES = ("put_item", "update_item", "delete_item", "transact_write_items", "execute_statement", "execute_transaction")

_writing = threading.RLock()
_noted = threading.local()
"""`changes`: of the operation that this thread carries out; None between operations."""
_streams: dict[str, Shard] = {}
"""By the stream's ARN, the oldest first."""


class Change(Struct):
    """Of an item. Images in DynamoDB's form; None: it was not there, or is not there any more."""

    shard: Shard
    keys: dict[str, Any]
    old: dict[str, Any] | None
    new: dict[str, Any] | None


class Shard:
    """The shard of a stream, which is also all that is known of the stream. In place of moto's StreamShard."""

    def __init__(self, account_id: str, table: Any) -> None:
        self.created_on = datetime.now(UTC).replace(tzinfo=None)
        self.table = table
        self.view = table.stream_specification.get("StreamViewType")
        self.label = table.latest_stream_label
        self.arn = f"{table.table_arn}/stream/{self.label}"
        self.id = f"shardId-{time.time_ns() // 1_000_000:020}-{secrets.token_hex(4)}"
        self.starting_sequence_number = int(time.time()) * _SEQUENCE_FROM
        self._closed: float | None = None
        self.records: deque[dict[str, Any]] = deque()
        self.first = self.starting_sequence_number
        """The sequence number of the oldest record that is kept, or of the next one if there is none."""
        for arn in [arn for arn, each in _streams.items() if each.is_over()]:
            del _streams[arn]
        _streams[self.arn] = self

    def __deepcopy__(self, memo: dict[int, Any]) -> Shard:
        """moto copies tables, to undo transactions: there is still one stream."""
        return self

    @property
    def next(self) -> int:
        return self.first + len(self.records)

    @property
    def closed(self) -> bool:
        return self._closed is not None

    def close(self) -> None:
        self._closed = time.time()

    def is_over(self) -> bool:
        """Whether it is as if there had never been one."""
        return self._closed is not None and self._closed < time.time() - _KEPT_SECONDS

    def to_json(self) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": str(self.starting_sequence_number)}
        if self.closed:
            numbers["EndingSequenceNumber"] = str(self.next - 1)
        return {"ShardId": self.id, "SequenceNumberRange": numbers}

    def describe(self) -> dict[str, Any]:
        return {
            "StreamArn": self.arn,
            "StreamLabel": self.label,
            "StreamStatus": "DISABLED" if self.closed else "ENABLED",
            "StreamViewType": self.view,
            "CreationRequestDateTime": self.created_on,
            "TableName": self.table.name,
            "KeySchema": self.table.schema,
        }

    def add(self, old: Any, new: Any) -> None:
        """An item was changed: moto's notice, in the middle of an operation."""
        there = old if new is None else new
        names = [self.table.hash_key_attr, self.table.range_key_attr]
        keys = {name: there.attrs[name].to_regular_json() for name in names if name is not None}
        _noted.changes.append(Change(self, keys, _image(old), _image(new)))

    def record(self, change: Change) -> None:
        told: dict[str, Any] = {
            # "Rounded down to the closest second" (reference of DynamoDB Streams).
            "ApproximateCreationDateTime": datetime.now(UTC).replace(microsecond=0, tzinfo=None),
            "Keys": change.keys,
            "SequenceNumber": str(self.next),
            "StreamViewType": self.view,
        }
        if change.new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            told["NewImage"] = change.new
        if change.old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            told["OldImage"] = change.old
        told["SizeBytes"] = sum(_size(told.get(part, {})) for part in ("Keys", "NewImage", "OldImage"))
        self.records.append(
            {
                "eventID": secrets.token_hex(16),
                "eventName": "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": self.table.region_name,
                "dynamodb": told,
            }
        )

    def trim(self) -> None:
        oldest = datetime.fromtimestamp(time.time() - _KEPT_SECONDS, UTC).replace(tzinfo=None)
        while self.records and self.records[0]["dynamodb"]["ApproximateCreationDateTime"] < oldest:
            self.records.popleft()
            self.first += 1


def correct() -> None:
    table: Any = import_module("moto.dynamodb.models.table")
    models: Any = import_module("moto.dynamodb.models")
    streams: Any = import_module("moto.dynamodbstreams.responses")
    table.StreamShard = Shard
    table.Table.set_stream_specification = _set_stream_specification
    backend = models.DynamoDBBackend
    for name in _WRITES:
        setattr(backend, name, _as_one(getattr(backend, name)))
    backend.update_table_streams = _update_table_streams
    backend.delete_table = _closing(backend.delete_table)
    handler = streams.DynamoDBStreamsHandler
    for answer in (describe_stream, list_streams, get_shard_iterator, get_records):
        setattr(handler, answer.__name__, _answering(answer))


# -- what tables do ------------------------------------------------------------------------------------------


def _set_stream_specification(table: Any, wanted: dict[str, Any] | None) -> None:
    """In place of moto's method. Of a stream that is disabled a table goes on to say which one it was."""
    if wanted and (wanted.get("StreamEnabled") or wanted.get("StreamViewType")):
        moment = datetime.now(UTC)
        table.stream_specification = {**wanted, "StreamEnabled": True}
        table.latest_stream_label = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}"
        table.stream_shard = Shard(table.account_id, table)
        return
    if table.stream_shard is not None:
        table.stream_shard.close()
    table.stream_specification, table.stream_shard = {"StreamEnabled": False}, None


def _update_table_streams(backend: Any, table: Any, wanted: dict[str, Any]) -> None:
    """In place of moto's method, for which a table that once had a stream has one."""
    enabled = table.stream_specification["StreamEnabled"]
    if enabled and wanted.get("StreamEnabled"):
        raise _invalid(f"Table already has an enabled stream: TableName: {table.name}")
    if not enabled and not wanted.get("StreamEnabled"):
        raise _invalid(f"Table is not enabled for streams: TableName: {table.name}")
    with _writing:
        table.set_stream_specification(wanted)


def _closing(delete: Callable[..., Any]) -> Callable[..., Any]:
    """The stream of a table outlives it."""

    @functools.wraps(delete)
    def deleted(backend: Any, name: str) -> Any:
        with _writing:
            table = delete(backend, name)
            if table.stream_shard is not None:
                table.stream_shard.close()
            return table

    return deleted


def _as_one(write: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that changes items."""

    @functools.wraps(write)
    def operation(*arguments: Any, **named: Any) -> Any:
        with _writing:
            if getattr(_noted, "changes", None) is not None:  # a part of another one
                return write(*arguments, **named)
            _noted.changes = []
            try:
                result = write(*arguments, **named)
                for change in _together(_noted.changes):
                    change.shard.trim()
                    change.shard.record(change)
                return result
            finally:
                _noted.changes = None

    return operation


def _together(changes: list[Change]) -> list[Change]:
    """One for each item that is another one now."""
    by_item: dict[str, Change] = {}
    for change in changes:
        item = f"{change.shard.arn} {sorted(change.keys.items())}"
        first = by_item.setdefault(item, change)
        first.new = change.new
    return [change for change in by_item.values() if change.old != change.new]


def _image(item: Any) -> dict[str, Any] | None:
    return None if item is None else {name: value.to_regular_json() for name, value in item.attrs.items()}


def _size(image: dict[str, Any]) -> int:
    return sum(len(name.encode()) + _size_of(value) for name, value in image.items())


def _size_of(value: dict[str, Any]) -> int:
    ((kind, told),) = value.items()
    match kind:
        case "S":
            return len(told.encode())
        case "B":
            return len(told)
        case "N":
            digits = str(told).lower().partition("e")[0].replace(".", "").lstrip("-").strip("0")
            return (len(digits) + 1) // 2 + 1 + str(told).startswith("-")
        case "SS" | "NS" | "BS":
            return sum(_size_of({kind[0]: each}) for each in told)
        case "L":
            return 3 + sum(1 + _size_of(each) for each in told)
        case "M":
            return 3 + len(told) + _size(told)
    return 1


# -- what streams answer -------------------------------------------------------------------------------------


def _answering(operation: Callable[[Any], dict[str, Any]]) -> Callable[[Any], Any]:
    """As a method of moto's class of answers, which goes by the names of functions."""

    @functools.wraps(operation)
    def method(handler: Any) -> Any:
        result: Any = import_module("moto.core.responses").ActionResult
        with _writing:
            return result(operation(handler))

    return method


def describe_stream(handler: Any) -> dict[str, Any]:
    shard = _stream(handler, handler._get_param("StreamArn"))
    shown = handler._get_param("ExclusiveStartShardId") != shard.id
    return {"StreamDescription": {**shard.describe(), "Shards": [shard.to_json()] if shown else []}}


def list_streams(handler: Any) -> dict[str, Any]:
    table, limit = handler._get_param("TableName"), handler._get_param("Limit") or 100
    last = handler._get_param("ExclusiveStartStreamArn")
    place = f":dynamodb:{handler.region}:{handler.current_account}:table/"
    mine = [each for each in _streams.values() if place in each.arn and table in (None, each.table.name)]
    if last is not None:
        arns = [each.arn for each in mine]
        mine = mine[arns.index(last) + 1 :] if last in arns else []
    told: dict[str, Any] = {
        "Streams": [
            {"StreamArn": each.arn, "TableName": each.table.name, "StreamLabel": each.label} for each in mine[:limit]
        ]
    }
    if len(mine) > limit:
        told["LastEvaluatedStreamArn"] = mine[limit - 1].arn
    return told


def get_shard_iterator(handler: Any) -> dict[str, Any]:
    arn, kind = handler._get_param("StreamArn"), handler._get_param("ShardIteratorType")
    shard = _stream(handler, arn)
    if handler._get_param("ShardId") != shard.id:
        raise _missing(f"Shard: {handler._get_param('ShardId')} in Stream: {arn} not found")
    shard.trim()
    given = handler._get_param("SequenceNumber")
    if kind == "TRIM_HORIZON":
        position = shard.first
    elif kind == "LATEST":
        position = shard.next
    elif given is None or not str(given).isdigit():
        raise _invalid(f"SequenceNumber is required for the ShardIteratorType {kind}")
    else:
        position = int(given) + (kind == "AFTER_SEQUENCE_NUMBER")
        if position < shard.first:
            raise _fault(
                "TrimmedDataAccessException",
                f"The operation attempted to read past the oldest stream record in the shard {shard.id}.",
            )
        if position > shard.next:
            raise _invalid(f"Invalid SequenceNumber: {given} is not in the shard {shard.id}.")
    return {"ShardIterator": _iterator(shard, position)}


def get_records(handler: Any) -> dict[str, Any]:
    shard, position = _read_iterator(handler, handler._get_param("ShardIterator"))
    limit = min(handler._get_param("Limit") or _RECORDS_AT_ONCE, _RECORDS_AT_ONCE)
    shard.trim()
    start = max(position - shard.first, 0)
    records: list[dict[str, Any]] = []
    size = 0
    for at in range(start, min(start + limit, len(shard.records))):
        size += shard.records[at]["dynamodb"]["SizeBytes"]
        if records and size > _BYTES_AT_ONCE:
            break
        records.append(shard.records[at])
    after = shard.first + start + len(records)
    told: dict[str, Any] = {"Records": records}
    if not (shard.closed and after >= shard.next):
        told["NextShardIterator"] = _iterator(shard, after)
    return told


def _iterator(shard: Shard, position: int) -> str:
    """All of it is in its text: there is nothing to keep, however long somebody polls."""
    return f"{shard.arn}|1|{b64encode(json.dumps([shard.id, position]).encode()).decode()}"


def _read_iterator(handler: Any, text: str) -> tuple[Shard, int]:
    try:
        arn, _, token = text.split("|")
        id, position = json.loads(b64decode(token, validate=True))
    except (ValueError, TypeError):
        raise _invalid("Invalid ShardIterator") from None
    shard = _stream(handler, arn)
    if shard.id != id or not isinstance(position, int):
        raise _invalid("Invalid ShardIterator")
    return shard, position


def _stream(handler: Any, arn: str) -> Shard:
    shard = _streams.get(arn)
    if shard is None or f":{handler.region}:{handler.current_account}:" not in arn:
        raise _missing(f"Stream: {arn} not found")
    return shard


def _missing(what: str) -> Exception:
    return _fault("ResourceNotFoundException", f"Requested resource not found: {what}")


def _invalid(text: str) -> Exception:
    error: Exception = import_module("moto.dynamodb.exceptions").MockValidationException(text)
    return error


def _fault(code: str, text: str) -> Exception:
    kind: Any = import_module("moto.core.exceptions").JsonRESTError
    error: Exception = kind(f"com.amazonaws.dynamodb.v20120810#{code}", text)
    return error
