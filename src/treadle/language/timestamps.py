"""Timestamps of the Amazon States Language: RFC 3339 with an upper-case `T`, and `Z` or an offset."""

from __future__ import annotations

import re
from datetime import datetime

_rfc3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def parse_timestamp(text: str) -> datetime | None:
    """The instant (with its offset) that `text` names, or None if it is no timestamp."""
    if _rfc3339.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # no such day, hour or offset
        return None
