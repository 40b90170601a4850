"""How events are written down."""

from __future__ import annotations

import msgspec
import pytest

from treadle.engine.history import HistoryEvent, decode_events, encode_events

TEXT = '{"order":"7f0c","note":"paid"}'
ENTERED = HistoryEvent(2, 0, "PassStateEntered", 1_700_000_000_000, 0, {"name": "A", "input": TEXT})
EXITED = HistoryEvent(3, 2, "PassStateExited", 1_700_000_000_000, 0, {"name": "A", "output": TEXT})
NOTE = HistoryEvent(0, 3, "WaitScheduled", 1_700_000_000_001, 0, {"due": 1_800_000_000_000})


@pytest.mark.parametrize(
    "events",
    [
        [],
        [NOTE],
        [ENTERED, EXITED, NOTE],
        [ENTERED, EXITED] * 500,
        [HistoryEvent(1, 0, "ExecutionStarted", 1, 0, {"input": f'"{TEXT * 10_000}\x00ü\U0001f600"'})],
    ],
)
def test_what_is_written_is_read(events: list[HistoryEvent]) -> None:
    assert decode_events(encode_events(events)) == events


def test_data_that_comes_again_takes_little_room() -> None:
    once, often = encode_events([ENTERED] * 20), encode_events([ENTERED] * 200)
    assert len(once) < len(msgspec.msgpack.encode([ENTERED] * 20)) / 5
    assert len(often) < 3 * len(once)


def test_entries_that_were_written_uncompressed_are_read() -> None:
    events = [ENTERED, EXITED] * 10
    assert decode_events(msgspec.msgpack.encode(events)) == events
