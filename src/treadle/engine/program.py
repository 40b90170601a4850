"""A definition, compiled: what an execution runs.

Compiling happens once per definition (the runtime caches programs by revision); running parses nothing.
`compile_definition` is also the one checker of definitions: it gives every finding of the language and of
the expressions in it, and, for tasks that this server cannot run, says so before anything runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping

from msgspec import UNSET, Struct

from treadle.engine.failure import Handlers
from treadle.engine.fields import FieldCompiler
from treadle.engine.flow import catcher_flow
from treadle.engine.node import Node, ScopeProgram
from treadle.engine.states.choice_state import ChoiceNode
from treadle.engine.states.distributed_map_state import DistributedMapNode
from treadle.engine.states.fail_state import FailNode
from treadle.engine.states.map_state import MapNode
from treadle.engine.states.parallel_state import ParallelNode
from treadle.engine.states.pass_state import PassNode
from treadle.engine.states.succeed_state import SucceedNode
from treadle.engine.states.task_state import TaskNode
from treadle.engine.states.wait_state import WaitNode
from treadle.engine.variable_references import VariableReferences, assigns_variables, variable_references
from treadle.language.definition import (
    Catcher,
    ChoiceState,
    FailState,
    MapState,
    ParallelState,
    PassState,
    Retrier,
    Scope,
    State,
    StateMachine,
    SucceedState,
    TaskState,
    WaitState,
)
from treadle.language.diagnostics import Diagnostic
from treadle.language.kinds import MachineType
from treadle.language.parse import parse_definition
from treadle.language.resources import Resource, parse_resource
from treadle.limits import Limits

Refuses = Callable[[Resource], str | None]
Objections = Callable[[Resource, Iterable[str]], Iterable[tuple[str, str]]]
"""What AWS has against a task of this resource with parameters of these names: the field, and what is wrong with it."""
"""Why tasks of a resource cannot be run at all, or None if they can."""


class Program(Struct, frozen=True):
    scope: ScopeProgram
    timeout_seconds: int
    """Of the execution as a whole."""
    history_events: int
    """How many events a history may have."""
    limits: Limits
    assigns_variables: bool
    variable_references: VariableReferences
    children: Mapping[str, Program]
    """What the children of its Distributed Maps run, by the name of the Map state, however deep it nests."""
    express: bool = False
    """Of children: whether they are Express executions."""


class Compiled(Struct, frozen=True):
    program: Program | None
    """None if there is an error among the diagnostics."""
    diagnostics: tuple[Diagnostic, ...]


def compile_definition(
    text: str,
    machine_type: MachineType,
    limits: Limits,
    refuses: Refuses,
    *,
    objections: Objections = lambda resource, fields: (),
    runs: bool = True,
) -> Compiled:
    """`refuses`: why this server cannot run tasks of a resource. `runs`: the whole machine is to be run, so that fields
    which this version does not run are refused."""
    parsed = parse_definition(text, machine_type=machine_type, limits=limits)
    compiler = _ProgramCompiler(limits, refuses, objections, runs)
    if parsed.machine is None:
        compiler.check(parsed.readable)
        return Compiled(None, (*parsed.diagnostics, *compiler.findings))
    program = compiler.program(parsed.machine, machine_type)
    findings = (*parsed.diagnostics, *compiler.findings)
    return Compiled(None if compiler.findings else program, findings)


class _ProgramCompiler:
    def __init__(self, limits: Limits, refuses: Refuses, objections: Objections, runs: bool) -> None:
        self.findings: list[Diagnostic] = []
        self._limits = limits
        self._refuses = refuses
        self._objections = objections
        self._runs = runs
        self._children: dict[str, Program] = {}

    def check(self, states: Iterable[State]) -> None:
        """Find what is wrong with the expressions of states that will not run."""
        for state in states:
            self._node(state)

    def program(self, machine: StateMachine, machine_type: MachineType) -> Program:
        # A TimeoutSeconds of 0 passes AWS's validation; it stands for none.
        timeout = machine.timeout_seconds or sys.maxsize
        return self._program(machine, self._scope(machine), machine_type == "EXPRESS", timeout)

    def _program(self, written: Scope, scope: ScopeProgram, express: bool, timeout_seconds: int) -> Program:
        limits = self._limits
        longest = limits.execution_seconds_express if express else limits.execution_seconds_standard
        return Program(
            scope,
            min(timeout_seconds, longest),
            sys.maxsize if express else limits.history_events,
            limits,
            assigns_variables(written),
            variable_references(written, limits),
            self._children,
            express,
        )

    def _scope(self, scope: Scope) -> ScopeProgram:
        return ScopeProgram(scope.start_at, {name: self._node(state) for name, state in scope.states.items()})

    def _node(self, state: State) -> Node:
        compiler = FieldCompiler(state, self._limits, self.findings)
        match state:
            case PassState():
                return PassNode(state, compiler)
            case ChoiceState():
                return ChoiceNode(state, compiler)
            case WaitState():
                return WaitNode(state, compiler)
            case SucceedState():
                return SucceedNode(state, compiler)
            case FailState():
                return FailNode(state, compiler)
            case TaskState():
                handlers = _handlers(compiler, state.retry, state.catch)
                return TaskNode(state, compiler, self._resource(state, compiler), handlers)
            case ParallelState():
                scopes = [self._scope(branch) for branch in state.branches]
                return ParallelNode(state, compiler, scopes, _handlers(compiler, state.retry, state.catch))
            case MapState():
                return self._map(state, compiler)
        raise AssertionError(f"no node for {type(state).__name__}")

    def _map(self, state: MapState, compiler: FieldCompiler) -> MapNode:
        scope = self._scope(state.processor)
        handlers = _handlers(compiler, state.retry, state.catch)
        execution_type = state.processor.execution_type
        if execution_type is None:
            if self._runs:
                self._check_inline(state)
            return MapNode(state, compiler, scope, handlers)
        self._children[state.name] = self._program(
            state.processor, scope, execution_type == "EXPRESS", timeout_seconds=sys.maxsize
        )
        return DistributedMapNode(state, compiler, scope, handlers)

    def _check_inline(self, state: MapState) -> None:
        """AWS takes these fields in an inline Map as well; what it makes of them there is not known."""
        given = {
            "ItemBatcher": state.item_batcher,
            "ToleratedFailureCount": state.tolerated_failure_count,
            "ToleratedFailureCountPath": state.tolerated_failure_count_path,
            "ToleratedFailurePercentage": state.tolerated_failure_percentage,
            "ToleratedFailurePercentagePath": state.tolerated_failure_percentage_path,
        }
        for field, value in given.items():
            if value is not None:
                message = f"The field '{field}' is valid, but Treadle does not support it in an inline Map"
                at = f"{state.location}/{field}"
                self.findings.append(Diagnostic(code="NOT_IMPLEMENTED", message=message, location=at))

    def _resource(self, state: TaskState, compiler: FieldCompiler) -> Resource:
        resource = parse_resource(state.resource)
        assert resource is not None, "the language lets no other resource pass"
        given, name = (state.parameters, "Parameters") if state.arguments is UNSET else (state.arguments, "Arguments")
        fields = [field.removesuffix(".$") for field in given] if isinstance(given, dict) else []
        objections = list(self._objections(resource, fields))
        for field, message in objections:
            at = f"{compiler.state.location}/{name if field == 'Parameters' else field}"
            self.findings.append(Diagnostic(code="SCHEMA_VALIDATION_FAILED", message=message, location=at))
        why = None if objections else self._refuses(resource)
        if why is not None:
            self.findings.append(
                Diagnostic(code="NOT_IMPLEMENTED", message=why, location=f"{compiler.state.location}/Resource")
            )
        return resource


def _handlers(compiler: FieldCompiler, retriers: Iterable[Retrier], catchers: tuple[Catcher, ...]) -> Handlers:
    exits = tuple(catcher_flow(compiler, number, catcher) for number, catcher in enumerate(catchers))
    return Handlers(tuple(retriers), catchers, exits)
