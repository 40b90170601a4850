"""History events: the journal of an execution, and all that anybody sees of it.

An event is numbered from 1 within its execution and linked to the event before it in its branch
(`previous_id`), exactly as AWS does.  Two members are ours: `branch`, which says which branch of the
execution wrote it, so that the fold need not guess; and events with id 0, the *notes*: facts that the fold
needs and that AWS has no event for.  Notes are never shown.

    note             details                 written when
    WaitScheduled    due                     a Wait state begins to wait
    RetryScheduled   retrier, due            a state failed and will be tried again
    ErrorCaught      catcher                 a state failed and its StateExited leads to a catcher's Next
    Offshoot         who wrote what precedes a fork: what stands before was copied (offshoot.py)

`details` holds AWS's members of the event's details structure, without the companions that carry no
information here (`inputDetails`, `outputDetails`): the API's projection adds those.

A journal entry is a list of events in MessagePack, compressed with LZ4 unless it is short.  The data of an execution
stands in its events again and again (an input, the state that it enters, what leaves that state), so that a third or
less is left of most entries.  Compressing 1,300 bytes takes a microsecond, less than to write what it saves (measured).

Leaf events do not move their branch on: the event after them points to their predecessor, not to them
(recorded-behaviours, "History events").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from lz4.block import compress, decompress

LEAF_TYPES = frozenset(
    {
        "ExecutionStarted",
        "MapIterationSucceeded",
        "MapIterationFailed",
        "MapIterationAborted",
        "MapStateSucceeded",
        "ParallelStateSucceeded",
        "TaskStateAborted",
        "WaitStateAborted",
        "MapStateAborted",
        "ParallelStateAborted",
        "WaitScheduled",
        "RetryScheduled",
        "ErrorCaught",
    }
)

TERMINAL_TYPES = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}
"""The last event of an execution, and the status it leads to."""

NO_DETAILS: dict[str, Any] = {}


class HistoryEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    id: int
    """From 1 within the execution; 0 for a note."""
    previous_id: int
    type: str
    timestamp: int
    """Milliseconds since the epoch."""
    branch: int
    details: dict[str, Any]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[HistoryEvent])

_COMPRESSED = b"\xc1"
"""No value in MessagePack begins with this byte: what follows it is compressed."""

_SHORT_BYTES = 256
"""Below this there is little to gain."""


def encode_events(events: Iterable[HistoryEvent]) -> bytes:
    """A journal entry."""
    data = _encoder.encode(events)
    return data if len(data) < _SHORT_BYTES else _COMPRESSED + compress(data)


def decode_events(data: bytes) -> list[HistoryEvent]:
    """The events of a journal entry."""
    return _decoder.decode(decompress(data[1:]) if data.startswith(_COMPRESSED) else data)
