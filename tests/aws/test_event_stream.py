"""Event streams, read by botocore as SDKs read them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

from treadle.aws import model
from treadle.aws.event_stream import CONTENT_TYPE, Event, EventStream, event_message

SHAPE = model.load("lambda").operation_model("InvokeWithResponseStream").output_shape.members["EventStream"]


def read(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


@pytest.mark.parametrize("payload", [b"", b"one", bytes(range(256)) * 4_000])
def test_a_payload(payload: bytes) -> None:
    ((headers, content),) = read(event_message(SHAPE, Event("PayloadChunk", {"Payload": payload})))
    assert headers == {
        ":event-type": "PayloadChunk",
        ":content-type": "application/octet-stream",
        ":message-type": "event",
    }
    assert content == payload


def test_members() -> None:
    ((headers, content),) = read(event_message(SHAPE, Event("InvokeComplete", {"ErrorCode": "ä"})))
    assert (headers[":event-type"], headers[":content-type"]) == ("InvokeComplete", "application/json")
    assert content == '{"ErrorCode":"ä"}'.encode()


async def test_an_answer() -> None:
    async def events() -> Any:
        yield Event("PayloadChunk", {"Payload": b"one"})
        yield Event("InvokeComplete", {})

    answer = EventStream(events(), 5).answer(SHAPE, 200, ((b"x-a", b"1"),))
    assert (answer.content_type, answer.patience_seconds, answer.headers) == (CONTENT_TYPE, 5, ((b"x-a", b"1"),))
    assert answer.stream is not None
    data = b"".join([piece async for piece in answer.stream])
    assert [content for _, content in read(data)] == [b"one", b"{}"]
