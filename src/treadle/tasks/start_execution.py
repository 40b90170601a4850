"""`arn:aws:states:::states:startExecution`: an execution as a task of another.

    parameter         what it may be
    StateMachineArn   a state machine, a version or an alias; required
    Input             any JSON; a text is the input's JSON itself, null or none is an empty object (recorded)
    Name              of the execution; a name of our own making if there is none
    TraceHeader       of X-Ray

    pattern             the result
    -                   StartExecution's answer, metadata and all, as soon as the execution has begun
    .waitForTaskToken   what is sent with the token; StartExecution's answer is but TaskSubmitted
    .sync               DescribeExecution's answer when the execution has ended, Input and Output as text
    .sync:2             the same, with Input and Output as JSON

With `.sync`, an execution that ended without success makes the task fail with States.TaskFailed, and the answer is
the cause (recorded: callback/callback--start_execution_sync*).  That the parent's ARN goes into the child's input
under AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID is for the definition to say, as on AWS.

A request that comes again after a restart starts nothing twice.  Without a Name, the execution is named after the
task's token, which is the same then.  With one, an execution of that name and input is this task's own if it has
begun since the attempt was scheduled.  (Express executions have no names of their own, and may start twice.)

A `.sync` task has two parts, to begin and to tell what came of it.  Between them it is for the dispatcher to hear of
the end, so that nothing is at work for as long as the execution runs.  One that is cancelled stops its execution, also
if it was about to begin.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from treadle.document import Document, decode, encode
from treadle.expressions.java import to_string
from treadle.language.resources import Resource
from treadle.limits import Limits
from treadle.tasks.contract import ServiceAnswer, ServiceFault, StepFunctions, TaskOutcome, TaskRequest
from treadle.tasks.parameters import NO_OBJECT, malformed, missing, unsupported
from treadle.tasks.sdk_names import exception_name
from treadle.tasks.sdk_shapes import epoch_milliseconds, to_result
from treadle.tasks.service_models import load

if TYPE_CHECKING:
    from botocore.model import Shape

PARAMETERS = ("StateMachineArn", "Input", "Name", "TraceHeader")
_NAMES = uuid.UUID("5d4bd1ce-2ff6-4b32-8ac4-6e6f9fb2a1f3")
"""The namespace of the names that we make."""
_ALREADY_EXISTS = "ExecutionAlreadyExists"
_TEXTS_OF_JSON = ("Input", "Output")


class _Begun(Struct, frozen=True):
    """What is needed of StartExecution's answer."""

    ExecutionArn: str


_decode_begun = msgspec.json.Decoder(_Begun).decode


class _Start(Struct, frozen=True, kw_only=True):
    """The parameters, and on whose behalf."""

    machine_arn: str
    given_name: str | None
    token: str
    """Of the task: an execution without a name is named after it."""
    input: str
    trace_header: str | None
    account: str
    region: str

    @property
    def name(self) -> str:
        return str(uuid.uuid5(_NAMES, self.token)) if self.given_name is None else self.given_name


async def run_start_execution(
    request: TaskRequest,
    api: StepFunctions,
    limits: Limits,
    end: asyncio.Future[Any] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> TaskOutcome:
    """`end`: of the execution that was submitted (`StepFunctions.watch_end`). Without it, what a task with the pattern
    .sync comes to is what it has submitted. `stopping`: as that of `jobs.JobTask`."""
    start = _start_of(request)
    try:
        if not waits_for_end(request.resource):
            return TaskOutcome(output=await _started(request, start, api))
        if end is None:
            return TaskOutcome(output=await _begun(request, start, api, stopping), submitted=True)
        return _outcome(await _ended(request, start, api, end), limits)
    except ServiceFault as fault:
        return _failed(fault)


def waits_for_end(resource: Resource) -> bool:
    """Whether its tasks begin an execution, and last as long as that."""
    return resource.resource_type == "states" and resource.resource.startswith("startExecution.sync")


def begun_arn(submitted: Document) -> str:
    """The ARN of the execution that was submitted."""
    return _decode_begun(submitted.text).ExecutionArn


async def stop_begun(submitted: Document, api: StepFunctions) -> None:
    with suppress(ServiceFault):  # It has ended by itself.
        await api.stop(begun_arn(submitted))


# -- the request -------------------------------------------------------------------------------------------


def _start_of(request: TaskRequest) -> _Start:
    parameters = request.input.value
    given = parameters.get("Input")
    if given is None:
        given = {}
    return _Start(
        machine_arn=parameters["StateMachineArn"],
        given_name=parameters.get("Name"),
        token=request.token,
        input=given if isinstance(given, str) else encode(given),
        trace_header=parameters.get("TraceHeader"),
        account=request.account,
        region=request.region,
    )


def problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    if not isinstance(parameters, dict):
        return NO_OBJECT
    for field in parameters:
        if field not in PARAMETERS:
            return unsupported(field)
    if parameters.get("StateMachineArn") is None:
        return missing("StateMachineArn")
    for field in PARAMETERS:
        value = parameters.get(field)
        if field != "Input" and value is not None and not isinstance(value, str):
            return malformed(field)
    return None


# -- to begin ----------------------------------------------------------------------------------------------


async def _started(request: TaskRequest, start: _Start, api: StepFunctions) -> Document:
    """StartExecution's answer. Raises ServiceFault."""
    body = {"stateMachineArn": start.machine_arn, "name": start.name, "input": start.input}
    if start.trace_header is not None:
        body["traceHeader"] = start.trace_header
    try:
        answer = await _call(api, start, "StartExecution", body)
    except ServiceFault as fault:
        own = None
        if fault.code == _ALREADY_EXISTS and request.again_since is not None:
            own = await _begun_before(request.again_since, start, api)
        if own is None:
            raise
        answer = own
    return Document(_with_metadata(answer))


async def _begun_before(since: int, start: _Start, api: StepFunctions) -> ServiceAnswer | None:
    """StartExecution's answer for the execution that this task began before the server was restarted, if it did."""
    described = await _call(
        api, start, "DescribeExecution", {"executionArn": api.execution_arn(start.machine_arn, start.name)}
    )
    execution = described.members
    if execution["input"] != start.input or epoch_milliseconds(execution["startDate"]) < since:
        return None
    answer = {name: execution[name] for name in ("executionArn", "startDate")}
    return ServiceAnswer(answer, described.request_id)


async def _call(api: StepFunctions, start: _Start, operation: str, body: dict[str, Any]) -> ServiceAnswer:
    return await api.call(operation, body, account=start.account, region=start.region)


def _with_metadata(answer: ServiceAnswer) -> dict[str, Any]:
    """The answer as the SDK gives it, with the HTTP headers that AWS would have sent."""
    members = answer.members
    length = len(f'{{"executionArn":"{members["executionArn"]}","startDate":{to_string(members["startDate"])}}}')
    headers = {
        "x-amzn-RequestId": answer.request_id,
        "connection": "keep-alive",
        "Content-Length": str(length),
        "Date": formatdate(usegmt=True),
        "Content-Type": "application/x-amz-json-1.0",
    }
    return {
        "ExecutionArn": members["executionArn"],
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": dict(sorted(headers.items(), key=lambda header: header[0].lower())),
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": answer.request_id},
        "StartDate": epoch_milliseconds(members["startDate"]),
    }


# -- to the end --------------------------------------------------------------------------------------------


async def _ended(request: TaskRequest, start: _Start, api: StepFunctions, end: asyncio.Future[Any]) -> dict[str, Any]:
    """What the result shows of the execution that has ended. Raises ServiceFault."""
    assert request.submitted is not None
    arn = begun_arn(request.submitted)
    await api.wait_for_end(arn, end)
    answer = await _call(api, start, "DescribeExecution", {"executionArn": arn})
    shown: dict[str, Any] = to_result(_described_shape(), answer.members, epoch_milliseconds)
    if request.resource.pattern == "sync:2":
        shown.update({name: decode(shown[name]) for name in _TEXTS_OF_JSON if name in shown})
    return shown


async def _begun(request: TaskRequest, start: _Start, api: StepFunctions, stopping: Callable[[], bool]) -> Document:
    """StartExecution's answer. Raises ServiceFault."""
    begin = asyncio.get_running_loop().create_task(_begin(request, start, api))
    try:
        # Cancelled as it were, nobody would know whether there is an execution to stop.
        return await asyncio.shield(begin)
    except asyncio.CancelledError:
        if not stopping():
            with suppress(ServiceFault):  # It never began, or has ended by itself.
                await api.stop((await begin).value["ExecutionArn"])
        raise


async def _begin(request: TaskRequest, start: _Start, api: StepFunctions) -> Document:
    machine = await _call(api, start, "DescribeStateMachine", {"stateMachineArn": start.machine_arn})
    if machine.members["type"] != "STANDARD":
        # An Express execution cannot be waited for. How AWS says so is not known.
        text = "This operation is not supported by this type of state machine"
        raise ServiceFault("StateMachineTypeNotSupported", text, 400, machine.request_id)
    return await _started(request, start, api)


def _outcome(shown: dict[str, Any], limits: Limits) -> TaskOutcome:
    if shown["Status"] == "SUCCEEDED":
        return TaskOutcome(output=Document(shown))
    return TaskOutcome(error="States.TaskFailed", cause=_cause(shown, limits.cause_characters))


def _cause(shown: dict[str, Any], most: int) -> str:
    """The text of it. The causes of executions within executions hold one another, and each escapes the one within:
    without a bound they would double with every level.

    What AWS does with one that is too long is not known. Here it stays JSON as far as that is possible: a long input
    is left out, and then the child's own cause is shortened."""
    text = encode(shown)
    if len(text) <= most:
        return text
    if len(encode(shown["Input"])) > most // 2:
        shown = {**shown, "InputDetails": {"Included": False}}
        del shown["Input"]
    while len(text := encode(shown)) > most and shown.get("Cause"):
        shown["Cause"] = shown["Cause"][: len(shown["Cause"]) // 2]
    return text[:most]


def _described_shape() -> Shape:
    shape = load("stepfunctions").operation_model("DescribeExecution").output_shape
    assert shape is not None
    return shape


# -- the fault ---------------------------------------------------------------------------------------------


def _failed(fault: ServiceFault) -> TaskOutcome:
    """In the words of the AWS SDK for Java 1.x (recorded for other services: `StepFunctions.` and the name of the
    error's class; errors that the model does not know are all AWSStepFunctionsException)."""
    known = {shape.name for shape in load("stepfunctions").error_shapes}
    name = exception_name(fault.code) if fault.code in known else "AWSStepFunctionsException"
    origin = f"Service: AWSStepFunctions; Status Code: {fault.status}; Error Code: {fault.code}"
    return TaskOutcome(
        error=f"StepFunctions.{name}",
        cause=f"{fault.message} ({origin}; Request ID: {fault.request_id}; Proxy: null)",
    )
