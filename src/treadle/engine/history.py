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

Leaf events do not move their branch on: the event after them points to their predecessor, not to them
(recorded-behaviours, "History events").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

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


def encode_events(events: Iterable[HistoryEvent]) -> bytes:
    return _encoder.encode(events)


def decode_events(data: bytes) -> list[HistoryEvent]:
    return _decoder.decode(data)
