"""What the value of a field may be, and how an object of fields is read.

A *kind* is a function `(value, at, context)` that checks one JSON value found at the location `at`, reports
what is wrong with it, and returns what the tree keeps of it.  After an error the returned value means
nothing: no tree is built from an object in which there is an error.

Messages.  Measured on AWS: `Field 'X' is not supported`, `These fields are required: [...]`, `There should
only be one of the following fields: [...]`, `This object should have only one of the following fields:
[...]`, `The QueryLanguage is set to ...`, `Value should be one of the following: [...]`, `Value cannot be
empty`, `Minimum value is N`, `Maximum value is N`, `Expected value of type Integer`, `String does not match
RFC3339 timestamp`, and `Expected value of type [STRING]`, after which those of the other types are formed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from treadle.language.definition import Language, State
from treadle.language.delimiters import is_expression
from treadle.language.diagnostics import Diagnostic, Findings, Severity
from treadle.language.timestamps import parse_timestamp
from treadle.limits import Limits

MachineType = Literal["STANDARD", "EXPRESS"]


class Context(Struct, frozen=True, kw_only=True):
    """What a kind may need to know of the document around the value, and where its findings go."""

    machine_type: MachineType
    limits: Limits
    machine_language: Language
    language: Language | None
    """Query language of the state that is read; None where a wrong one was reported already."""
    findings: Findings
    readable: list[State]
    """States that could be read, at least in part; not those within one that is listed itself."""

    def report(
        self,
        at: str,
        message: str,
        code: str = "SCHEMA_VALIDATION_FAILED",
        severity: Severity = "ERROR",
        member: str | None = None,
    ) -> None:
        finding = Diagnostic(code=code, message=message, location=at or "/", severity=severity, member=member)
        self.findings.add(finding)


Kind = Callable[[Any, str, Context], Any]


class Field(Struct, frozen=True):
    name: str
    kind: Kind
    attribute: str | None = None
    """Where the tree keeps it; None if the tree does not."""
    required: bool = False
    language: Language | None = None
    """The only query language that has the field; None if both have."""


class Group(Struct, frozen=True):
    """Fields that exclude each other."""

    names: tuple[str, ...]
    required: bool = False
    """One of them must be there."""
    absent: Any | UnsetType = UNSET
    """A value that counts as if the field were not there (`"End": false`)."""


class Shape(Struct, frozen=True):
    """The fields of one kind of object."""

    fields: Mapping[str, Field]
    groups: tuple[Group, ...] = ()


def shape(fields: Iterable[Field], *groups: Group) -> Shape:
    return Shape({field.name: field for field in fields}, groups)


def read_object(value: Any, of: Shape, at: str, context: Context) -> dict[str, Any] | None:
    """The attributes that the tree keeps of an object, or None if anything is wrong in it."""
    before = context.findings.errors
    attributes = read_fields(value, of, at, context)
    return attributes if context.findings.errors == before else None


def read_fields(value: Any, of: Shape, at: str, context: Context) -> dict[str, Any]:
    """The attributes that the tree keeps of an object, without those in whose field something is wrong."""
    if not isinstance(value, dict):
        context.report(at, "Expected value of type [OBJECT]")
        return {}
    _check_names(value, of, at, context)
    for group in of.groups:
        check_group(value, group, at, context)
    attributes = {}
    for name, item in value.items():
        field = of.fields.get(name)
        if field is None:
            continue
        before = context.findings.errors
        kept = field.kind(item, f"{at}/{name}", context)
        faultless = context.findings.errors == before and field.language in (None, context.language)
        if faultless and field.attribute is not None:
            attributes[field.attribute] = kept
    return attributes


def _check_names(value: Mapping[str, Any], of: Shape, at: str, context: Context) -> None:
    for name in value:
        field = of.fields.get(name)
        if field is None:
            context.report(at, f"Field '{name}' is not supported", member=name)
        elif context.language is not None and field.language not in (None, context.language):
            context.report(
                at,
                f"The QueryLanguage is set to '{context.language}', but field '{name}' is only supported "
                f"for the '{field.language}' QueryLanguage",
                member=name,
            )
    missing = [field.name for field in of.fields.values() if field.required and field.name not in value]
    if missing:
        context.report(at, f"These fields are required: {listed(missing)}")


def check_group(value: Mapping[str, Any], group: Group, at: str, context: Context) -> None:
    present = [name for name in group.names if name in value and value[name] is not group.absent]
    if len(present) > 1:
        message = f"There should only be one of the following fields: {listed(group.names)}"
        context.report(at, message, member=present[-1])
    elif group.required and not present:
        message = f"This object should have only one of the following fields: {listed(group.names)}"
        context.report(at, message)


def listed(names: Iterable[str]) -> str:
    """Names as a Java list prints them."""
    return "[" + ", ".join(names) + "]"


# Kinds of one value


def anything(value: Any, at: str, context: Context) -> Any:
    return value


def payload(value: Any, at: str, context: Context) -> Any:
    """JSON that may have expressions in it. A text that opens one must close it (measured: cdk-preflight)."""
    if context.language == "JSONata":
        _check_delimiters(value, at, context)
    return value


def _check_delimiters(value: Any, at: str, context: Context) -> None:
    if isinstance(value, str):
        if value.startswith("{%") and not is_expression(value):
            context.report(at, "JSONata string must start with {% and end with %}")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_delimiters(item, f"{at}/{name[: context.limits.state_name_characters]}", context)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_delimiters(item, f"{at}[{index}]", context)


def assignments(value: Any, at: str, context: Context) -> Any:
    """The value of Assign. Its names are told in `variables.py`."""
    mapping(value, at, context)
    return payload(value, at, context)


def text(value: Any, at: str, context: Context) -> Any:
    """A text that may be an expression."""
    string(value, at, context)
    return payload(value, at, context)


def expression(kind: Kind) -> Kind:
    """In a JSONata state, an expression, or a literal that is no text; what a text must be then is our reading."""

    def read(value: Any, at: str, context: Context) -> Any:
        if context.language != "JSONata":
            return value
        if not isinstance(value, str):
            return kind(value, at, context)
        if not is_expression(value):
            context.report(at, "JSONata string must start with {% and end with %}")
        return value

    return read


def string(value: Any, at: str, context: Context) -> Any:
    if not isinstance(value, str):
        context.report(at, "Expected value of type [STRING]")
    return value


def boolean(value: Any, at: str, context: Context) -> Any:
    if not isinstance(value, bool):
        context.report(at, "Expected value of type [BOOLEAN]")
    return value


def mapping(value: Any, at: str, context: Context) -> Any:
    if not isinstance(value, dict):
        context.report(at, "Expected value of type [OBJECT]")
    return value


def timestamp(value: Any, at: str, context: Context) -> Any:
    string(value, at, context)
    if isinstance(value, str) and parse_timestamp(value) is None:
        context.report(at, "String does not match RFC3339 timestamp")
    return value


def nullable(kind: Kind) -> Kind:
    def read(value: Any, at: str, context: Context) -> Any:
        return None if value is None else kind(value, at, context)

    return read


def or_expression(kind: Kind) -> Kind:
    """In a JSONata state, the value or an expression that gives it."""

    def read(value: Any, at: str, context: Context) -> Any:
        return value if context.language == "JSONata" and is_expression(value) else kind(value, at, context)

    return read


def one_of(*values: str) -> Kind:
    def read(value: Any, at: str, context: Context) -> Any:
        string(value, at, context)
        if isinstance(value, str) and value not in values:
            context.report(at, f"Value should be one of the following: {listed(values)}")
        return value

    return read


def integer(minimum: int = 0, maximum: str | None = None) -> Kind:
    """Whole numbers from `minimum` to the limit that `maximum` names."""

    def read(value: Any, at: str, context: Context) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            context.report(at, "Expected value of type Integer")
        else:
            bound = None if maximum is None else getattr(context.limits, maximum)
            _check_range(value, minimum, bound, at, context)
        return value

    return read


def number(minimum: float | None = None, maximum: float | None = None) -> Kind:
    """Numbers in a range, which messages show as Java shows a double (`Minimum value is 0.0`; measured: floci 3733)."""

    def read(value: Any, at: str, context: Context) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            context.report(at, "Expected value of type [NUMBER]")
        else:
            _check_range(value, minimum, maximum, at, context)
        return value

    return read


def _check_range(value: float, minimum: float | None, maximum: float | None, at: str, context: Context) -> None:
    if minimum is not None and value < minimum:
        context.report(at, f"Minimum value is {minimum}")
    if maximum is not None and value > maximum:
        context.report(at, f"Maximum value is {maximum}")


def array(kind: Kind, *, may_be_empty: bool = False) -> Kind:
    def read(value: Any, at: str, context: Context) -> Any:
        if not isinstance(value, list):
            context.report(at, "Expected value of type [ARRAY]")
            return value
        if not value and not may_be_empty:
            context.report(at, "Value cannot be empty")
        return tuple(kind(item, f"{at}[{index}]", context) for index, item in enumerate(value))

    return read
