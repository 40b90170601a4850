"""Requests against botocore's service model: one checker per operation, compiled once, called per request.

A checker takes the decoded JSON body and returns the request: the members that the model knows, without
those that are null.

- A value of the wrong JSON type ends the check at once with a SerializationException, whatever else is wrong:
  AWS reads the whole body before it looks at any constraint.
- Violated constraints are collected and reported together in one ValidationException, in the order of the
  model's members, at most ten of them.
- Values of members that the model marks as sensitive are not repeated in messages.

Sources: the recorded ValidationExceptions; for the wording of SerializationException, and for what AWS does
to numbers (fractions are cut off, large integers saturate) and to nulls in lists (dropped), published
measurements of other services behind the same AWS framework.

How it works: every shape becomes a closure `check(value, path, found)` that returns the value as the
operation gets it and appends what it violates to `found`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from treadle.aws.errors import ApiError
from treadle.limits import Limits
from treadle.tasks.service_models import load as load  # noqa: PLC0414 - the models of the services below are the same

if TYPE_CHECKING:
    import regex
    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

Check = Callable[[Any, str, list[str]], Any]
Display = Callable[[Any], str]
Checker = Callable[[Any], dict[str, Any]]
"""Decoded body in, request out. Raises ApiError (SerializationException, ValidationException)."""

_VIOLATIONS_SHOWN = 10

_ENUM_ORDER = {
    "ExecutionStatus": ("SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"),
}
"""Enumerations that AWS lists in another order than its model (recorded: state_machine_status_filter)."""

_SIZED_IN_BYTES = frozenset({"SensitiveData", "SensitiveDataJobInput"})
"""Strings whose length AWS counts in UTF-8 bytes, and says so."""

_BEYOND_16_BITS = r"\uD800\uDC00-\uDBFF\uDFFF"
"""A range of characters as Java writes it, which has two units of 16 bits for each."""

_INTEGERS = {"integer": ("an Integer", 2**31 - 1), "long": ("a Long", 2**63 - 1)}


@cache
def step_functions_bounds(limits: Limits) -> dict[str, dict[str, int]]:
    """Bounds of the `stepfunctions` model that this server's limits replace, by shape."""
    return {
        "SensitiveData": {"max": limits.payload_bytes},
        "Definition": {"max": limits.definition_bytes},
        "Name": {"max": limits.name_characters},
        "PageSize": {"max": limits.page_items},
    }


def compile_checker(
    shape: StructureShape,
    bounds: Mapping[str, Mapping[str, int]],
    called: Callable[[str], str] = lambda member: member,
) -> Checker:
    """The checker of an operation's input. `bounds`: what replaces min and max of a shape, by its name. `called`:
    what messages call a member."""
    check = _Compiler(bounds, called).structure(shape)

    def checker(value: Any) -> dict[str, Any]:
        found: list[str] = []
        request: dict[str, Any] = check(value, "", found)
        if found:
            raise _validation_error(found)
        return request

    return checker


def _validation_error(found: list[str]) -> ApiError:
    shown = found[:_VIOLATIONS_SHOWN]
    count = "1 validation error" if len(shown) == 1 else f"{len(shown)} validation errors"
    return ApiError("ValidationException", f"{count} detected: " + "; ".join(shown))


def _mismatch(value: Any, scalar: str) -> ApiError:
    """`scalar`: the message if `value` is neither list nor object; `{}` in it is the kind of the value."""
    if isinstance(value, list):
        message = "Start of list found where not expected"
    elif isinstance(value, dict):
        message = "Start of structure or map found where not expected."
    else:
        kinds = {bool: f"{str(value).upper()}_VALUE", str: "STRING_VALUE"}
        message = scalar.format(kinds.get(type(value), "NUMBER_VALUE"))
    return ApiError("SerializationException", message)


class _Compiler:
    def __init__(self, bounds: Mapping[str, Mapping[str, int]], called: Callable[[str], str]) -> None:
        self.bounds = bounds
        self.called = called
        self.under_way: set[str] = set()
        self.structures: dict[str, Check] = {}

    def check(self, shape: Shape) -> Check:
        name = shape.name
        if name in self.under_way:  # it holds itself
            return lambda value, path, found: self.structures[name](value, path, found)  # noqa: PLW0108 - not there yet
        match shape.type_name:
            case "string":
                return self.string(shape)
            case "integer" | "long":
                return self.integer(shape)
            case "float" | "double":
                return self.number(shape)
            case "boolean":
                return _boolean
            case "blob":
                return _blob
            case "timestamp":
                return _timestamp
            case "structure":
                self.under_way.add(name)
                self.structures[name] = check = self.structure(shape)
                self.under_way.discard(name)
                return check
            case "list":
                return self.sequence(shape)
            case "map":
                return self.mapping(shape)
            case unknown:
                raise TypeError(f"the model's type {unknown!r} is not supported ({shape.name})")

    def bound(self, shape: Shape, which: str) -> int | None:
        replaced = self.bounds.get(shape.name, {}).get(which)
        return shape.metadata.get(which) if replaced is None else replaced

    def string(self, shape: StringShape) -> Check:
        shown = _display(shape)
        smallest = self.bound(shape, "min") or 0
        largest = self.bound(shape, "max")
        if largest is None:
            largest = 2**63
        in_bytes = shape.name in _SIZED_IN_BYTES
        allowed = frozenset(shape.enum)
        pattern = _pattern(shape)
        listing = ", ".join(_ENUM_ORDER.get(shape.name, tuple(shape.enum)))
        too_long = (
            f"Member must have size less than or equal to {largest} bytes in UTF-8 encoding"
            if in_bytes
            else f"Member must have length less than or equal to {largest}"
        )

        def check(value: Any, path: str, found: list[str]) -> str:
            if type(value) is not str:
                raise _mismatch(value, "{} can not be converted to a String")
            if allowed and value not in allowed:
                found.append(_violation(shown(value), path, f"Member must satisfy enum value set: [{listing}]"))
            if pattern is not None and pattern.fullmatch(value) is None:
                constraint = f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"
                found.append(_violation(shown(value), path, constraint))
            length = len(value.encode()) if in_bytes and not value.isascii() else len(value)
            if length < smallest:
                constraint = f"Member must have length greater than or equal to {smallest}"
                found.append(_violation(shown(value), path, constraint))
            if length > largest:
                found.append(_violation(shown(value), path, too_long))
            return value

        return check

    def integer(self, shape: Shape) -> Check:
        type_name, largest_of_type = _INTEGERS[shape.type_name]
        in_range = self.value_range(shape)

        def check(value: Any, path: str, found: list[str]) -> int:
            if type(value) not in (int, float):
                raise _mismatch(value, "{} can not be converted to " + type_name)
            number = max(min(int(value), largest_of_type), -largest_of_type - 1)
            in_range(number, path, found)
            return number

        return check

    def number(self, shape: Shape) -> Check:
        in_range = self.value_range(shape)

        def check(value: Any, path: str, found: list[str]) -> float:
            if type(value) not in (int, float):
                raise _mismatch(value, "{} can not be converted to a Float")
            in_range(value, path, found)
            return float(value)

        return check

    def value_range(self, shape: Shape) -> Callable[[float, str, list[str]], None]:
        shown = _display(shape)
        smallest, largest = self.bound(shape, "min"), self.bound(shape, "max")

        def in_range(number: float, path: str, found: list[str]) -> None:
            if smallest is not None and number < smallest:
                constraint = f"Member must have value greater than or equal to {smallest}"
                found.append(_violation(shown(number), path, constraint))
            if largest is not None and number > largest:
                constraint = f"Member must have value less than or equal to {largest}"
                found.append(_violation(shown(number), path, constraint))

        return in_range

    def structure(self, shape: StructureShape) -> Check:
        required = frozenset(shape.required_members)
        members = [
            (name, self.called(name), self.check(member), name in required) for name, member in shape.members.items()
        ]

        def check(value: Any, path: str, found: list[str]) -> dict[str, Any]:
            if type(value) is not dict:
                raise _mismatch(value, "Expected null")
            prefix = path + "." if path else ""
            request: dict[str, Any] = {}
            get = value.get
            for name, shown, check_member, is_required in members:
                member = get(name)
                if member is not None:
                    request[name] = check_member(member, prefix + shown, found)
                elif is_required:
                    found.append(_violation("Value null", prefix + shown, "Member must not be null"))
            return request

        return check

    def sequence(self, shape: ListShape) -> Check:
        shown = _display(shape)
        check_item = self.check(shape.member)
        in_length = self.collection_length(shape)

        def check(value: Any, path: str, found: list[str]) -> list[Any]:
            if type(value) is not list:
                raise _mismatch(value, "Expected list or null")
            items = [item for item in value if item is not None]
            in_length(len(items), lambda: shown(items), path, found)
            return [check_item(item, f"{path}.{at}.member", found) for at, item in enumerate(items, 1)]

        return check

    def mapping(self, shape: MapShape) -> Check:
        check_value = self.check(shape.value)

        def check(value: Any, path: str, found: list[str]) -> dict[str, Any]:
            if type(value) is not dict:
                raise _mismatch(value, "Expected map or null")
            return {
                key: check_value(item, f"{path}.{key}.member", found) for key, item in value.items() if item is not None
            }

        return check

    def collection_length(self, shape: Shape) -> Callable[[int, Callable[[], str], str, list[str]], None]:
        smallest, largest = self.bound(shape, "min"), self.bound(shape, "max")

        def in_length(length: int, shown: Callable[[], str], path: str, found: list[str]) -> None:
            if smallest is not None and length < smallest:
                constraint = f"Member must have length greater than or equal to {smallest}"
                found.append(_violation(shown(), path, constraint))
            if largest is not None and length > largest:
                constraint = f"Member must have length less than or equal to {largest}"
                found.append(_violation(shown(), path, constraint))

        return in_length


def _boolean(value: Any, path: str, found: list[str]) -> bool:
    if type(value) is not bool:
        raise _mismatch(value, "{} can not be converted to a Boolean")
    return value


def _timestamp(value: Any, path: str, found: list[str]) -> float:
    """Seconds since the epoch, which is also how JSON has them."""
    if type(value) in (int, float):
        return float(value)
    from botocore.utils import parse_timestamp  # there already: who asks has compiled a model

    try:
        moment: datetime = parse_timestamp(value)
        return moment.timestamp()
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:  # the last is botocore's, of large numbers
        raise _mismatch(value, "{} can not be converted to a Timestamp") from error


_BASE64_PIECE = 1_048_576
"""Characters: a multiple of four, which are three bytes."""


def _blob(value: Any, path: str, found: list[str]) -> bytes:
    """In JSON, bytes are text in Base64; a protocol that has them in another place hands them over as they are."""
    if type(value) is bytes:
        return value
    if type(value) is not str:
        raise _mismatch(value, "{} can not be converted to a Blob")
    try:
        # Piece by piece: a thread that decodes megabytes is to let others go on in between.
        pieces = (value[at : at + _BASE64_PIECE] for at in range(0, len(value), _BASE64_PIECE))
        return b"".join([base64.b64decode(piece, validate=True) for piece in pieces])
    except ValueError as error:
        raise ApiError("SerializationException", f"The value of '{path}' is not Base64: {error}") from error


def _violation(value: str, path: str, constraint: str) -> str:
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _pattern(shape: StringShape) -> re.Pattern[str] | regex.Pattern[str] | None:
    """Java's patterns name classes of characters that those of Python's own library do not know."""
    source = shape.metadata.get("pattern")
    if source is None:
        return None
    source = source.replace(r"\p{ASCII}", r"[\x00-\x7f]").replace(_BEYOND_16_BITS, r"\U00010000-\U0010FFFF")
    if r"\p{" not in source:
        return re.compile(source)
    import regex  # few servers meet such a pattern

    return regex.compile(source)


def _display(shape: Shape) -> Display:
    """How a message shows a value of this shape."""
    if shape.metadata.get("sensitive"):
        return lambda value: "Value"
    return lambda value: f"Value '{_java(shape, value)}'"


def _java(shape: Shape, value: Any) -> str:
    """A value as Java prints it: AWS's messages are made of that."""
    if shape.metadata.get("sensitive"):
        return "*** Sensitive Data Redacted ***"
    if shape.type_name == "structure" and isinstance(value, dict):
        members = [
            f"{name}={_java(member, value[name])}"
            for name, member in shape.members.items()
            if value.get(name) is not None
        ]
        return f"{shape.name}({', '.join(members)})"
    if shape.type_name == "list" and isinstance(value, list):
        return "[" + ", ".join(_java(shape.member, item) for item in value) + "]"
    return str(value)
