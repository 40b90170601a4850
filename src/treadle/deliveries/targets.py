"""Delivery to an ARN: which ARNs can be delivered to, and what is called for each kind of them.

    kind        ARN                                              call
    sqs         arn:aws:sqs:REGION:ACCOUNT:QUEUE                 GetQueueUrl, SendMessage
    sns         arn:aws:sns:REGION:ACCOUNT:TOPIC                 Publish
    events      arn:aws:events:REGION:ACCOUNT:event-bus/BUS      PutEvents
    states      arn:aws:states:REGION:ACCOUNT:stateMachine:NAME  StartExecution, versions and aliases too
    s3          arn:aws:s3:::BUCKET                              PutObject
    lambda      arn:aws:lambda:REGION:ACCOUNT:function:NAME      an asynchronous invocation: see `invocations.py`

`Targets.send` tries once and waits for the answer. What must not be lost goes through `Deliveries.post` (queue.py),
which takes every kind of this table, and calls `send` until it succeeds.

A call counts for the account and region of the ARN, as with a policy that allows it; nobody checks policies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct

from treadle.deliveries.contract import Message, NotNow, Undeliverable
from treadle.neighbours.contract import EmulatorMissing, NeighbourUnavailable
from treadle.neighbours.directory import UnknownNeighbour
from treadle.tasks.contract import ServiceFault, StepFunctions
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_TRANSIENT = frozenset(
    {
        "InternalException",
        "InternalFailure",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes of faults that pass."""


class Arn(Struct, frozen=True):
    """arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE"""

    text: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def read(cls, text: str) -> Arn | None:
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
            return None
        return cls(text, *parts[2:])


def kind_of(arn: str) -> str | None:
    """The kind of target that an ARN names, a key of the table above; None: nothing can be delivered to it."""
    read = Arn.read(arn)
    if read is None:
        return None
    beginning, needs_account = _RESOURCES.get(read.service, ("", None))
    if needs_account is None or not read.resource.startswith(beginning) or read.resource == beginning:
        return None
    return read.service if needs_account == bool(read.region and read.account) else None


_RESOURCES: Mapping[str, tuple[str, bool]] = {
    "sqs": ("", True),
    "sns": ("", True),
    "events": ("event-bus/", True),
    "states": ("stateMachine:", True),
    "s3": ("", False),
    "lambda": ("function:", True),
}
"""How the resource in an ARN of the kind begins, and whether there are a region and an account in it."""


class Targets:
    """Everything that can be delivered to, but functions."""

    def __init__(self, services: ServiceCalls, step_functions: StepFunctions) -> None:
        self._services = services
        self._step_functions = step_functions

    async def send(self, arn: str, message: Message) -> None:
        """Deliver a message once. Raises Undeliverable, NotNow."""
        kind = kind_of(arn)
        send = _SENDERS.get(kind or "")
        target = Arn.read(arn)
        if send is None or target is None:
            raise Undeliverable(f"nothing can be sent to {arn}")
        try:
            await send(self, target, message)
        except ServiceFault as fault:
            # 501: nobody implements it, and that does not pass.
            passes = (fault.status >= 500 and fault.status != 501) or fault.status == 429 or fault.code in _TRANSIENT
            raise (NotNow if passes else Undeliverable)(f"{arn}: {fault}") from fault
        except (EmulatorMissing, UnknownNeighbour) as error:
            raise Undeliverable(f"{arn}: {error}") from error
        except NeighbourUnavailable as error:
            raise NotNow(f"{arn}: {error}") from error

    async def _call(
        self, client: str, operation: str, members: dict[str, Any], target: Arn, message: Message
    ) -> dict[str, Any]:
        """`client`: botocore's name of the service. Raises ServiceFault, NeighbourUnavailable, UnknownNeighbour."""
        answered = await self._services.call(
            load(client).operation_model(operation),
            members,
            account=target.account or message.account,
            region=target.region or message.region,
            token=message.id,
        )
        return answered.members

    async def _to_queue(self, target: Arn, message: Message) -> None:
        named = {"QueueName": target.resource, "QueueOwnerAWSAccountId": target.account}
        url = (await self._call("sqs", "GetQueueUrl", named, target, message))["QueueUrl"]
        members = {"QueueUrl": url, "MessageBody": message.body, **_attributes(message), **_in_order(target, message)}
        await self._call("sqs", "SendMessage", members, target, message)

    async def _to_topic(self, target: Arn, message: Message) -> None:
        members = {"TopicArn": target.text, "Message": message.body, **_attributes(message)}
        if message.subject is not None:
            members["Subject"] = message.subject
        await self._call("sns", "Publish", {**members, **_in_order(target, message)}, target, message)

    async def _to_bus(self, target: Arn, message: Message) -> None:
        entry = {
            "EventBusName": target.text,
            "Source": message.source,
            "DetailType": message.detail_type,
            "Detail": message.body,
            "Resources": list(message.resources),
        }
        answer = await self._call("events", "PutEvents", {"Entries": [entry]}, target, message)
        if answer.get("FailedEntryCount"):
            refused = answer["Entries"][0]
            raise ServiceFault(refused.get("ErrorCode", ""), refused.get("ErrorMessage", ""), 400, message.id)

    async def _to_machine(self, target: Arn, message: Message) -> None:
        request = {"stateMachineArn": target.text, "name": message.id, "input": message.body}
        await self._step_functions.call("StartExecution", request, account=target.account, region=target.region)

    async def _to_bucket(self, target: Arn, message: Message) -> None:
        members = {"Bucket": target.resource, "Key": message.key or message.id, "Body": message.body.encode()}
        await self._call("s3", "PutObject", members, target, message)


_SENDERS: Mapping[str, Callable[[Targets, Arn, Message], Awaitable[None]]] = {
    "sqs": Targets._to_queue,
    "sns": Targets._to_topic,
    "events": Targets._to_bus,
    "states": Targets._to_machine,
    "s3": Targets._to_bucket,
}


def _attributes(message: Message) -> dict[str, Any]:
    if not message.attributes:
        return {}
    made = {
        name: {"DataType": attribute.type, "StringValue": attribute.value}
        for name, attribute in message.attributes.items()
    }
    return {"MessageAttributes": made}


def _in_order(target: Arn, message: Message) -> dict[str, str]:
    if not target.resource.endswith(".fifo"):
        return {}
    return {"MessageGroupId": message.group or message.id, "MessageDeduplicationId": message.id}
