"""The findings about a definition in a file: what `compile_definition` says, and where that is in the text."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from functools import partial

from msgspec import Struct

from treadle.cli.json_source import json_marks
from treadle.cli.marks import START, Fault, Mark, Part, find
from treadle.cli.yaml_source import YamlError, read_yaml
from treadle.document import encode
from treadle.engine.program import Refuses, compile_definition
from treadle.language.diagnostics import Diagnostic, Severity
from treadle.language.jackson import json_error
from treadle.language.kinds import MachineType
from treadle.limits import Limits
from treadle.tasks.dispatch import refuses
from treadle.tasks.objections import objections
from treadle.tasks.service_calls import answered

_control = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Characters that a terminal would obey; names in a definition may hold them."""


class Finding(Struct, frozen=True, kw_only=True):
    """A diagnostic in its file. This is what `--json` prints."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    message: str
    location: str | None = None

    def __str__(self) -> str:
        message = self.message.partition("\n at [Source: ")[0]  # Jackson's second line tells the place again
        shown = _control.sub(lambda match: f"\\x{ord(match.group()):02x}", message)
        return f"{self.file}:{self.line}:{self.column}: {self.severity.lower()} {self.code}: {shown}"


def check_text(
    text: str,
    file: str,
    is_yaml: bool,
    machine_type: MachineType,
    limits: Limits,
    endpoints: Container[str] = (),
) -> list[Finding]:
    """The findings about one file, in the order of their places. `endpoints`: services that have one set."""
    check = _check_yaml if is_yaml else _check_json
    known = partial(answered, endpoints=endpoints)
    findings = [
        Finding(
            file=file,
            line=mark.line,
            column=mark.column,
            severity=diagnostic.severity,
            code=diagnostic.code,
            message=diagnostic.message,
            location=diagnostic.location,
        )
        for mark, diagnostic in check(text, machine_type, limits, partial(refuses, known=known))
    ]
    return sorted(findings, key=lambda finding: (finding.line, finding.column))


def _check_json(
    text: str, machine_type: MachineType, limits: Limits, refuses: Refuses
) -> Iterator[tuple[Mark, Diagnostic]]:
    diagnostics = compile_definition(text, machine_type, limits, refuses, objections=objections).diagnostics
    fault = json_error(text, limits.json_depth)
    if fault is None:
        yield from _placed(diagnostics, *json_marks(text))
        return
    for diagnostic in diagnostics:
        # Jackson's column is that of the character after the wrong one.
        yield Mark(fault.line, max(fault.column - 1, 1)), diagnostic


def _check_yaml(
    text: str, machine_type: MachineType, limits: Limits, refuses: Refuses
) -> Iterator[tuple[Mark, Diagnostic]]:
    try:
        value, root, faults = read_yaml(text, limits)
    except YamlError as error:
        yield _fault(error.fault, "ERROR")
        return
    diagnostics = compile_definition(encode(value), machine_type, limits, refuses, objections=objections).diagnostics
    yield from _placed(diagnostics, root, faults)


def _placed(
    diagnostics: Iterable[Diagnostic], root: Part, faults: Iterable[Fault]
) -> Iterator[tuple[Mark, Diagnostic]]:
    for fault in faults:
        yield _fault(fault, "WARNING")
    for diagnostic in diagnostics:
        place = diagnostic.place
        yield START if place is None else find(root, place), diagnostic


def _fault(fault: Fault, severity: Severity) -> tuple[Mark, Diagnostic]:
    return fault.mark, Diagnostic(code=fault.code, message=fault.message, severity=severity)
