from __future__ import annotations

from typing import Any

import pytest
from moto.core.utils import unix_time_millis
from moto.sqs import models

from treadle.neighbours.moto import sqs

ACCOUNT = "123456789012"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(models.Queue, "pending_message_groups", models.Queue.pending_message_groups)
    sqs.correct()
    return models.SQSBackend("us-east-1", ACCOUNT)


def test_a_group_keeps_its_order_when_it_comes_again(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = unix_time_millis()
    monkeypatch.setattr(models, "unix_time_millis", lambda: now)
    backend.create_queue("q.fifo", {}, FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="5")
    for body, group in (("1", "a"), ("2", "a"), ("3", "b")):
        backend.send_message("q.fifo", body, group_id=group, deduplication_id=body)

    def receive(count: int = 10) -> list[str]:
        messages = backend.receive_message("q.fifo", count, 0, 5)
        return [message.body for message in messages]

    assert receive(2) == ["1", "2"]
    assert receive() == ["3"]
    assert receive() == []
    now += 5_001
    assert receive(1) == ["1"]
    assert receive() == ["3"]
