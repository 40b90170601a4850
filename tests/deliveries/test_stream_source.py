"""What becomes of a stream's records: order, positions, failures, filters, shards, streams that go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.aws.conftest import SettableClock
from treadle.deliveries.contract import Message
from treadle.deliveries.source import Assignment, SourceSettings
from treadle.deliveries.stream_batches import Surroundings
from treadle.deliveries.stream_source import StreamReader
from treadle.deliveries.table_stream import TableStream
from treadle.document import decode
from treadle.functions.contract import FunctionThrottled
from treadle.limits import Limits
from treadle.neighbours.event_patterns import compile_pattern

from .fake_queue import Called, FakeInvoker, unreachable
from .fake_stream import STREAMS, FakeShard, FakeStream

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay:live"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"


class Kept:
    """Implements `stream_source.Positions`."""

    def __init__(self) -> None:
        self.text: str | None = None

    async def get(self) -> str | None:
        return self.text

    async def put(self, text: str) -> None:
        self.text = text

    @property
    def shards(self) -> Any:
        return None if self.text is None else decode(self.text)["shards"]


class Work:
    """A reader at work."""

    def __init__(self, stream: FakeStream, kept: Kept, settings: dict[str, Any], limits: dict[str, Any]) -> None:
        self.stream = stream
        self.kept = kept
        self.functions = FakeInvoker()
        self.posted: list[tuple[str, Message]] = []
        self.taken: set[str] = set()
        self.clock = SettableClock()
        self.clock.time = stream.created * 1_000
        made = SourceSettings(**{"batch_size": 100, "starting_position": "TRIM_HORIZON", **settings})
        assignment = Assignment(FUNCTION, made, [compile_pattern(pattern) for pattern in made.filters])
        around = Surroundings(
            self.functions,
            self._post,
            self.clock,
            Limits(**{"event_source_idle_seconds": 0, "event_source_pause_seconds": 0, **limits}),
        )
        self.reader = StreamReader(
            lambda arn: TableStream(arn, stream.calls), stream.arn, assignment, kept, around, self.taken.__contains__
        )
        self.task = asyncio.create_task(self.reader.run())

    async def _post(self, target: str, message: Message) -> None:
        self.posted.append((target, message))

    async def next(self) -> Called:
        return await self.functions.next()

    async def until_after(self, *numbers: int, shard: str = "s1") -> None:
        """Until the position of the shard is behind these records."""
        await self.stream.until(lambda: (self.kept.shards or {}).get(shard, {}).get("after") == f"1{numbers[-1]:020}")

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


Begin = Callable[..., Work]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    begun: list[Work] = []

    def start(
        stream: FakeStream | None = None,
        kept: Kept | None = None,
        limits: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Work:
        begun.append(Work(stream or FakeStream(), kept or Kept(), settings, limits or {}))
        return begun[-1]

    yield start
    for work in begun:
        await work.close()


def stream_of(*names: str) -> FakeStream:
    stream = FakeStream()
    stream.put(*names)
    return stream


def names(call: Called) -> list[str]:
    return [record["dynamodb"]["Keys"]["Id"]["S"] for record in call.records]


async def test_an_event(begin: Begin) -> None:
    work = begin(stream_of("a"))
    call = await work.next()
    assert call.function_arn == FUNCTION
    assert call.records == [
        {
            "eventID": "a",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000,
                "Keys": {"Id": {"S": "a"}},
                "NewImage": {"Id": {"S": "a"}, "b": {"B": "AA=="}},
                "SequenceNumber": f"1{0:020}",
                "SizeBytes": 5,
                "StreamViewType": "NEW_IMAGE",
            },
            "eventSourceARN": work.stream.arn,
        }
    ]


async def test_batches_in_order_and_positions_behind_them(begin: Begin) -> None:
    work = begin(stream_of("a", "b", "c"), batch_size=2)
    first = await work.next()
    assert names(first) == ["a", "b"]
    assert work.kept.shards == {}
    first.answer()
    second = await work.next()
    assert names(second) == ["c"]
    assert work.kept.shards == {"s1": {"after": f"1{1:020}"}}
    second.answer()
    await work.until_after(2)


async def test_a_restart_goes_on_behind_what_was_dealt_with(begin: Begin) -> None:
    work = begin(stream_of("a", "b", "c"), batch_size=1)
    (await work.next()).answer()
    assert names(await work.next()) == ["b"]  # and the server dies
    await work.close()
    again = begin(work.stream, work.kept)
    assert names(await again.next()) == ["b", "c"]


async def test_latest(begin: Begin) -> None:
    stream = stream_of("a")
    stream.created += 1
    work = begin(stream, starting_position="LATEST")
    await work.reader.looked.wait()
    stream.put("b")
    assert names(await work.next()) == ["b"]  # and the server dies
    await work.close()
    again = begin(stream, work.kept, starting_position="LATEST")
    assert names(await again.next()) == ["b"]


async def test_a_batch_that_fails_holds_up_its_shard_only(begin: Begin) -> None:
    stream = stream_of("a")
    stream.shards["s2"] = FakeShard()
    work = begin(stream)
    call = await work.next()
    stream.put("b")
    stream.put("other", shard="s2")
    for _ in range(3):
        call.fail()
        call = await work.next()
        if names(call) == ["other"]:
            call.answer()
            call = await work.next()
        assert names(call) == ["a"]
    call.answer()
    assert names(await work.next()) == ["b"]


async def test_retries_and_what_is_told_of_what_is_given_up(begin: Begin) -> None:
    work = begin(stream_of("a", "b"), retries=1, on_failure=DEAD)
    for _ in range(2):
        (await work.next()).fail()
    await work.until_after(1)
    ((target, message),) = work.posted
    told = decode(message.body)
    assert target == DEAD
    assert told["requestContext"] == {
        "requestId": "r",
        "functionArn": FUNCTION,
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert told["version"] == "1.0"
    assert re.fullmatch(r"2023-11-14T22:13:20\.00\dZ", told["timestamp"])
    assert told["DDBStreamBatchInfo"] == {
        "shardId": "s1",
        "startSequenceNumber": f"1{0:020}",
        "endSequenceNumber": f"1{1:020}",
        "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20Z",
        "approximateArrivalOfLastRecord": "2023-11-14T22:13:20Z",
        "batchSize": 2,
        "streamArn": work.stream.arn,
    }


async def test_a_batch_cut_in_two_until_the_bad_record_is_found(begin: Begin) -> None:
    work = begin(stream_of("a", "bad", "c", "d"), retries=0, bisect=True, on_failure=DEAD)
    seen: list[list[str]] = []
    while not seen or seen[-1] != ["c", "d"]:
        call = await work.next()
        seen.append(names(call))
        call.fail() if "bad" in seen[-1] else call.answer()
    assert seen == [["a", "bad", "c", "d"], ["a", "bad"], ["a"], ["bad"], ["c", "d"]]
    assert decode(work.posted[0][1].body)["DDBStreamBatchInfo"]["startSequenceNumber"] == f"1{1:020}"
    await work.until_after(3)


async def test_the_function_says_where_to_go_on(begin: Begin) -> None:
    work = begin(stream_of("a", "b", "c"), report_failures=True, retries=0)
    call = await work.next()
    call.answer({"batchItemFailures": [{"itemIdentifier": f"1{at:020}"} for at in (2, 1)]})
    again = await work.next()
    assert names(again) == ["b", "c"]
    assert work.kept.shards == {"s1": {"after": f"1{0:020}"}}
    again.answer({"batchItemFailures": [{"itemIdentifier": "of another batch"}]})  # all of it: given up
    await work.until_after(2)
    assert work.posted == []


async def test_records_that_are_too_old(begin: Begin) -> None:
    work = begin(stream_of("a"), record_age_seconds=60, on_failure=DEAD)
    call = await work.next()
    work.stream.created += 61
    work.stream.put("b")
    work.clock.time += 61_000
    call.fail()
    assert names(await work.next()) == ["b"]
    assert decode(work.posted[0][1].body)["requestContext"]["condition"] == "RecordAgeExceeded"


async def test_filters(begin: Begin) -> None:
    pattern = '{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"Id": {"S": [{"prefix": "x"}]}}}}'
    work = begin(stream_of("a", "x1", "b"), filters=[pattern])
    call = await work.next()
    assert names(call) == ["x1"]
    call.answer()
    await work.until_after(2)
    work.stream.put("c")
    await work.until_after(3)


async def test_a_window(begin: Begin) -> None:
    work = begin(stream_of("a"), window_seconds=300, batch_size=3)
    await work.stream.until(lambda: len([each for each in work.stream.asked if each[0] == "GetRecords"]) > 2)
    work.stream.put("b", "c", "d")
    assert names(await work.next()) == ["a", "b", "c"]


async def test_an_event_is_never_too_large(begin: Begin) -> None:
    work = begin(stream_of("a", "b", "c"), limits={"function_request_bytes": 900})
    for expected in (["a", "b"], ["c"]):
        call = await work.next()
        assert names(call) == expected
        assert call.bytes <= 900
        call.answer()


async def test_what_fails_is_said(begin: Begin) -> None:
    work = begin(stream_of("a"))
    (await work.next()).fail()
    call = await work.next()
    assert work.reader.problem == "Function call failed"
    call.answer()
    await work.stream.until(lambda: work.reader.problem is None)


async def test_a_throttled_function_uses_up_no_retries(begin: Begin) -> None:
    work = begin(stream_of("a"), retries=0)
    for _ in range(3):
        (await work.next()).refuse(FunctionThrottled("no"))
    (await work.next()).answer()
    await work.until_after(0)


async def test_a_function_that_is_not_there(begin: Begin) -> None:
    work = begin(stream_of("a"))
    work.functions.there = False
    while work.reader.problem is None:
        work.functions.asked.clear()
        await asyncio.wait_for(work.functions.asked.wait(), 20)
    assert work.reader.problem == f"Function not found: {FUNCTION}"
    work.functions.there = True
    (await work.next()).answer()
    await work.until_after(0)
    assert work.reader.problem is None


async def test_stopped_while_a_batch_fails(begin: Begin) -> None:
    work = begin(stream_of("a"), limits={"event_source_pause_seconds": 300})
    call = await work.next()
    work.reader.stop()
    call.fail()
    await asyncio.wait_for(work.task, 20)
    assert work.kept.shards == {}


async def test_stopped_and_going_on_at_once(begin: Begin) -> None:
    work = begin(stream_of("a"))
    call = await work.next()
    work.reader.stop()
    work.reader.go_on()
    call.fail()
    assert names(await work.next()) == ["a"]


async def test_a_child_shard_follows_its_parent(begin: Begin) -> None:
    stream = stream_of("a")
    stream.shards["s2"] = FakeShard("s1")
    stream.put("b", shard="s2")
    stream.shards["s1"].closed = True
    work = begin(stream)
    first = await work.next()
    assert names(first) == ["a"]
    assert work.functions.waiting == 0
    first.answer()
    second = await work.next()
    assert names(second) == ["b"]
    assert work.kept.shards["s1"] == {"after": f"1{0:020}", "ended": True}
    del stream.shards["s1"]
    looks = stream.looks
    await stream.until(lambda: stream.looks > looks + 1)
    second.answer()
    await work.until_after(0, shard="s2")
    assert list(work.kept.shards) == ["s2"]


async def test_latest_leaves_out_shards_that_are_closed_and_reads_those_that_come(begin: Begin) -> None:
    stream = stream_of("a")
    stream.shards["s1"].closed = True
    work = begin(stream, starting_position="LATEST")
    await work.reader.looked.wait()
    stream.shards["s2"] = FakeShard("s1")
    stream.put("b", shard="s2")
    assert names(await work.next()) == ["b"]


async def test_iterators_expire_and_records_are_forgotten(begin: Begin) -> None:
    work = begin(stream_of("a"))
    (await work.next()).answer()
    await work.until_after(0)
    work.stream.expired = True
    work.stream.put("b")
    call = await work.next()
    assert names(call) == ["b"]
    await work.close()
    work.stream.put("c", "d")
    work.stream.shards["s1"].trimmed = 3
    again = begin(work.stream, work.kept)
    assert names(await again.next()) == ["d"]


@pytest.mark.parametrize("operation", ["DescribeStream", "GetRecords"])
async def test_a_service_that_does_not_answer(begin: Begin, operation: str) -> None:
    stream = stream_of("a")
    stream.trouble[operation] = unreachable()
    work = begin(stream)
    await stream.until(lambda: work.reader.problem is not None)
    stream.trouble.clear()
    (await work.next()).answer()
    await stream.until(lambda: work.reader.problem is None)


async def test_an_answer_that_makes_no_sense(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    stream = stream_of("a")
    del stream.shards["s1"].records[0]["eventName"]
    work = begin(stream)
    await stream.until(lambda: work.reader.problem is not None)
    assert work.reader.problem == "Treadle has a bug: KeyError('eventName')"
    assert "shard s1 could not be read" in caplog.text
    stream.shards["s1"].records[0]["eventName"] = "INSERT"
    assert names(await work.next()) == ["a"]


async def test_a_stream_that_is_gone_and_its_successor(begin: Begin) -> None:
    work = begin(stream_of("a"))
    (await work.next()).answer()
    await work.until_after(0)
    work.stream.exists = False
    await work.stream.until(lambda: work.reader.problem is not None)
    assert work.reader.problem == f"Stream not found: {STREAMS}2026-01-01T00:00:00.000"
    work.stream.anew("2026-02-02T00:00:00.000")
    work.stream.put("b")
    work.stream.exists = True
    call = await work.next()
    assert names(call) == ["b"]
    assert call.records[0]["eventSourceARN"] == work.stream.arn
    call.answer()
    await work.until_after(0)
    await work.close()
    again = begin(work.stream, work.kept)
    work.stream.put("c")
    assert names(await again.next()) == ["c"]


async def test_a_successor_with_a_mapping_of_its_own_is_left_alone(begin: Begin) -> None:
    work = begin(stream_of("a"))
    (await work.next()).answer()
    await work.until_after(0)
    work.stream.anew("2026-02-02T00:00:00.000")
    work.stream.put("b")
    call = await work.next()
    work.taken.add(work.stream.arn)
    work.stream.put("c")
    call.answer()
    await work.stream.until(lambda: work.reader.problem is not None)
    assert work.functions.waiting == 0
