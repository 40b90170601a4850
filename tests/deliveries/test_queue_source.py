"""What becomes of a queue's messages: batches, order, failures, filters, pauses, ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from treadle.deliveries.queue_events import compile_filter
from treadle.deliveries.queue_source import Queue, QueueReader
from treadle.deliveries.source import Assignment, SourceSettings
from treadle.functions.contract import FunctionThrottled
from treadle.limits import Limits

from .fake_queue import FakeInvoker, FakeQueue, unreachable

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:pay:live"


class Work:
    """A reader at work."""

    def __init__(self, queue: FakeQueue, settings: dict[str, Any], limits: dict[str, Any]) -> None:
        self.queue = queue
        self.functions = FakeInvoker()
        made = SourceSettings(**settings)
        assignment = Assignment(FUNCTION, made, [compile_filter(pattern) for pattern in made.filters])
        self.limits = Limits(**{"event_source_idle_seconds": 0, "event_source_pause_seconds": 0, **limits})
        self.reader = QueueReader(Queue(queue.arn, queue.calls), assignment, self.functions, self.limits)
        self.task = asyncio.create_task(self.reader.run())

    async def trouble(self) -> str:
        """What is in the way, as soon as something is."""
        while self.reader.problem is None:
            self.functions.asked.clear()
            await asyncio.wait_for(self.functions.asked.wait(), 20)
        return self.reader.problem

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


Begin = Callable[..., Work]


@pytest.fixture
async def begin() -> AsyncIterator[Begin]:
    begun: list[Work] = []

    def start(queue: FakeQueue | None = None, limits: dict[str, Any] | None = None, **settings: Any) -> Work:
        begun.append(Work(queue or FakeQueue(), settings, limits or {}))
        return begun[-1]

    yield start
    for work in begun:
        await work.close()


async def test_a_batch_is_deleted_when_the_function_has_succeeded(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one", kind={"StringValue": "a", "DataType": "String"})
    call = await work.functions.next()
    assert call.function_arn == FUNCTION
    (record,) = call.records
    message_id, receipt = record.pop("messageId"), record.pop("receiptHandle")
    assert message_id != receipt
    assert record == {
        "body": "one",
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {
            "kind": {"stringValue": "a", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        },
        "md5OfBody": "f97c5d29941bfb1b2fdab0874906ab82",
        "eventSource": "aws:sqs",
        "eventSourceARN": work.queue.arn,
        "awsRegion": "eu-west-1",
    }
    assert work.queue.left == ["one"]
    call.answer()
    await work.queue.until(lambda: not work.queue.left)


async def test_what_fails_comes_again(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    (await work.functions.next()).fail()
    await work.queue.put("two")
    (await work.functions.next()).answer()
    await work.queue.until(lambda: work.queue.left == ["one"])
    assert work.queue.visible == []
    await work.queue.expire()
    call = await work.functions.next()
    assert [record["attributes"]["ApproximateReceiveCount"] for record in call.records] == ["2"]
    call.answer()
    await work.queue.until(lambda: not work.queue.left)


async def test_partial_failures(begin: Begin) -> None:
    queue = FakeQueue()
    await queue.put("one", "two", "three")
    work = begin(queue, report_failures=True)
    call = await work.functions.next()
    call.answer({"batchItemFailures": [{"itemIdentifier": call.records[1]["messageId"]}]})
    await queue.until(lambda: queue.left == ["two"])
    await queue.expire()
    assert (await work.functions.next()).bodies == ["two"]


async def test_without_reports_an_answer_says_nothing(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    call = await work.functions.next()
    call.answer({"batchItemFailures": [{"itemIdentifier": call.records[0]["messageId"]}]})
    await work.queue.until(lambda: not work.queue.left)


async def test_the_order_of_message_groups(begin: Begin) -> None:
    queue = FakeQueue("orders.fifo")
    for number in range(10):
        await queue.put(f"{number}", group="ab"[number % 2])
    work = begin(queue, batch_size=1)
    seen: dict[str, list[str]] = {"a": [], "b": []}
    first, second = await work.functions.next(), await work.functions.next()
    assert [first.bodies, second.bodies] == [["0"], ["1"]]
    for call in (second, first):
        call.answer()
        seen["ab"[int(call.bodies[0]) % 2]] += call.bodies
    for _ in range(8):
        call = await work.functions.next()
        assert work.functions.waiting <= 1
        seen["ab"[int(call.bodies[0]) % 2]] += call.bodies
        call.answer()
    assert seen == {"a": ["0", "2", "4", "6", "8"], "b": ["1", "3", "5", "7", "9"]}
    await queue.until(lambda: not queue.left)


async def test_a_group_waits_for_its_failed_message(begin: Begin) -> None:
    queue = FakeQueue("orders.fifo")
    await queue.put("one", "two", group="a")
    work = begin(queue, batch_size=1)
    (await work.functions.next()).fail()
    await queue.put("other", group="b")
    call = await work.functions.next()
    assert call.bodies == ["other"]
    call.answer()
    await queue.until(lambda: queue.left == ["one", "two"])
    await queue.expire()
    for body in ("one", "two"):
        call = await work.functions.next()
        assert call.bodies == [body]
        call.answer()


async def test_a_group_of_which_a_batch_is_under_way_is_left_alone(begin: Begin) -> None:
    """The visibility time-out passes while the function works."""
    queue = FakeQueue("orders.fifo")
    await queue.put("one", "two", group="a")
    work = begin(queue, batch_size=1)
    first = await work.functions.next()
    await queue.expire()
    await queue.until(lambda: queue.visible == [] or queue.visible == ["two"])
    await queue.put("other", group="b")
    other = await work.functions.next()
    assert other.bodies == ["other"]
    other.answer()
    await queue.until(lambda: "other" not in queue.left)
    assert work.functions.waiting == 0
    first.answer()


class SlowToAnswer(FakeQueue):
    """Messages are deleted some time before it says so."""

    answers: asyncio.Event

    async def _DeleteMessageBatch(self, members: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - SQS's name
        answer = await super()._DeleteMessageBatch(members)
        await self.wake()
        await self.answers.wait()
        return answer


async def test_the_next_of_a_group_may_come_before_its_queue_says_that_the_last_is_deleted(begin: Begin) -> None:
    queue = SlowToAnswer("orders.fifo")
    queue.answers = asyncio.Event()
    await queue.put("one", "two", group="a")
    work = begin(queue, batch_size=1)
    (await work.functions.next()).answer()
    call = await work.functions.next()
    assert (call.bodies, queue.left) == (["two"], ["two"])
    queue.answers.set()
    call.answer()
    await queue.until(lambda: not queue.left)


async def test_a_group_goes_on_when_no_filter_wants_its_first(begin: Begin) -> None:
    queue = FakeQueue("orders.fifo")
    await queue.put("{}", group="a")
    await queue.put('{"n": 1}', group="b")
    work = begin(queue, filters=('{"body": {"n": [1, 2]}}',))
    first = await work.functions.next()
    await queue.put('{"n": 2}', group="a")
    second = await work.functions.next()
    assert (first.bodies, second.bodies) == (['{"n": 1}'], ['{"n": 2}'])
    first.answer()
    second.answer()
    await queue.until(lambda: not queue.left)


async def test_a_batch_is_cut_where_an_event_would_be_too_large(begin: Begin) -> None:
    queue = FakeQueue()
    await queue.put("a" * 3_000, "b" * 3_000, "c" * 3_000)
    work = begin(queue, {"function_request_bytes": 8_000})
    first = await work.functions.next()
    assert [body[0] for body in first.bodies] == ["a", "b"]
    assert first.bytes <= 8_000
    first.answer()
    second = await work.functions.next()
    assert [body[0] for body in second.bodies] == ["c"]
    second.answer()
    await queue.until(lambda: not queue.left)


async def test_what_is_cut_off_does_not_overtake_what_failed(begin: Begin) -> None:
    queue = FakeQueue("orders.fifo")
    await queue.put("a" * 3_000, "b" * 3_000, group="x")
    await queue.put("c" * 3_000, group="y")
    work = begin(queue, {"function_request_bytes": 4_000})
    (await work.functions.next()).fail()
    call = await work.functions.next()
    assert [body[0] for body in call.bodies] == ["c"]
    call.answer()
    await queue.until(lambda: [body[0] for body in queue.left] == ["a", "b"])


async def test_filters(begin: Begin) -> None:
    queue = FakeQueue()
    await queue.put('{"kind": "a"}', '{"kind": "b"}', "no JSON", '["a"]', '{"kind": "c", "n": 1}')
    work = begin(queue, filters=['{"body": {"kind": ["a"]}}', '{"body": {"n": [{"numeric": [">", 0]}]}}'])
    call = await work.functions.next()
    assert call.bodies == ['{"kind": "a"}', '{"kind": "c", "n": 1}']
    assert queue.left == call.bodies
    call.answer()
    await queue.until(lambda: not queue.left)


async def test_a_batch_that_no_filter_wants(begin: Begin) -> None:
    queue = FakeQueue()
    work = begin(queue, filters=['{"body": {"kind": ["a"]}}'])
    await queue.put("one")
    await queue.until(lambda: not queue.left)
    assert work.functions.waiting == 0


async def test_a_window_collects_a_batch(begin: Begin) -> None:
    """It ends when the batch is full, long before the window does."""
    work = begin(batch_size=12, window_seconds=300)
    for number in range(4):
        await work.queue.put(*[f"{number}.{at}" for at in range(3)])
        await work.queue.until(lambda: not work.queue.visible)
    assert len((await work.functions.next()).bodies) == 12


async def test_so_many_batches_at_once(begin: Begin) -> None:
    queue = FakeQueue()
    await queue.put("one", "two", "three")
    work = begin(queue, batch_size=1, concurrency=2)
    first, second = await work.functions.next(), await work.functions.next()
    assert work.functions.waiting == 0
    assert queue.visible == ["three"]
    second.answer()
    assert (await work.functions.next()).bodies == ["three"]
    first.answer()


async def test_without_the_function_nothing_is_received(begin: Begin) -> None:
    queue = FakeQueue()
    await queue.put("one")
    work = begin(queue)
    work.functions.there = False  # the reader has not begun yet
    await work.trouble()
    assert work.reader.problem == f"Function not found: {FUNCTION}"
    assert (queue.asked, queue.visible) == ([], ["one"])
    work.functions.there = True
    (await work.functions.next()).answer()
    await work.queue.until(lambda: not work.queue.left)
    assert work.reader.problem is None


async def test_a_queue_that_is_not_there(begin: Begin) -> None:
    queue = FakeQueue()
    queue.exists = False
    await queue.put("one")
    work = begin(queue)
    assert "The specified queue does not exist." in await work.trouble()
    queue.exists = True
    (await work.functions.next()).answer()
    await queue.until(lambda: not queue.left)


@pytest.mark.parametrize("operation", ["GetQueueUrl", "ReceiveMessage"])
async def test_a_queue_that_cannot_be_reached(begin: Begin, operation: str) -> None:
    queue = FakeQueue()
    queue.trouble[operation] = unreachable()
    await queue.put("one")
    work = begin(queue)
    assert await work.trouble() == "it is not there"
    del queue.trouble[operation]
    (await work.functions.next()).answer()
    await queue.until(lambda: not queue.left)


async def test_deleting_is_tried_again(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    call = await work.functions.next()
    work.queue.trouble["DeleteMessageBatch"] = unreachable()
    call.answer()
    await work.queue.put("two")
    other = await work.functions.next()
    del work.queue.trouble["DeleteMessageBatch"]
    other.answer()
    await work.queue.until(lambda: not work.queue.left)


async def test_throttled(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    (await work.functions.next()).refuse(FunctionThrottled())
    await work.queue.put("two")
    (await work.functions.next()).answer()
    await work.queue.until(lambda: work.queue.left == ["one"])


async def test_a_reader_that_stops_gives_back_what_comes(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    call = await work.functions.next()
    work.reader.stop()
    await work.queue.put("two")
    await work.queue.until(lambda: work.queue.asked[-1][0] == "ChangeMessageVisibilityBatch")
    assert work.queue.visible == ["two"]
    assert not work.task.done()
    call.answer()
    await asyncio.wait_for(work.task, 20)
    assert work.queue.left == ["two"]


async def test_a_reader_that_is_told_to_go_on(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    call = await work.functions.next()
    work.reader.stop()
    await work.queue.wake()
    work.reader.go_on()
    call.answer()
    await work.queue.put("two")
    (await work.functions.next()).answer()
    await work.queue.until(lambda: not work.queue.left)


async def test_a_changed_assignment_counts_from_the_next_batch(begin: Begin) -> None:
    work = begin()
    await work.queue.put("one")
    (await work.functions.next()).answer()
    work.reader.assignment = Assignment(FUNCTION.replace("live", "blue"), SourceSettings(), [])
    await work.queue.put("two")
    call = await work.functions.next()
    assert call.function_arn == FUNCTION.replace("live", "blue")
    call.answer()


async def test_a_bug_is_logged_and_ends_nothing(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    work = begin()
    await work.queue.put("one")
    (await work.functions.next()).refuse(RuntimeError("a bug"))
    await work.queue.put("two")
    (await work.functions.next()).answer()
    await work.queue.until(lambda: work.queue.left == ["one"])
    assert "a bug" in caplog.text
