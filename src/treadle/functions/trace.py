"""Trace ids as AWS writes them: the X-Amzn-Trace-Id header (X-Ray developer guide, "Tracing header")."""

from __future__ import annotations

import secrets
import time


def new_trace_id() -> str:
    """A trace that nobody samples, as Lambda makes one for a caller that brings none."""
    random = secrets.token_hex(20)
    return f"Root=1-{int(time.time()):08x}-{random[:24]};Parent={random[24:]};Sampled=0"
