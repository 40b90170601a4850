"""What a function gets of a queue's messages, and what its answer says of them.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html and services-sqs-errorhandling.html.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

from treadle.deliveries.targets import Arn
from treadle.document import decode
from treadle.neighbours.event_patterns import Matches, PatternError, compile_object


def record_of(message: dict[str, Any], queue: Arn) -> dict[str, Any]:
    """A message, as ReceiveMessage gives it, as a record of an event."""
    summed = (
        {"md5OfMessageAttributes": message["MD5OfMessageAttributes"]} if "MD5OfMessageAttributes" in message else {}
    )
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _attribute(attribute) for name, attribute in message.get("MessageAttributes", {}).items()
        },
        **summed,
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.text,
        "awsRegion": queue.region,
    }


def _attribute(attribute: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "StringValue" in attribute:
        shown["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        shown["binaryValue"] = base64.b64encode(attribute["BinaryValue"]).decode()
    return {**shown, "stringListValues": [], "binaryListValues": [], "dataType": attribute.get("DataType", "String")}


def compile_filter(pattern: str) -> Matches:
    """Of records, whose body is looked into if it is a JSON object. Raises PatternError.

    A pattern for what is in the body drops messages whose body is no object (documented; so `exists: false` does not
    match there)."""
    try:
        decoded = decode(pattern)
    except ValueError as error:
        raise PatternError(f"it is not JSON: {error}") from error
    matches = compile_object(decoded)
    wants_object = isinstance(decoded.get("body"), dict)

    def wanted(record: dict[str, Any]) -> bool:
        body = _object(record["body"])
        if body is None:
            return not wants_object and matches(record)
        return matches({**record, "body": body})

    return wanted


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def failed_items(answer: bytes, ids: Collection[str]) -> Collection[str]:
    """Which messages of a batch have failed, as the function's answer says. Null, and a list of failures that is null,
    empty or not there, mean none; whatever else Lambda's documentation does not allow means all."""
    try:
        said = decode(answer)
    except ValueError:
        return ids
    if said is None:
        return ()
    failures = said.get("batchItemFailures") or [] if isinstance(said, dict) else None
    if not isinstance(failures, list):
        return ids
    failed = set()
    for failure in failures:
        id = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(id, str) or id not in ids:
            return ids
        failed.add(id)
    return failed
