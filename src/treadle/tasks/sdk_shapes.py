"""Requests and answers of a service between its own form and the one that workflows see.

    in a workflow                           of the service
    names in Pascal case, at every level    the names of its model
    any JSON where a text is wanted         its compact JSON text (recorded: sfn_start_execution_implicit_
                                            json_serialisation)
    null                                    absent
    a time, written as the caller says      seconds since the epoch
    a text                                  a blob; one that is streamed (an object of S3) holds JSON text (recorded:
                                            aws_sdk_task_service--s3_put_object--str)

Keys of maps are data and stay as they are.  Answers show their members in the order of the alphabet, as AWS's do
where they were recorded as text.  Whether values are of the right type is for the service to say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from treadle.document import encode
from treadle.tasks.sdk_names import spelled, spellings

if TYPE_CHECKING:
    from botocore.model import Shape

WriteTime = Callable[[float], Any]
"""Seconds since the epoch, as a workflow sees them."""


class UnknownField(Exception):
    """The operation has no parameter of this name."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def to_request(shape: Shape, value: Any, *, native_within: bool = False) -> Any:
    """Parameters as the service takes them. `native_within`: below the parameters themselves, members may have the
    model's own names, too (the developer guide's example for Batch: `"RetryStrategy": {"attempts": 5}`). Raises
    UnknownField."""
    return _to_request(shape, value, native_within, False)


def _to_request(shape: Shape, value: Any, native_within: bool, within: bool) -> Any:
    below = partial(_to_request, native_within=native_within, within=True)
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {name: member for member in shape.members for name in spellings(member)}
        if native_within and within:
            members.update({member: member for member in shape.members})
        request = {}
        for field, given in value.items():
            if field not in members:
                raise UnknownField(field)
            if given is not None:
                member = members[field]
                request[member] = below(shape.members[member], given)
        return request
    if shape.type_name == "list" and isinstance(value, list):
        return [below(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: below(shape.value, item) for key, item in value.items()}
    streamed = shape.serialization.get("streaming", False)
    if shape.type_name in ("string", "blob") and (streamed or not isinstance(value, str)):
        return encode(value)
    return value


def misfit(shape: Shape, value: Any, name: str = "") -> str | None:
    """The member of a request whose value has another JSON type than its shape, or None. Texts may be of any type:
    what is none becomes one."""
    match shape.type_name:
        case "structure":
            fits = isinstance(value, dict)
            inner = [(shape.members[key], item, key) for key, item in value.items()] if fits else []
        case "list":
            fits = isinstance(value, list)
            inner = [(shape.member, item, name) for item in value] if fits else []
        case "map":
            fits = isinstance(value, dict)
            inner = [(shape.value, item, key) for key, item in value.items()] if fits else []
        case "boolean":
            return None if isinstance(value, bool) else name
        case "integer" | "long":
            return None if isinstance(value, int) and not isinstance(value, bool) else name
        case "float" | "double":
            return None if isinstance(value, int | float) and not isinstance(value, bool) else name
        case _:
            return None
    if not fits:
        return name
    return next((found for each in inner if (found := misfit(*each)) is not None), None)


def to_result(shape: Shape, value: Any, write_time: WriteTime, spell: Callable[[str], str] = spelled) -> Any:
    """An answer of the service as the result of a task. `spell`: the names of its members."""
    if shape.type_name == "structure" and isinstance(value, dict):
        members = shape.members
        shown = {
            spell(name): to_result(members[name], member, write_time, spell)
            for name, member in value.items()
            if name in members and member is not None
        }
        return dict(sorted(shown.items()))
    if shape.type_name == "list" and isinstance(value, list):
        return [to_result(shape.member, item, write_time, spell) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: to_result(shape.value, item, write_time, spell) for key, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, int | float):
        return write_time(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def iso_time(seconds: float) -> str:
    """Of `aws-sdk:` results: 2025-11-06T12:20:41.123Z, without a fraction if it is zero."""
    milliseconds = round(seconds * 1_000)
    moment = datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = milliseconds % 1_000
    return f"{moment}.{fraction:03d}Z" if fraction else f"{moment}Z"


def epoch_milliseconds(seconds: float) -> int:
    """Of the optimised integrations. (Recordings do not show it; published outputs do.)"""
    return round(seconds * 1_000)
