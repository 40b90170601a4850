"""Where services inside moto send to others inside moto: queues, topics, log groups, by their ARNs, in any account
and region.

Each raises what moto raises if the destination is not there or does not take it. Everything of moto is imported late
and without its types: its modules are slow to import, and are here used as they were not meant to be.
"""

from __future__ import annotations

import time
import uuid
from importlib import import_module
from typing import Any

from treadle.neighbours.moto.callback import place

Attributes = dict[str, dict[str, Any]]
"""Message attributes as SQS has them: DataType, and StringValue or BinaryValue."""


def backend(service: str, arn: str) -> Any:
    """moto's, of the account and region of the ARN. Raises ValueError."""
    account, region = place(arn)
    return getattr(import_module(f"moto.{service}.models"), f"{service}_backends")[account][region]


def to_queue(
    arn: str, body: str, *, attributes: Attributes | None = None, group: str | None = None, once: str | None = None
) -> None:
    """`once`: the deduplication id."""
    backend("sqs", arn).send_message(
        arn.rpartition(":")[2],
        body,
        message_attributes=attributes or {},
        group_id=group,
        deduplication_id=once,
        validate_group_id=False,
    )


def to_topic(arn: str, message: str, subject: str | None = None) -> None:
    backend("sns", arn).publish(arn=arn, message=message, subject=subject)


def to_log_group(arn: str, message: str) -> None:
    """In a stream of its own, as EventBridge does."""
    logs = backend("logs", arn)
    group, stream = arn.split(":log-group:", 1)[1].removesuffix(":*"), str(uuid.uuid4())
    logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": message}])


def text_attributes(**values: str) -> Attributes:
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
