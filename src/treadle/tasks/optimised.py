"""`arn:aws:states:::sqs:sendMessage` and the like: operations of other services with a form of their own.

What they are is data (`integration_table.py`); `jobs.py` waits for those with the pattern .sync.  They are calls of the
AWS SDK for Java 1.x, which shows in names and texts:

- a result has, beside the members of the service's answer, SdkHttpMetadata and SdkResponseMetadata (recorded for all
  but EventBridge);
- an error is named after its class there, and those that have none after the service: `DynamoDB.
  ResourceNotFoundException`, `SQS.AmazonSQSException`; the cause ends in `(Service: AmazonSQS; Status Code: 400;
  Error Code: MissingParameter; Request ID: ...; Proxy: null)`.

The headers in a result are those that AWS's own service sends, as recorded, whoever answered: its status and ids are
the answer's, and Content-Length is that of AWS's writing of it.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from treadle.document import Document, decode, encode
from treadle.language import integrations as language
from treadle.language.resources import Resource
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import Answered, ServiceFault, TaskOutcome, TaskRequest
from treadle.tasks.integration_table import INTEGRATIONS
from treadle.tasks.integrations import Integration, Lookup, evaluate
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.parameters import NO_OBJECT, malformed, unsupported
from treadle.tasks.sdk_names import exception_name
from treadle.tasks.sdk_shapes import UnknownField, epoch_milliseconds, misfit, to_request, to_result
from treadle.tasks.service_calls import ServiceCalls

if TYPE_CHECKING:
    from botocore.model import OperationModel

METADATA = ("SdkHttpMetadata", "SdkResponseMetadata")
"""What results have beside the members of the service's answer."""


def integration_of(resource: Resource) -> Integration | None:
    """The integration that the resource names, or None if there is none in the table with its pattern."""
    if language.integration(resource) is None:
        return None
    return INTEGRATIONS.get((resource.resource_type, resource.name))


async def run_optimised(
    request: TaskRequest, integration: Integration, calls: ServiceCalls, payload_bytes: int
) -> TaskOutcome:
    """With the patterns that wait for no job."""
    try:
        output = Document(await ask(request, integration, calls))
    except (ServiceFault, NeighbourUnavailable, Refused) as error:
        return failure(integration, error)
    return (
        TaskOutcome(output=output) if output.size <= payload_bytes else result_too_large(request.resource.resource_type)
    )


class Refused(Exception):
    """The service's answer says that it has not done what the task asks for."""

    def __init__(self, error: str, answer: Any) -> None:
        super().__init__(error)
        self.error = error
        self.answer = answer


async def ask(request: TaskRequest, integration: Integration, calls: ServiceCalls) -> dict[str, Any]:
    """Carry out the operation. The result is the task's, or what it has submitted. Raises ServiceFault,
    NeighbourUnavailable, Refused."""
    parameters = request.input.value
    if integration.lookup is not None:
        parameters = await _looked_up(request, integration, integration.lookup, calls)
    operation = integration.model
    members = _members(integration, operation, parameters)
    if integration.adds is not None:
        integration.adds(members, request)
    if integration.service.client == "sqs":
        await _find_host(members.get("QueueUrl"))
    answer = await calls.call(operation, members, account=request.account, region=request.region, token=request.token)
    result = shown(operation, answer.members)
    if integration.answers is not None:
        result = evaluate(integration.answers, result)
    refusal = integration.refusal
    if refusal is not None and request.resource.pattern in refusal.patterns and evaluate(refusal.found, result):
        raise Refused(refusal.error, result)
    headers = integration.service.headers if integration.headers is None else integration.headers
    if headers:
        result = dict(sorted({**result, **_metadata(headers, operation, answer)}.items()))
    return result


def shown(operation: OperationModel, members: dict[str, Any]) -> dict[str, Any]:
    """The members of an answer as a workflow sees them."""
    shape = operation.output_shape
    return {} if shape is None else dict(to_result(shape, members, epoch_milliseconds, _capitalised))


def _capitalised(member: str) -> str:
    return member[:1].upper() + member[1:]


# -- the request -------------------------------------------------------------------------------------------


def problem(integration: Integration, parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    if not isinstance(parameters, dict):
        return NO_OBJECT
    for field in parameters:
        if field in integration.left_out or (integration.sends and field not in integration.parameters):
            return unsupported(field)
    if integration.lookup is not None and (given := _given_id(integration.lookup, parameters)) is not None:
        return given
    operation = integration.model
    try:
        members = _members(integration, operation, parameters)
    except UnknownField as error:
        return unsupported(error.field)
    wrong = misfit(operation.input_shape, members)
    return None if wrong is None else malformed(wrong)


def _given_id(lookup: Lookup, parameters: dict[str, Any]) -> str | None:
    """The task has to name what it describes, and not to give its id."""
    described = parameters.get(lookup.described)
    if not isinstance(described, dict):
        return malformed(lookup.described)
    return unsupported(lookup.id_member) if lookup.id_member in described else None


def _members(integration: Integration, operation: OperationModel, parameters: dict[str, Any]) -> dict[str, Any]:
    """The operation's, by the names of its model. Raises UnknownField."""
    if integration.sends is not None:
        parameters = evaluate(integration.sends, parameters)
    return dict(to_request(operation.input_shape, parameters, native_within=True))


async def _looked_up(
    request: TaskRequest, integration: Integration, lookup: Lookup, calls: ServiceCalls
) -> dict[str, Any]:
    """The parameters, with the id of what they name. Raises ServiceFault, NeighbourUnavailable."""
    parameters: dict[str, Any] = request.input.value
    operation = integration.operation_model(lookup.listing)
    asked = evaluate(lookup.of, parameters)
    name = parameters.get(lookup.named)
    while True:
        members = to_request(operation.input_shape, asked)
        answer = await calls.call(operation, members, account=request.account, region=request.region)
        listed = shown(operation, answer.members)
        for item in listed.get(lookup.among, []):
            if item.get("Name") == name:
                return {**parameters, lookup.described: {**parameters[lookup.described], lookup.id_member: item["Id"]}}
        if not listed.get("Marker"):
            text = f"There is no {lookup.described} of the name '{name}'."
            raise ServiceFault("InvalidRequestException", text, 400, answer.request_id)
        asked = {**asked, "Marker": listed["Marker"]}


async def _find_host(queue_url: Any) -> None:
    """A queue's URL is the address that its message is sent to; whatever its host is, our neighbour is behind it, but
    there must be such a host (recorded: error_handling/task_service_sqs--send_message_no_such_queue). Raises
    NeighbourUnavailable."""
    if not isinstance(queue_url, str):
        return
    host = urlsplit(queue_url if "://" in queue_url else f"https://{queue_url}").hostname or ""
    if host.endswith((".amazonaws.com", ".amazonaws.com.cn", "localhost")):
        return
    try:
        await asyncio.get_running_loop().getaddrinfo(host, None)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "Name or service not known"
        raise NeighbourUnavailable(f"{host}: {reason}") from error


# -- the answer --------------------------------------------------------------------------------------------


def failure(integration: Integration, error: ServiceFault | NeighbourUnavailable | Refused) -> TaskOutcome:
    service = integration.service
    if isinstance(error, Refused):
        return TaskOutcome(error=error.error, cause=encode(error.answer))
    if isinstance(error, NeighbourUnavailable):
        return TaskOutcome(
            error=f"{service.prefix}.SdkClientException", cause=f"Unable to execute HTTP request: {error}"
        )
    known = {shape.name for shape in integration.model.service_model.error_shapes}
    name = exception_name(error.shape) if error.shape in known else service.base_error
    origin = f"Service: {service.product}; Status Code: {error.status}; Error Code: {error.code}"
    return TaskOutcome(
        error=f"{service.prefix}.{name}",
        cause=f"{error.message} ({origin}; Request ID: {error.request_id}; Proxy: null)",
    )


def _metadata(names: tuple[str, ...], operation: OperationModel, answer: Answered) -> dict[str, Any]:
    """`names`: of the headers."""
    body = _as_aws_writes(operation, answer)
    values = {
        "connection": "keep-alive",
        "content-length": str(len(body)),
        "content-type": _content_type(operation),
        "date": formatdate(usegmt=True),
        "server": "Server",
        "x-amz-crc32": str(zlib.crc32(body)),
        "x-amzn-requestid": answer.request_id,
    }
    headers = {name: values[name.lower()] for name in names}
    http, response = METADATA
    return {
        http: {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": dict(sorted(headers.items(), key=lambda header: header[0].lower())),
            "HttpStatusCode": answer.status,
        },
        response: {"RequestId": answer.request_id},
    }


def _content_type(operation: OperationModel) -> str:
    """What the service says its answers are, whoever has answered."""
    protocols = {"query": "text/xml", "rest-json": "application/json"}
    version = operation.service_model.metadata.get("jsonVersion", "1.0")
    return protocols.get(operation.service_model.resolved_protocol, f"application/x-amz-json-{version}")


def _as_aws_writes(operation: OperationModel, answer: Answered) -> bytes:
    """JSON without blanks; the XML of the Query protocol by lines, two blanks for each level. (What botocore asks for
    in CBOR, the SDK for Java 1.x asks for in JSON.)"""
    protocol = operation.service_model.resolved_protocol
    if protocol == "smithy-rpc-v2-cbor":
        return encode(answer.members).encode()
    if protocol != "query":
        return encode(decode(answer.body)).encode() if answer.body else b"{}"
    namespace = operation.service_model.metadata.get("xmlNamespace", "")
    lines = [f'<{operation.name}Response xmlns="{namespace}">', f"  <{operation.name}Result>"]
    lines += [f"    <{name}>{value}</{name}>" for name, value in answer.members.items()]
    lines += [f"  </{operation.name}Result>", "  <ResponseMetadata>"]
    lines += [f"    <RequestId>{answer.request_id}</RequestId>", "  </ResponseMetadata>"]
    return ("\n".join([*lines, f"</{operation.name}Response>"]) + "\n").encode()
