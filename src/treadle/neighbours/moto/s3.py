"""Notifications of buckets in moto, in AWS's forms: to functions of Treadle, queues, topics and EventBridge.

moto says what has happened to which object; which configurations it concerns, and what they send, is here. The form
is that of the S3 user guide, "Event message structure" (version 2.1).
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from urllib.parse import quote_plus, urlsplit

from treadle.neighbours.moto import callback, events
from treadle.neighbours.moto.destinations import to_queue, to_topic

_ANONYMOUS = "127.0.0.1"
_REQUEST_ID = "0000000000000000"
"""moto does not know whose request it was, nor which."""
_REASONS = {
    "ObjectCreated:Put": "PutObject",
    "ObjectCreated:Post": "POST Object",
    "ObjectCreated:Copy": "CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "ObjectRemoved:Delete": "DeleteObject",
    "ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}

_OF_A_SUBRESOURCE = {"ObjectTagging": "tagging", "ObjectAcl": "acl"}
"""Events of requests that name this in their query."""
_FILTER_NAME = re.compile("<Name>(?:Prefix|Suffix)</Name>")

_request = threading.local()
"""`query`: of the request that this thread of moto serves."""

_log = logging.getLogger(__name__)


def correct() -> None:
    notifications: Any = import_module("moto.s3.notifications")
    notifications.send_event = _send_event
    notifications.send_test_event = _send_test_event
    _correct_filters()
    _correct_delete_markers(notifications.S3NotificationEvent)
    _correct_answers()


def _send_event(account_id: str, event_name: Any, bucket: Any, key: Any) -> None:
    """In place of moto's function. `event_name`: such as s3:ObjectCreated:Put."""
    configuration = bucket.notification_configuration
    name = str(event_name.value)
    if configuration is None or key is None or not _asked_for(name):
        return
    sequencer = f"{time.time_ns():018X}"
    for kind, send in _SENDERS.items():
        for each in getattr(configuration, kind):
            if _matches(each, name, key.name):
                _safely(each.arn, send, _records(account_id, name, bucket, key, each.id, sequencer))
    if configuration.event_bridge is not None:
        event = _bridge_event(account_id, name, bucket, key, sequencer, notified=str(event_name.name))
        _safely("EventBridge", lambda _, made: events.publish(made), event)


def _asked_for(event: str) -> bool:
    """moto sets tags and an access control list with every object that is put; AWS tells only of requests to do so."""
    wanted = _OF_A_SUBRESOURCE.get(event.split(":")[1])
    return wanted is None or wanted in getattr(_request, "query", "")


def _safely(arn: str, send: Callable[[str, Any], None], message: Any) -> None:
    """Nobody who puts an object learns whether somebody could be told of it."""
    try:
        send(arn, message)
    except Exception as error:
        _log.warning("a notification for %s is lost: %s", arn, error)


def _send_test_event(account_id: str, bucket: Any) -> None:
    """In place of moto's function, which knows no other accounts."""
    message = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _now(),
        "Bucket": bucket.name,
        "RequestId": _REQUEST_ID,
        "HostId": account_id,
    }
    configuration = bucket.notification_configuration
    for each in configuration.queue:
        _safely(each.arn, _SENDERS["queue"], message)
    for each in configuration.topic:
        _safely(each.arn, _SENDERS["topic"], message)


def _matches(configuration: Any, event: str, key: str) -> bool:
    kind = event.rsplit(":", 1)[0]
    if not {event, f"{kind}:*"} & set(configuration.events):
        return False
    rules = configuration.filters.get("S3Key", {}).get("FilterRule", [])
    parts = {rule["Name"].lower(): rule["Value"] or "" for rule in rules}
    return key.startswith(parts.get("prefix", "")) and key.endswith(parts.get("suffix", ""))


def _records(
    account: str, event: str, bucket: Any, key: Any, configuration: str, sequencer: str
) -> dict[str, list[dict[str, Any]]]:
    thing: dict[str, Any] = {"key": quote_plus(key.name, safe="/")}
    if not event.startswith("s3:ObjectRemoved:"):
        thing |= {"size": key.size, "eTag": key.etag.strip('"')}
    if bucket.is_versioned:
        thing["versionId"] = key.version_id
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": _now(),
        "eventName": event.removeprefix("s3:"),
        "userIdentity": {"principalId": account},
        "requestParameters": {"sourceIPAddress": _ANONYMOUS},
        "responseElements": {"x-amz-request-id": _REQUEST_ID, "x-amz-id-2": _REQUEST_ID},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {"name": bucket.name, "ownerIdentity": {"principalId": account}, "arn": bucket.arn},
            "object": {**thing, "sequencer": sequencer},
        },
    }
    return {"Records": [record]}


def _bridge_event(account: str, event: str, bucket: Any, key: Any, sequencer: str, *, notified: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
    removed = event.startswith("s3:ObjectRemoved:")
    thing: dict[str, Any] = {"key": key.name}
    if not removed:
        thing |= {"size": key.size, "etag": key.etag.strip('"')}
    if bucket.is_versioned:
        thing["version-id"] = key.version_id
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {**thing, "sequencer": sequencer},
        "request-id": _REQUEST_ID,
        "requester": account,
        "source-ip-address": _ANONYMOUS,
        "reason": _REASONS.get(event.removeprefix("s3:"), notified),
    }
    if removed:
        marked = event.endswith("DeleteMarkerCreated")
        detail["deletion-type"] = "Delete Marker Created" if marked else "Permanently Deleted"
    detail_type: Callable[[str], str] = import_module("moto.s3.notifications")._detail_type
    return events.event(account, bucket.region_name, "aws.s3", detail_type(event), [bucket.arn], detail)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SENDERS: dict[str, Callable[[str, Any], None]] = {
    "cloud_function": lambda arn, message: callback.treadle().invoke(arn, message),
    "queue": lambda arn, message: to_queue(arn, json.dumps(message)),
    "topic": lambda arn, message: to_topic(arn, json.dumps(message), "Amazon S3 Notification"),
}
"""By moto's name for the part of a bucket's configuration."""


def _correct_filters() -> None:
    """The names of filters are written with a capital letter, too, as S3's console does."""
    responses: Any = import_module("moto.s3.responses")
    read = responses.S3Response._notification_config_from_body

    def corrected(self: Any) -> Any:
        text = self.body.decode() if isinstance(self.body, bytes) else self.body
        self.body = _FILTER_NAME.sub(lambda found: found[0].lower().replace("name", "Name"), text)
        return read(self)

    responses.S3Response._notification_config_from_body = corrected


def _correct_delete_markers(kinds: Any) -> None:
    """moto tells nobody of them."""
    models: Any = import_module("moto.s3.models")
    set_delete_marker = models.S3Backend._set_delete_marker

    def corrected(self: Any, bucket_name: str, key_name: str) -> Any:
        marker = set_delete_marker(self, bucket_name, key_name)
        event = kinds.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
        _send_event(self.account_id, event, self.get_bucket(bucket_name), marker)
        return marker

    models.S3Backend._set_delete_marker = corrected


def _correct_answers() -> None:
    """Objects are encrypted by default (since January 2023), and a checksum says what it is of. (Recorded:
    services/aws_sdk_task_service--s3_put_object--*.)"""
    responses: Any = import_module("moto.s3.responses")
    key_response = responses.S3Response.key_response

    def corrected(self: Any, request: Any, full_url: str, headers: Any) -> Any:
        _request.query = urlsplit(full_url).query
        status, told, body = key_response(self, request, full_url, headers)
        names = {name.lower() for name in told}
        if status in (200, 206) and "etag" in names and "x-amz-server-side-encryption" not in names:
            told["x-amz-server-side-encryption"] = "AES256"
        if any(name.startswith("x-amz-checksum-") for name in names) and "x-amz-checksum-type" not in names:
            told["x-amz-checksum-type"] = "FULL_OBJECT"
        return status, told, body

    responses.S3Response.key_response = corrected
