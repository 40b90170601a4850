"""What moto's queues do otherwise than SQS.

**Order in a FIFO queue.** A message whose visibility time-out has passed still counts as one under way until
somebody asks, and keeps its whole group back while moto goes through the queue. So of two messages of a group that
become visible together, the second was given out, and the first after it.
"""

from __future__ import annotations

from typing import Any


def correct() -> None:
    from moto.sqs import models

    queue: Any = models.Queue
    queue.pending_message_groups = property(_groups_under_way)


def _groups_under_way(queue: Any) -> set[str]:
    """Message groups of which a message is invisible."""
    return {message.group_id for message in queue.pending_messages if message.group_id and not message.visible}
