"""What topics of moto deliver, in AWS's forms: to functions of Treadle, queues in any account, and HTTP endpoints.

moto keeps topics and subscriptions and decides which message passes which filter policy; this takes over from there.
A message that cannot be delivered goes to the queue of the subscription's RedrivePolicy. A subscription of an HTTP
endpoint counts as confirmed at once.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from msgspec import Struct

from treadle.neighbours.moto import callback
from treadle.neighbours.moto.callback import Later
from treadle.neighbours.moto.destinations import text_attributes, to_queue

_HTTP_SECONDS = 15
"""AWS waits so long for an endpoint."""


class _Notification(Struct, frozen=True):
    subscription: Any
    message: str
    message_id: str
    subject: str | None
    attributes: Mapping[str, Any]
    group: str | None
    once: str | None

    @property
    def raw(self) -> bool:
        return str(self.subscription.attributes.get("RawMessageDelivery")).lower() == "true"

    def envelope(self) -> dict[str, Any]:
        """What subscribers get around the message, signed with moto's certificate for the subscription."""
        subscription = self.subscription
        made = dict(subscription.get_post_data(self.message, self.message_id, self.subject, self.attributes))
        version = str(getattr(subscription.topic, "signature_version", "1"))
        region = subscription.topic.sns_backend.region_name
        unsubscribe = f"?Action=Unsubscribe&SubscriptionArn={subscription.arn}"
        return {
            **made,
            "SignatureVersion": version,
            "Signature": _signature(subscription.private_key(), version, made),
            "UnsubscribeURL": f"https://sns.{region}.amazonaws.com/{unsubscribe}",
        }


def correct() -> None:
    models: Any = import_module("moto.sns.models")
    models.Subscription.publish = _publish
    models.SNSBackend._get_topic_subscriptions = _subscriptions
    _correct_publish()


def _subscriptions(_: Any, topic: Any) -> list[Any]:
    """Those of other accounts, too: they are kept with their owners."""
    backends: Any = import_module("moto.sns.models").sns_backends
    everywhere = [backend for account in list(backends.values()) for backend in list(account.values())]
    return [each for backend in everywhere for each in list(backend.subscriptions.values()) if each.topic is topic]


def _publish(
    self: Any,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """In place of the method of moto's Subscription."""
    matcher = self._filter_policy_matcher
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    if message_structure == "json":
        message = self._parse_message_structure(message, self.protocol)
    deliver = _PROTOCOLS.get(self.protocol)
    if deliver is not None:
        attributes = message_attributes or {}
        deliver(_Notification(self, message, message_id, subject, attributes, group_id, deduplication_id))


def _signature(key: Any, version: str, envelope: Mapping[str, Any]) -> str:
    """Of these members, in this order; those that are not there are left out. Version 1 is SHA-1, and what a topic has
    unless its attribute SignatureVersion says 2: SHA-256.
    (https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html)"""
    hashes: Any = import_module("cryptography.hazmat.primitives.hashes")
    padding: Any = import_module("cryptography.hazmat.primitives.asymmetric.padding")
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()


def _to_function(notification: _Notification) -> None:
    envelope = notification.envelope()
    sns = {
        "Type": "Notification",
        "MessageId": notification.message_id,
        "TopicArn": notification.subscription.topic.arn,
        "Subject": notification.subject,
        "Message": notification.message,
        "Timestamp": envelope["Timestamp"],
        "SignatureVersion": envelope["SignatureVersion"],
        "Signature": envelope["Signature"],
        "SigningCertUrl": envelope["SigningCertURL"],
        "UnsubscribeUrl": envelope["UnsubscribeURL"],
        "MessageAttributes": notification.attributes,
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": notification.subscription.arn,
        "Sns": sns,
    }
    callback.treadle().invoke(
        notification.subscription.endpoint,
        {"Records": [record]},
        lambda trouble: _to_dead_letters(notification, json.dumps(envelope), trouble),
    )


def _to_queue(notification: _Notification) -> None:
    if notification.raw:
        body, attributes = (
            notification.message,
            {
                name: {
                    "DataType": each["Type"],
                    "BinaryValue" if each["Type"].startswith("Binary") else "StringValue": each["Value"],
                }
                for name, each in notification.attributes.items()
            },
        )
    else:
        body, attributes = json.dumps(notification.envelope(), indent=2), {}
    arn = notification.subscription.endpoint
    try:
        to_queue(arn, body, attributes=attributes, group=notification.group, once=notification.once)
    except Exception as error:  # whatever it is, the other subscribers get theirs
        _to_dead_letters(notification, body, str(error))


def _to_endpoint(notification: _Notification) -> None:
    endpoint = notification.subscription.endpoint
    body = notification.message if notification.raw else json.dumps(notification.envelope(), indent=2)
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": notification.message_id,
        "x-amz-sns-topic-arn": notification.subscription.topic.arn,
        "x-amz-sns-subscription-arn": notification.subscription.arn,
        **({"x-amz-sns-rawdelivery": "true"} if notification.raw else {}),
    }

    def act() -> None:
        requests: Any = import_module("requests")
        try:
            answer = requests.post(
                endpoint, data=body.encode(), headers=headers, timeout=_HTTP_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Later(str(error)) from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Later(f"{endpoint} answered {answer.status_code}")
        if answer.status_code >= 400:
            raise ValueError(f"{endpoint} answered {answer.status_code}")

    what = f"a message of {notification.subscription.topic.arn} to {endpoint}"
    callback.treadle().deliver(what, act, lambda trouble: _to_dead_letters(notification, body, trouble))


def _to_dead_letters(notification: _Notification, body: str, trouble: str) -> None:
    policy = notification.subscription.attributes.get("RedrivePolicy")
    if not policy:
        return
    attributes = text_attributes(RequestID=notification.message_id, ErrorCode="400", ErrorMessage=trouble)
    to_queue(json.loads(policy)["deadLetterTargetArn"], body, attributes=attributes, group=notification.group)


_PROTOCOLS: Mapping[str, Callable[[_Notification], None]] = {
    "lambda": _to_function,
    "sqs": _to_queue,
    "http": _to_endpoint,
    "https": _to_endpoint,
}


def _correct_publish() -> None:
    """Errors of Publish in AWS's words, and a sequence number for each message to a FIFO topic. (Recorded:
    services/sns_task_service--fifo_message_attribute--*, sns_task_service--publish_base_error_topic_arn.)"""
    exceptions: Any = import_module("moto.sns.exceptions")
    responses: Any = import_module("moto.sns.responses")
    publish = responses.SNSResponse.publish
    numbers = itertools.count(10**19)

    def corrected(self: Any) -> Any:
        arn = self._get_param("TopicArn")
        topic = self.backend.topics.get(arn)
        if arn and topic is None:
            raise exceptions.SNSNotFoundError("Topic does not exist")
        in_order = topic is not None and topic.fifo_topic
        if in_order and not self._get_param("MessageGroupId"):
            text = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
            raise exceptions.SNSInvalidParameter(text)
        answer = publish(self)
        if in_order:
            answer.result["SequenceNumber"] = str(next(numbers))
        return answer

    responses.SNSResponse.publish = corrected
