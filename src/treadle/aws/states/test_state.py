"""TestState: one state, carried out by itself.

    definition ─ program ─ the state ─▶ trial ─┬─ mocked: the mock is what comes of the task or the iterations
                                               └─ not mocked: the task is run, a wait is waited for

The engine does all of it (`engine/trial.py`); here is what the request may ask for, and how the answer is put.
Nothing is stored.  What may take long (reading the model of a service, the inputs of all iterations of a Map) goes
on beside the event loop: the trial belongs to this request alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from treadle.aws.arns import check_role
from treadle.aws.errors import ApiError
from treadle.aws.random_ids import random_id
from treadle.aws.states.call import Call
from treadle.aws.states.executions import execution_input
from treadle.aws.states.mock_context import read_context
from treadle.aws.states.mocks import (
    EXCEEDED,
    EXCEEDED_CAUSE,
    Mock,
    check_cause,
    check_failures,
    check_mock,
    exceeds_tolerance,
    invalid,
    read_items,
    read_mock,
    state_type,
)
from treadle.document import Document, decode
from treadle.engine.probe import Probe
from treadle.engine.program import Program, compile_definition
from treadle.engine.signals import TaskFailed, TaskSucceeded
from treadle.engine.states.task_state import TaskNode
from treadle.engine.trial import Facts, Place, Trial, Verdict, find_state
from treadle.language.diagnostics import Diagnostic, invalid_definition_message
from treadle.language.resources import Resource
from treadle.language.single_state import STATE_NAME, machine_of_state
from treadle.runtime.trials import Trials
from treadle.tasks.contract import HttpExchange
from treadle.tasks.objections import objections

_INPUT = ("afterInputPath",)
_FORK_OUTPUT = ("afterResultSelector", "afterResultPath")
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "Task": ("afterArguments", *_INPUT, "afterParameters", "result", *_FORK_OUTPUT),
    "Pass": (*_INPUT, "afterParameters", "result", *_FORK_OUTPUT),
    "Choice": _INPUT,
    "Wait": _INPUT,
    "Succeed": _INPUT,
    "Fail": _INPUT,
    "Parallel": _FORK_OUTPUT,
    "Map": (
        *_INPUT,
        "afterItemsPath",
        "afterItemSelector",
        "afterItemBatcher",
        *_FORK_OUTPUT,
        "maxConcurrency",
        "toleratedFailureCount",
        "toleratedFailurePercentage",
    ),
}
"""The stages that each type of state shows. Recorded for all but Wait, and the output of a Map with JSONPath."""


async def test_state(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Answers HTTP 200 whatever becomes of the state, unless the request itself is at fault."""
    mock = read_mock(request)
    program, place = _find(call, request)
    await asyncio.to_thread(check_mock, mock, place)
    configuration = request.get("stateConfiguration", {})
    check_cause(configuration, place)
    trial = _trial(call, request, program, place, configuration)
    exchange: HttpExchange | None = None
    if mock is not None:
        await asyncio.to_thread(_mocked, trial, mock, configuration, call.backend.clock.now())
    else:
        _check_task(call, request, place)
        trial.begin(call.backend.clock.now())
        exchange = await _carry_out(call, trial)
    # Without a verdict, there is nobody to tell it any more.
    return {} if trial.verdict is None else _answer(trial, trial.verdict, request, exchange)


def _find(call: Call, request: dict[str, Any]) -> tuple[Program, Place]:
    """The state under test. Raises InvalidDefinition, ValidationException."""
    name = request.get("stateName")
    definition = request["definition"] if name is not None else machine_of_state(request["definition"])
    limits = call.backend.options.limits
    compiled = compile_definition(
        definition, "STANDARD", limits, lambda resource: None, objections=objections, runs=False
    )
    if compiled.program is None:
        raise ApiError("InvalidDefinition", invalid_definition_message(compiled.diagnostics))
    place = find_state(compiled.program.scope, STATE_NAME if name is None else name)
    if place is None:
        raise invalid("State not found in definition")
    return compiled.program, place


def _trial(
    call: Call, request: dict[str, Any], program: Program, place: Place, configuration: Mapping[str, Any]
) -> Trial:
    """Everything is read, and nothing has happened."""
    context, role_arn = request.get("context"), request.get("roleArn")
    machine_name, name = random_id(), random_id()
    machine_arn = call.machine_arn_prefix + machine_name
    trial = Trial(
        program,
        place,
        # It is like an Express execution, only that its ARN ends with its name (recorded: state_task_catch_error).
        facts=Facts(
            arn=f"{machine_arn.replace(':stateMachine:', ':express:', 1)}:{name}",
            name=name,
            machine_arn=machine_arn,
            machine_name=machine_name,
            role_arn="" if role_arn is None else check_role(role_arn),
        ),
        input=execution_input(call, request),
        now=call.backend.clock.now(),
        seconds=call.backend.options.limits.test_state_seconds,
        outside=_NobodyOutside(call.backend.trials),
        probe=Probe(
            None if context is None else read_context(context, in_map=place.in_map),
            read_items(configuration, place.node),
        ),
    )
    if not trial.assign(_variables(request)):
        raise invalid("The variables are larger than those of an execution may be.")
    return trial


class _NobodyOutside:
    """Implements `engine.execution.Outside`: a mocked task is nobody's, and every activity is there."""

    def __init__(self, trials: Trials) -> None:
        self._token = uuid4().hex
        self._trials = trials

    def task_token(self, attempt: int) -> str:
        return self._token

    def activity_exists(self, arn: str) -> bool:
        return True

    def unusable(self, resource: Resource, parameters: Document) -> str | None:
        return self._trials.unusable(resource, parameters)


def _variables(request: dict[str, Any]) -> dict[str, Document]:
    """Raises ValidationException; AWS's wording is not known."""
    text = request.get("variables")
    if text is None:
        return {}
    try:
        variables = decode(text)
    except ValueError:
        variables = None
    if not isinstance(variables, dict):
        raise invalid("The variables must be a JSON object.")
    return {name: Document(value) for name, value in variables.items()}


# What comes of it


def _mocked(trial: Trial, mock: Mock, configuration: Mapping[str, Any], now: int) -> None:
    """Put the mock in place of the task or the iterations, if the state gets as far as that."""
    # Only a Map that got a result can fail otherwise than with the mocked error.
    trial.begin(now, error=mock.error or EXCEEDED, retried=_retried(trial, configuration))
    if trial.verdict is not None:
        return
    if trial.task is not None:
        attempt = trial.task.attempt
        if mock.result is not None:
            trial.receive(TaskSucceeded(attempt, mock.result), now)
        else:
            trial.receive(TaskFailed(attempt, mock.error, mock.cause), now)
        return
    iterations = trial.iterations
    assert iterations is not None, "a state that waits has a task or children"
    check_failures(configuration, iterations)
    if mock.result is None:
        trial.fail(mock.error, mock.cause, now)
    elif exceeds_tolerance(configuration, iterations, trial.probe.seen):
        trial.fail(EXCEEDED, EXCEEDED_CAUSE, now)
    else:
        trial.succeed(mock.result, now)


def _retried(trial: Trial, configuration: Mapping[str, Any]) -> int:
    """How often the state has been tried again before. AWS's page names both places."""
    state = (trial.probe.context or {}).get("State", {})
    return int(configuration.get("retrierRetryCount", state.get("RetryCount", 0)))


def _check_task(call: Call, request: dict[str, Any], place: Place) -> None:
    """Whether a task that is not mocked can be run. Raises ValidationException, InvalidDefinition."""
    if not isinstance(place.node, TaskNode):
        return
    if request.get("roleArn") is None:
        raise invalid("RoleArn must be specified when testing a Task state")
    why = call.backend.trials.refuses(place.node.resource)
    if why is not None:
        finding = Diagnostic(code="NOT_IMPLEMENTED", message=why)
        raise ApiError("InvalidDefinition", invalid_definition_message([finding]))


async def _carry_out(call: Call, trial: Trial) -> HttpExchange | None:
    """Until there is a verdict, or the caller has gone away. Of an HTTP task, what it sent and got."""
    if trial.verdict is not None:
        return None
    running = asyncio.create_task(call.backend.trials.run(trial))
    try:
        return running.result() if await call.wait_for(running) else None
    finally:
        running.cancel()


def _answer(trial: Trial, verdict: Verdict, request: dict[str, Any], exchange: HttpExchange | None) -> dict[str, Any]:
    level = request.get("inspectionLevel", "INFO")
    inspection = None if level == "INFO" else _inspection(trial, verdict)
    if inspection is not None and level == "TRACE" and exchange is not None:
        inspection |= _traced(exchange, reveal=request.get("revealSecrets", False))
    members = {
        "output": None if verdict.output is None else verdict.output.text,
        "error": verdict.error,
        "cause": verdict.cause,
        "inspectionData": inspection,
        "nextState": verdict.next_state,
        "status": verdict.status,
    }
    return {name: value for name, value in members.items() if value is not None}


def _inspection(trial: Trial, verdict: Verdict) -> dict[str, Any]:
    """DEBUG and TRACE are alike, but for HTTP tasks."""
    seen = trial.probe.seen
    shown = {name: seen[name] for name in _SHOWN[state_type(trial.node)] if name in seen}
    details = {
        "catchIndex": verdict.catcher,
        "retryIndex": verdict.retrier,
        "retryBackoffIntervalSeconds": verdict.backoff_seconds,
    }
    details = {name: value for name, value in details.items() if value is not None}
    variables = trial.variables
    return {
        "input": trial.input.text,
        **{name: value.text if isinstance(value, Document) else value for name, value in shown.items()},
        **({"variables": variables.text} if variables.value else {}),
        **({"errorDetails": details} if details else {}),
    }


def _traced(exchange: HttpExchange, reveal: bool) -> dict[str, Any]:
    """A secret is what the connection adds to the request (API_TestState, revealSecrets)."""
    request = exchange.request_with_secrets if reveal else exchange.request
    return {"request": request, **({} if exchange.response is None else {"response": exchange.response})}
