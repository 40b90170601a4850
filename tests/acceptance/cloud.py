"""A server whose emulated services have a function of Treadle's to tell things to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.server import ACCOUNT, REGION, ROLE, Server, poll
from tests.acceptance.test_services import client_of

SEEN = """
import json, os

def handler(event, context):
    with open({path!r}, "a") as file:
        file.write(json.dumps(event) + "\\n")
"""
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})


class Cloud:
    """A server, and what its function `seen` has been invoked with."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self._seen = folder / "seen.jsonl"
        self._told = 0

    def client(self, service: str) -> Any:
        return client_of(service, self.server)

    def seen(self, count: int = 1) -> list[Any]:
        """The next events, once there are so many."""

        def look() -> list[Any] | None:
            lines = self._seen.read_text().splitlines() if self._seen.exists() else []
            return lines[self._told :] if len(lines) >= self._told + count else None

        lines = poll(look)
        self._told += len(lines)
        return [json.loads(line) for line in lines]

    def messages(self, url: str, count: int = 1) -> list[dict[str, Any]]:
        sqs = self.client("sqs")
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageAttributeNames=["All"]
            )
            found += answer["Messages"]
        return found

    def machine(self, name: str, definition: str = PASS) -> str:
        answer = self.client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=ROLE)
        return str(answer["stateMachineArn"])

    def inputs(self, machine: str, count: int = 1) -> list[Any]:
        """Of the executions of a machine, once there are so many; the newest first."""
        sfn = self.client("stepfunctions")

        def look() -> list[Any] | None:
            found = sfn.list_executions(stateMachineArn=machine)["executions"]
            return found if len(found) >= count else None

        told = [sfn.describe_execution(executionArn=each["executionArn"]) for each in poll(look)]
        return [json.loads(each["input"]) for each in told]


def function(name: str = "seen") -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def queue(name: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:sqs:{region}:{account}:{name}"
