"""Queues of moto as event sources of functions: boto3, the `aws` command, and a server that is killed."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import AWS, ENVIRONMENT
from tests.acceptance.noting import Noting, folder_with, noting
from tests.acceptance.server import ACCOUNT, DEADLINE_SECONDS, REGION, poll

HANDLER = """
import json
def handler(event, context):
    failed = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        with open({path!r}, "a") as file:
            file.write(json.dumps([body["n"], record["attributes"].get("MessageGroupId")]) + "\\n")
        if body.get("fail") == "item":
            failed.append({{"itemIdentifier": record["messageId"]}})
        elif body.get("fail"):
            raise RuntimeError("no")
    return {{"batchItemFailures": failed}}
"""


class World(Noting):
    def queue(self, name: str, dead: str | None = None, **attributes: str) -> str:
        """Its URL. `dead`: its dead-letter queue, after two tries."""
        if name.endswith(".fifo"):
            attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes}
        if dead is not None:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 2})
        return str(self.queues.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def send(self, url: str, *bodies: dict[str, Any], group: str | None = None) -> None:
        named = {} if group is None else {"MessageGroupId": group}
        for body in bodies:
            self.queues.send_message(QueueUrl=url, MessageBody=json.dumps(body), **named)

    def map(self, queue: str, **members: Any) -> dict[str, Any]:
        request = {"EventSourceArn": arn(queue), "FunctionName": "note", **members}
        return dict(self.functions.create_event_source_mapping(**request))

    def until_noted(self, *numbers: int) -> None:
        poll(lambda: {n for n, _ in self.noted()} >= set(numbers) or None)

    def until_dead(self, url: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            messages = self.queues.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")
            return dict(json.loads(messages[0]["Body"])) if messages else None

        return poll(look)


def arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_with(HANDLER, tmp_path)


@contextmanager
def world_of(folder: Path, survival_seconds: int = 1) -> Iterator[World]:
    with noting(World, folder, survival_seconds) as world:
        yield world


@pytest.fixture
def world(folder: Path) -> Iterator[World]:
    with world_of(folder) as world:
        yield world
        assert world.server.stop() == 0
        assert world.server.stderr() == ""


def test_the_order_of_message_groups(world: World) -> None:
    url = world.queue("orders.fifo")
    for n in range(10):
        world.send(url, {"n": n}, group="ab"[n % 2])
    world.map("orders.fifo", BatchSize=3)
    world.until_noted(*range(10))
    groups = defaultdict(list)
    for n, group in world.noted():
        groups[group].append(n)
    assert groups == {"a": [0, 2, 4, 6, 8], "b": [1, 3, 5, 7, 9]}


@pytest.mark.parametrize("kind", ["", ".fifo"])
def test_what_fails_comes_again_and_ends_in_the_dead_letter_queue(world: World, kind: str) -> None:
    dead = world.queue(f"dead{kind}")
    url = world.queue(f"orders{kind}", f"dead{kind}", VisibilityTimeout="1")
    world.map(f"orders{kind}")
    group = "a" if kind else None
    world.send(url, {"n": 1, "fail": True}, group=group)
    assert world.until_dead(dead) == {"n": 1, "fail": True}
    assert [n for n, _ in world.noted()] == [1, 1]
    world.send(url, {"n": 2}, group=group)
    world.until_noted(2)


def test_partial_failures(world: World) -> None:
    dead = world.queue("dead")
    url = world.queue("orders", "dead", VisibilityTimeout="1")
    world.send(url, {"n": 1}, {"n": 2, "fail": "item"}, {"n": 3})
    world.map("orders", FunctionResponseTypes=["ReportBatchItemFailures"])
    assert world.until_dead(dead)["n"] == 2
    assert sorted(n for n, _ in world.noted()) == [1, 2, 2, 3]


def test_filters_and_disabling(world: World) -> None:
    url = world.queue("orders")
    criteria = {"Filters": [{"Pattern": '{"body": {"n": [{"numeric": [">", 1]}]}}'}]}
    uuid = world.map("orders", FilterCriteria=criteria)["UUID"]
    world.send(url, {"n": 1}, {"n": 2})
    world.until_noted(2)
    assert [n for n, _ in world.noted()] == [2]
    world.functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    world.send(url, {"n": 3})
    poll(lambda: world.functions.get_event_source_mapping(UUID=uuid)["State"] == "Disabled" or None)
    world.functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    world.until_noted(3)


def test_nothing_is_lost_when_the_server_is_killed(folder: Path) -> None:
    """In the middle of many batches, with moto going on without it."""
    with world_of(folder, survival_seconds=60) as world:
        url = world.queue("orders", VisibilityTimeout="2")
        world.map("orders", BatchSize=1)
        world.send(url, *[{"n": n} for n in range(60)])
        poll(lambda: len(world.noted()) >= 5 or None)
        world.server.kill()
    before = len(world.noted())
    with world_of(folder, survival_seconds=60) as world:
        world.until_noted(*range(60))
        assert len(world.noted()) > before or before >= 60
        (mapping,) = world.functions.list_event_source_mappings()["EventSourceMappings"]
        assert mapping["State"] == "Enabled"
        assert world.server.stop() == 0


def test_the_aws_command(world: World) -> None:
    url = world.queue("orders")

    def aws(*arguments: str) -> Any:
        ran = subprocess.run(
            [str(AWS), "lambda", *arguments, "--output", "json"],
            env={**ENVIRONMENT, "AWS_ENDPOINT_URL": world.server.url, "AWS_ACCESS_KEY_ID": ACCOUNT},
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return json.loads(ran.stdout or "null")

    made = aws(
        *("create-event-source-mapping", "--function-name", "note", "--event-source-arn", arn("orders")),
        *("--batch-size", "5", "--tags", "team=blue"),
    )
    assert (made["State"], made["BatchSize"]) == ("Creating", 5)
    world.send(url, {"n": 1})
    world.until_noted(1)
    uuid = made["UUID"]
    assert aws("get-event-source-mapping", "--uuid", uuid)["State"] == "Enabled"
    assert aws("list-tags", "--resource", made["EventSourceMappingArn"]) == {"Tags": {"team": "blue"}}
    aws("update-event-source-mapping", "--uuid", uuid, "--no-enabled")
    listed = aws("list-event-source-mappings", "--function-name", "note")["EventSourceMappings"]
    assert [each["UUID"] for each in listed] == [uuid]
    assert aws("delete-event-source-mapping", "--uuid", uuid)["State"] == "Deleting"
    assert aws("list-event-source-mappings")["EventSourceMappings"] == []
