"""Instants: milliseconds since the epoch, and how AWS writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from treadle.language import timestamps

_epoch = datetime(1970, 1, 1, tzinfo=UTC)
_millisecond = timedelta(milliseconds=1)


def parse_timestamp(text: str) -> int | None:
    """Milliseconds since the epoch (smaller fractions are cut off), or None if `text` is no timestamp.

    The format is ISO-8601's extended offset date-time; nanoseconds are accepted, a missing offset is not
    (recorded: the cases wait--wait_timestamppath).
    """
    moment = timestamps.parse_timestamp(text)
    return None if moment is None else (moment - _epoch) // _millisecond


def format_timestamp(milliseconds: int) -> str:
    """`2024-05-01T09:30:00.250Z`: times in the context object."""
    seconds, fraction = divmod(milliseconds, 1_000)
    moment = _epoch + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:03d}Z"
