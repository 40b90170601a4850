"""Parameters that Step Functions itself refuses, before it calls anybody."""

from __future__ import annotations

NO_OBJECT = "The Parameters are not an object"


def unsupported(field: str) -> str:
    return f"The field '{field}' is not supported by Step Functions"


def missing(field: str) -> str:
    return f"The field '{field}' is required but was missing"


def malformed(field: str) -> str:
    return f"The value of the field '{field}' has an invalid format"
