"""`arn:aws:states:::bedrock:invokeModel`: one answer of a model, whose request and answer may be objects of S3.

    parameter                    what it may be
    ModelId                      required
    Body                         the request: any JSON, or text; or
    Input.S3Uri                  the object that holds it
    Output.S3Uri                 the object that the answer goes to, in place of the result
    ContentType, Accept          of the request and of the answer; application/json
    Trace, Guardrail..., ...     those of the operation

The result is {Body, ContentType}: the answer as JSON if it is JSON, else its text.  With Output, `Body` is the S3Uri:
the developer guide says that it is a reference to the object, and not in which form.
"""

from __future__ import annotations

import re
from typing import Any

from treadle.document import Document, decode
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks import optimised
from treadle.tasks.contract import Answered, ServiceFault, TaskOutcome, TaskRequest
from treadle.tasks.integration_table import INVOKE_MODEL
from treadle.tasks.lambda_outcomes import result_too_large
from treadle.tasks.parameters import malformed, missing, unsupported
from treadle.tasks.sdk_call import service_fault
from treadle.tasks.sdk_names import spellings
from treadle.tasks.sdk_shapes import to_request
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_PLACES = ("Input", "Output")
_JSON = "application/json"
_S3_URI = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)


def parameter_names() -> frozenset[str]:
    members = INVOKE_MODEL.model.input_shape.members
    return frozenset((*_PLACES, *(name for member in members for name in spellings(member))))


def problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of a task, or None."""
    if not isinstance(parameters, dict):
        return optimised.problem(INVOKE_MODEL, parameters)
    if parameters.get("ModelId") is None:
        return missing("ModelId")
    for field in _PLACES:
        place = parameters.get(field)
        if place is None:
            continue
        if not isinstance(place, dict):
            return malformed(field)
        for name in place:
            if name != "S3Uri":
                return unsupported(name)
        if _object(place) is None:
            return malformed("S3Uri")
    if ("Body" in parameters) == (parameters.get("Input") is not None):
        # The CDK refuses both and neither; how AWS words it is not known.
        return "Exactly one of the fields 'Body' and 'Input' is required"
    return optimised.problem(INVOKE_MODEL, {name: given for name, given in parameters.items() if name not in _PLACES})


async def run_invoke_model(request: TaskRequest, calls: ServiceCalls, payload_bytes: int) -> TaskOutcome:
    """The parameters have no `problem`."""
    given = {name: value for name, value in request.input.value.items() if value is not None}
    source, target = (given.pop(place, None) for place in _PLACES)
    members = {"contentType": _JSON, "accept": _JSON, **to_request(INVOKE_MODEL.model.input_shape, given)}
    try:
        if source is not None:
            members["body"] = (await _of_s3("GetObject", source, request, calls)).body
        answer = await calls.call(
            INVOKE_MODEL.model, members, account=request.account, region=request.region, token=request.token
        )
        if target is not None:
            await _of_s3("PutObject", target, request, calls, Body=answer.body)
    except _StorageFault as fault:
        return fault.outcome
    except (ServiceFault, NeighbourUnavailable) as error:
        return optimised.failure(INVOKE_MODEL, error)
    body = _shown(answer) if target is None else target["S3Uri"]
    output = Document({"Body": body, "ContentType": answer.members.get("contentType", _JSON)})
    return TaskOutcome(output=output) if output.size <= payload_bytes else result_too_large("bedrock")


def _shown(answer: Answered) -> Any:
    text = answer.body.decode("utf-8", "replace")
    try:
        return decode(text)
    except ValueError:
        return text


class _StorageFault(Exception):
    """S3 has refused. How AWS names such an error is not known; here it is S3's own, as with `aws-sdk:s3`."""

    def __init__(self, outcome: TaskOutcome) -> None:
        super().__init__(outcome.error)
        self.outcome = outcome


async def _of_s3(
    name: str, place: dict[str, Any], request: TaskRequest, calls: ServiceCalls, **members: Any
) -> Answered:
    """Raises _StorageFault, NeighbourUnavailable."""
    operation = load("s3").operation_model(name)
    bucket, key = _object(place) or ("", "")
    asked = {"Bucket": bucket, "Key": key, **members}
    try:
        return await calls.call(operation, asked, account=request.account, region=request.region)
    except ServiceFault as fault:
        raise _StorageFault(service_fault(operation, fault)) from fault


def _object(place: dict[str, Any]) -> tuple[str, str] | None:
    """Bucket and key."""
    uri = place.get("S3Uri")
    match = _S3_URI.fullmatch(uri) if isinstance(uri, str) else None
    return None if match is None else (match["bucket"], match["key"])
