"""What becomes of an asynchronous invocation, told to others: invocation records and dead letters.

The forms are those of the Lambda developer guide, pages "Capturing records of Lambda asynchronous invocations" and
"Adding a dead-letter queue".  For a bus the record is the detail of an event, as AWS's announcement of destinations
("Introducing AWS Lambda Destinations") shows it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import msgspec
from msgspec import Struct

from treadle.deliveries.contract import Attribute, Message
from treadle.deliveries.targets import kind_of
from treadle.document import decode
from treadle.functions.contract import Invocation
from treadle.functions.created import FunctionArn
from treadle.functions.function import LATEST

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]

_STATUS = 200
"""What Lambda's Invoke answers with, whether the function failed or not."""
_ERROR_MESSAGE_BYTES = 1_024


class Ended(Struct, frozen=True, kw_only=True):
    """An asynchronous invocation that is over."""

    function_arn: str
    """As it was invoked."""
    event: Message
    condition: Condition
    attempts: int
    """How often the function ran."""
    invocation: Invocation | None
    """The last one; None: it did not run, or there is none to tell of."""
    now: int


def record_message(destination: str, ended: Ended) -> Message:
    """The record, as a destination gets it."""
    arn = FunctionArn.read(ended.function_arn)
    moment = datetime.fromtimestamp(ended.now // 1_000, UTC)
    id = str(uuid4())
    success = ended.condition == "Success"
    members: dict[str, Any] = {}
    match kind_of(destination):
        case "events":
            members = {
                "source": "lambda",
                "detail_type": f"Lambda Function Invocation Result - {'Success' if success else 'Failure'}",
                "resources": (destination, _qualified(arn)),
            }
        case "s3":
            members = {"key": f"aws/lambda/async/{arn.name}/{moment:%Y/%m/%d}/{moment:%Y-%m-%dT%H.%M.%S}-{id}"}
    return Message(
        id=id,
        body=_record(arn, ended),
        account=arn.account,
        region=arn.region,
        trace_id=ended.event.trace_id,
        **members,
    )


def dead_letter(ended: Ended) -> Message:
    """The event itself, with what went wrong beside it."""
    arn = FunctionArn.read(ended.function_arn)
    attributes = {"RequestID": Attribute(ended.event.id)}
    if ended.invocation is not None:
        attributes["ErrorCode"] = Attribute(str(_STATUS), "Number")
        attributes["ErrorMessage"] = Attribute(_error_message(ended.invocation))
    return Message(body=ended.event.body, account=arn.account, region=arn.region, attributes=attributes)


def _record(arn: FunctionArn, ended: Ended) -> str:
    moment = datetime.fromtimestamp(ended.now // 1_000, UTC)
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{ended.now % 1_000:03d}Z",
        "requestContext": {
            "requestId": ended.event.id,
            "functionArn": _qualified(arn),
            "condition": ended.condition,
            "approximateInvokeCount": ended.attempts,
        },
        "requestPayload": msgspec.Raw(ended.event.body.encode()),
    }
    invocation = ended.invocation
    if invocation is not None:
        context: dict[str, Any] = {"statusCode": _STATUS, "executedVersion": invocation.executed_version}
        if invocation.function_error is not None:
            context["functionError"] = invocation.function_error
        record["responseContext"] = context
        record["responsePayload"] = _json(invocation.payload)
    return msgspec.json.encode(record).decode()


def _qualified(arn: FunctionArn) -> str:
    return f"{arn.unqualified}:{arn.qualifier or LATEST}"


def _json(payload: bytes) -> Any:
    """An answer that is no JSON, which a runtime of one's own may give, as a string."""
    text = payload.decode("utf-8", "replace")
    try:
        decode(text)
    except ValueError:
        return text
    return msgspec.Raw(text.encode())


def _error_message(invocation: Invocation) -> str:
    """The first kilobyte of it. A queue takes no attribute that is empty."""
    text = invocation.payload.decode("utf-8", "replace")
    try:
        document = decode(text)
        message = document["errorMessage"] if isinstance(document, dict) else text
    except (ValueError, KeyError):
        message = text
    shortened = str(message).encode()[:_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")
    return shortened or "Unhandled"
