"""Records, filters over them, and what answers say of them."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.deliveries.queue_events import compile_filter, failed_items, record_of
from treadle.deliveries.targets import Arn
from treadle.neighbours.event_patterns import PatternError

QUEUE = Arn.read("arn:aws:sqs:eu-west-1:123456789012:orders")
IDS = {"a", "b"}


def record(body: str = "one", **message: Any) -> dict[str, Any]:
    assert QUEUE is not None
    return record_of({"MessageId": "a", "ReceiptHandle": "r", "Body": body, "MD5OfBody": "m", **message}, QUEUE)


def test_attributes_of_a_message() -> None:
    made = record(
        MessageAttributes={"n": {"DataType": "Number", "StringValue": "1"}, "b": {"BinaryValue": b"\x00\xff"}},
        MD5OfMessageAttributes="d",
        Attributes={"SentTimestamp": "5"},
    )
    assert made["attributes"] == {"SentTimestamp": "5"}
    assert made["md5OfMessageAttributes"] == "d"
    lists: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert made["messageAttributes"] == {
        "n": {"stringValue": "1", **lists, "dataType": "Number"},
        "b": {"binaryValue": "AP8=", **lists, "dataType": "String"},
    }


@pytest.mark.parametrize(
    ("pattern", "body", "wanted"),
    [
        ('{"body": {"a": [1]}}', '{"a": 1}', True),
        ('{"body": {"a": [1]}}', '{"a": 2}', False),
        ('{"body": {"a": [1]}}', "text", False),
        ('{"body": {"a": [{"exists": false}]}}', '{"b": 1}', True),
        ('{"body": {"a": [{"exists": false}]}}', "text", False),
        ('{"body": {"a": [{"exists": false}]}}', "[1]", False),
        ('{"body": ["text"]}', "text", True),
        ('{"body": ["text"]}', "other", False),
        ('{"body": [{"prefix": "{"}]}', '{"a": 1}', False),
        ('{"attributes": {"MessageGroupId": ["g"]}}', "text", True),
        ('{"messageAttributes": {"kind": {"stringValue": ["x"]}}}', "text", True),
        ('{"messageAttributes": {"kind": {"stringValue": ["y"]}}}', "text", False),
        ('{"$or": [{"body": {"a": [1]}}, {"body": ["text"]}]}', "text", True),
        ('{"$or": [{"body": {"a": [1]}}, {"body": ["text"]}]}', '{"a": 1}', True),
    ],
)
def test_filters(pattern: str, body: str, wanted: bool) -> None:
    attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
    made = record(body, MessageAttributes=attributes, Attributes={"MessageGroupId": "g"})
    assert compile_filter(pattern)(made) is wanted


@pytest.mark.parametrize("pattern", ["", "{", "[]", "{}", '{"body": 1}', '{"body": [{"wild": 1}]}', "[" * 2_000])
def test_what_is_no_filter(pattern: str) -> None:
    with pytest.raises(PatternError):
        compile_filter(pattern)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]}', IDS),
        (b'{"batchItemFailures": [{"itemIdentifier": "c"}]}', IDS),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', IDS),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', IDS),
        (b'{"batchItemFailures": [{"itemIdentifier": ["a"]}]}', IDS),
        (b'{"batchItemFailures": [{"id": "a"}]}', IDS),
        (b'{"batchItemFailures": ["a"]}', IDS),
        (b'{"batchItemFailures": "a"}', IDS),
        (b'"text"', IDS),
        (b"[]", IDS),
        (b"no JSON", IDS),
    ],
)
def test_what_an_answer_says(answer: bytes, failed: set[str]) -> None:
    assert set(failed_items(answer, IDS)) == failed
