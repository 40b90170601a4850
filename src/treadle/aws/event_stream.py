"""AWS's event streams: answers that consist of messages, as SDKs read them (application/vnd.amazon.eventstream).

https://smithy.io/2.0/aws/amazon-eventstream.html. A message is, with all numbers in network order:

    bytes of the whole message   4
    bytes of the headers         4
    CRC-32 of these eight        4
    headers                      each: length of the name (1), name, type 7 (a text), length (2), value
    payload
    CRC-32 of all before         4
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from treadle.aws.messages import Answer, encode

if TYPE_CHECKING:
    from botocore.model import StructureShape

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
_TEXT = 7


class Event(Struct, frozen=True):
    """One event of a stream: its name in the model, and its members."""

    name: str
    members: dict[str, Any]


class EventStream(Struct, frozen=True):
    """What an operation answers in the place of the member that its model calls an event stream."""

    events: AsyncGenerator[Event]
    patience_seconds: float
    """How long the client may take to accept an event."""

    def answer(self, shape: StructureShape, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> Answer:
        """`shape`: of the stream, in the service's model."""
        return Answer(
            status,
            CONTENT_TYPE,
            b"",
            stream=self._messages(shape),
            patience_seconds=self.patience_seconds,
            headers=headers,
        )

    async def _messages(self, shape: StructureShape) -> AsyncGenerator[bytes]:
        async with aclosing(self.events) as events:
            async for event in events:
                yield event_message(shape, event)


def event_message(shape: StructureShape, event: Event) -> bytes:
    """A member that the model calls the payload is the payload as it is; else the members are, as JSON."""
    members = shape.members[event.name].members
    payload = next((name for name, member in members.items() if member.serialization.get("eventpayload")), None)
    content = encode(event.members) if payload is None else bytes(event.members[payload])
    kind = "application/json" if payload is None else "application/octet-stream"
    return _message({":event-type": event.name, ":content-type": kind, ":message-type": "event"}, content)


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    message = b"".join((lengths, struct.pack("!I", binascii.crc32(lengths)), head, payload))
    return message + struct.pack("!I", binascii.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _TEXT, len(value)) + value
