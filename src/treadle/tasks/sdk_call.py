"""`arn:aws:states:::aws-sdk:SERVICE:ACTION`: an operation of a service as a task.

Step Functions' own (`sfn`) are carried out in process, those of other services by their neighbours.

Parameters and result have the form of the AWS SDK for Java 2.x, and so have the errors: `Sfn.InvalidTokenException`,
with the cause `Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ...)` (recorded for other
services).  What the model knows of an error's name is kept; every other error is `Sfn.SfnException`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from treadle.document import Document
from treadle.language.resources import Resource
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import ServiceFault, TaskOutcome, TaskRequest
from treadle.tasks.parameters import NO_OBJECT, malformed, unsupported
from treadle.tasks.sdk_names import error_prefix, exception_name
from treadle.tasks.sdk_shapes import UnknownField, iso_time, misfit, to_request, to_result
from treadle.tasks.service_models import load, sdk_clients, sdk_operation

if TYPE_CHECKING:
    from botocore.model import OperationModel

RESOURCE_TYPE = "aws-sdk:sfn"

Call = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Members of the request to members of the answer, by their names in the service's model. Raises ServiceFault,
NeighbourUnavailable."""


def step_functions_operation(resource: Resource) -> OperationModel | None:
    """The operation that the resource names, or None if it names none of Step Functions'."""
    if resource.resource_type != RESOURCE_TYPE:
        return None
    return sdk_operation(load("stepfunctions"), resource.name)


@lru_cache(maxsize=1_024)
def operation_of(resource: Resource) -> OperationModel | None:
    """The operation of any service that the resource names, or None if it names none."""
    prefix, _, service = resource.resource_type.partition(":")
    client = sdk_clients().get(service)
    return None if prefix != "aws-sdk" or client is None else sdk_operation(load(client), resource.name)


def problem(operation: OperationModel, parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    if not isinstance(parameters, dict):
        return NO_OBJECT
    shape = operation.input_shape
    if shape is None:
        return unsupported(next(iter(parameters))) if parameters else None
    try:
        members = to_request(shape, parameters)
    except UnknownField as error:
        return unsupported(error.field)
    wrong = misfit(shape, members)
    return None if wrong is None else malformed(wrong)


async def run_sdk_call(request: TaskRequest, operation: OperationModel, call: Call) -> TaskOutcome:
    shape = operation.input_shape
    body = {} if shape is None else to_request(shape, request.input.value)
    try:
        answer = await call(body)
    except ServiceFault as fault:
        return service_fault(operation, fault)
    except NeighbourUnavailable as error:
        prefix = error_prefix(operation.service_model.service_id)
        return TaskOutcome(error=f"{prefix}.SdkClientException", cause=f"Unable to execute HTTP request: {error}")
    result = to_result(operation.output_shape, answer, iso_time) if operation.output_shape is not None else {}
    return TaskOutcome(output=Document(result))


def service_fault(operation: OperationModel, fault: ServiceFault) -> TaskOutcome:
    """The refusal of a service as the failure of an `aws-sdk:` task."""
    model = operation.service_model
    prefix = error_prefix(model.service_id)
    known = {shape.name for shape in model.error_shapes}
    name = exception_name(fault.shape) if fault.shape in known else f"{prefix}Exception"
    origin = f"Service: {prefix}, Status Code: {fault.status}, Request ID: {fault.request_id}"
    if fault.extended_request_id is not None:
        origin += f", Extended Request ID: {fault.extended_request_id}"
    return TaskOutcome(error=f"{prefix}.{name}", cause=f"{fault.message} ({origin})")
