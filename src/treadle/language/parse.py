"""The text of a definition into a typed tree, with everything that is wrong with it.

    text ── JSON ──┬── fields.py     which field may stand where, and what it may hold ── the tree
                   ├── structure.py  the states as a graph: names, targets, reachability
                   ├── variables.py  the names that Assign may use, and when (flow.py)
                   ├── advice.py     warnings
                   └── repetitions.py  names of states that JSON lost

Expressions (paths, payload templates) stay text here: whoever compiles the tree checks their syntax.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from treadle import document
from treadle.language.advice import advise
from treadle.language.definition import State, StateMachine
from treadle.language.diagnostics import Diagnostic, Findings
from treadle.language.fields import effective_language, machine_shape
from treadle.language.jackson import json_error
from treadle.language.kinds import Context, MachineType, read_object
from treadle.language.repetitions import repeated_states
from treadle.language.structure import check_structure
from treadle.language.variables import check_variables
from treadle.limits import DEFAULT_LIMITS, Limits


class Parsed(Struct, frozen=True, kw_only=True):
    machine: StateMachine | None
    """None if there is an error among the diagnostics."""
    diagnostics: tuple[Diagnostic, ...]
    readable: tuple[State, ...] = ()
    """If there is no machine: states whose expressions can be checked all the same. A field of theirs in which
    there is an error is as if it were absent; a required one holds a stand-in."""


def parse_definition(text: str, *, machine_type: MachineType, limits: Limits = DEFAULT_LIMITS) -> Parsed:
    """The machine that `text` defines, and every finding, errors and warnings."""
    value, fault = _read_json(text, limits)
    if fault is not None:
        return Parsed(machine=None, diagnostics=(fault,))
    findings = Findings()
    readable: list[State] = []
    language = effective_language(value, "JSONPath")
    context = Context(
        machine_type=machine_type,
        limits=limits,
        machine_language=language,
        language=language,
        findings=findings,
        readable=readable,
    )
    attributes = read_object(value, machine_shape, "", context)
    for check in (check_structure, check_variables, advise):
        for finding in check(value, limits):
            findings.add(finding)
    for finding in repeated_states(text, limits):
        findings.add(finding)
    if attributes is None or findings.errors:
        return Parsed(machine=None, diagnostics=tuple(findings.all), readable=tuple(readable))
    return Parsed(machine=StateMachine(**attributes), diagnostics=tuple(findings.all))


def _read_json(text: str, limits: Limits) -> tuple[Any, Diagnostic | None]:
    """The JSON object that `text` is, or what is wrong with it."""
    if not text.strip():
        return None, _no_object
    if len(text.encode(errors="replace")) > limits.definition_bytes:
        message = f"Definition must not be larger than {limits.definition_bytes} bytes"
        return None, Diagnostic(code="SCHEMA_VALIDATION_FAILED", message=message)
    error = None
    try:
        value = document.decode(text)
    except ValueError:
        value = None
        error = json_error(text, limits.definition_depth)
    if (error is not None and error.too_deep) or _nests_deeper(value, limits.definition_depth):
        message = f"Definition must not nest deeper than {limits.definition_depth} arrays and objects"
        return None, Diagnostic(code="TOO_DEEPLY_NESTED", message=message)
    if error is not None:
        place = error.location(text)
        message = f"{error.message}\n at {place}"
        return None, Diagnostic(code="INVALID_JSON_DESCRIPTION", message=message, location=place)
    if not isinstance(value, dict):
        return None, _no_object
    return value, None


_no_object = Diagnostic(code="SCHEMA_VALIDATION_FAILED", message="Definition must be a valid JSON object")


def _nests_deeper(value: Any, depth: int) -> bool:
    """True if arrays and objects nest deeper than `depth` in a JSON value. Costs no recursion."""
    level = [value]
    for _ in range(depth + 1):
        items = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))]
        if not items:
            return False
        level = [child for item in items for child in item]
    return True
