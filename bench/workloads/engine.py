"""The engine alone, in this process: no API, no store, no event loop. What a transition costs is what all else is
built upon."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from bench.definitions import PASS, chain, inline_map
from bench.figures import Figure
from bench.rig import Rig
from bench.wire import ACCOUNT, REGION
from treadle.document import Document
from treadle.engine.advance import advance
from treadle.engine.execution import Execution
from treadle.engine.history import encode_events
from treadle.engine.program import Program, compile_definition
from treadle.engine.signals import Start
from treadle.language.kinds import MachineType
from treadle.language.resources import Resource
from treadle.limits import DEFAULT_LIMITS

_NOW = 1_700_000_000_000
_MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:bench"
_EXECUTION = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:bench:one"


class _Nothing:
    """Implements `execution.Outside`: there are no tasks in these machines."""

    def task_token(self, attempt: int) -> str:
        raise AssertionError

    def activity_exists(self, arn: str) -> bool:
        raise AssertionError

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        raise AssertionError


_NOTHING = _Nothing()
_KINDS: tuple[MachineType, ...] = ("EXPRESS", "STANDARD")


def engine(rig: Rig) -> Iterator[Figure]:
    """Whole executions, from the start until the end; the key figure is the chain that W1 has, as Express."""
    seconds = rig.size(1_000, 300) / 1e3
    for name, definition, data, transitions in machines():
        for kind in _KINDS:
            program = compiled(definition, kind)
            rates = [_rate(program, kind == "STANDARD", data, transitions, seconds) for _ in range(5)]
            key = "express.engine" if kind == "EXPRESS" and name == "5 Pass" else ""
            of = "Express" if kind == "EXPRESS" else "Standard, with its events encoded"
            yield Figure(f"engine: {name}, {of}", "/s", rates, f"{1e6 / max(rates):.2f} us at best", key=key)


def machines() -> Iterator[tuple[str, dict[str, Any], Any, int]]:
    """Name, definition, input and how many transitions there are."""
    small = {"Variable": "$.n", "NumericLessThan": 5, "Next": "Fail"}
    both = {"And": [{"Variable": "$.s", "StringEquals": "x"}, {"Variable": "$.n", "IsNumeric": True}]}
    rules: dict[str, Any] = {"StartAt": "C0", "States": {"Fail": {"Type": "Fail"}, "End": {"Type": "Succeed"}}}
    for number in range(10):
        rules["States"][f"C{number}"] = {"Type": "Choice", "Choices": [small, {**both, "Next": f"C{number + 1}"}]}
    rules["States"]["C10"] = {"Type": "Pass", "Next": "End"}
    template = {**PASS, "Parameters": {"n.$": "$.n", "text.$": "States.Format('{}-{}', $.s, $.n)", "s.$": "$.s"}}
    jsonata = {
        **PASS,
        "QueryLanguage": "JSONata",
        "Output": "{% $merge([$states.input, {'n': $states.input.n + 1}]) %}",
    }
    parallel = {"Type": "Parallel", "Branches": [chain(5, prefix=letter) for letter in "ABCD"]}
    given = {"n": 7, "s": "x"}
    yield "5 Pass", chain(5), given, 5
    yield "100 Pass", chain(100), given, 100
    yield "10 Choice of 2 rules", rules, given, 12
    yield "5 Pass with a template", chain(5, template), given, 5
    yield "5 Pass with JSONata", chain(5, jsonata), given, 5
    yield "Parallel of 4 branches of 5 Pass", chain(1, parallel), given, 21
    yield "inline Map of 100 items, one Pass each", inline_map(), {"items": list(range(100))}, 101


def compiled(definition: dict[str, Any], kind: MachineType) -> Program:
    compiled = compile_definition(json.dumps(definition), kind, DEFAULT_LIMITS, lambda resource: None)
    if compiled.program is None:
        raise RuntimeError(f"a definition is wrong: {compiled.diagnostics}")
    return compiled.program


def _rate(program: Program, encoded: bool, data: Any, transitions: int, seconds: float) -> float:
    """Transitions in a second of processor time: nothing is waited for. `encoded`: the events are made what the store
    keeps."""
    text = json.dumps(data)
    count, began = 0, time.process_time()
    while (took := time.process_time() - began) < seconds:
        run(program, text, encoded)
        count += transitions
    return count / took


def run(program: Program, text: str, encoded: bool) -> None:
    execution = Execution(
        program=program,
        arn=_EXECUTION,
        name="one",
        machine_arn=_MACHINE,
        machine_name="bench",
        role_arn="",
        input=Document.parse(text),
        started=_NOW,
        outside=_NOTHING,
    )
    more = True
    while more:
        outcome = advance(execution, Start(), _NOW)
        if encoded:
            encode_events(outcome.events)
        more = outcome.more
    if execution.status != "SUCCEEDED":
        raise RuntimeError(f"an execution was to succeed, but: {execution.error}: {execution.cause}")
