"""How often functions were invoked in one chain of events, so that a chain that leads back to itself ends.

A function that fails into itself by way of a destination, or that invokes itself, would go on for ever. Lambda counts
in the trace header, which AWS's SDKs hand on from a handler to the service that it calls ("Use Lambda recursive loop
detection", Lambda developer guide). So do we, in a form of our own:

    Root=1-...;Parent=...;Sampled=0;Lineage=1a2b3c4d:3|5e6f7a8b:1

Each function stands there by the hash of its ARN, with the number of its asynchronous invocations so far.
"""

from __future__ import annotations

import re
import zlib

_FIELD = "Lineage="
_ENTRY = re.compile(r"([0-9a-f]{8}):([0-9]{1,6})")
_FUNCTIONS = 32
"""As many functions as one header tells of: those that were invoked last."""


def count(trace: str | None, function_arn: str) -> int:
    """How often the function was invoked in the chain of this trace header."""
    return _counts(trace or "").get(_name(function_arn), 0)


def extended(trace: str | None, function_arn: str) -> str:
    """The header with one more invocation of the function."""
    fields = [field for field in (trace or "").split(";") if field and not field.startswith(_FIELD)]
    counts = _counts(trace or "")
    name = _name(function_arn)
    counts[name] = counts.pop(name, 0) + 1
    entries = list(counts.items())[-_FUNCTIONS:]
    return ";".join([*fields, _FIELD + "|".join(f"{name}:{count}" for name, count in entries)])


def _counts(trace: str) -> dict[str, int]:
    """What is no entry in a header is passed over: it comes from outside."""
    field = next((field for field in trace.split(";") if field.startswith(_FIELD)), "")
    return {name: int(count) for name, count in _ENTRY.findall(field)}


def _name(function_arn: str) -> str:
    return f"{zlib.crc32(function_arn.encode()):08x}"
