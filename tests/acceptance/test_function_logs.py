"""What functions write, as users look for it; and a server that is killed while a function runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.acceptance.server import (
    ACCOUNT,
    REGION,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    poll,
)

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
TELL = """
import json, logging, time
def handler(event, context):
    print("hello", event["n"])
    metrics = {"Namespace": "Shop", "Dimensions": [["Service"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}]}
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metrics]}
    print(json.dumps({"_aws": about, "Service": "pay", "Orders": event["n"]}))
    if event["n"] < 0:
        raise ValueError("below zero")
    return context.log_stream_name
"""
STUCK = """
import pathlib, time
def handler(event, context):
    began = pathlib.Path(event["began"])
    if began.exists():
        return "again"
    began.touch()
    while True:
        time.sleep(60)
"""


def client(server: Server, service: str) -> Any:
    return boto3.session.Session().client(
        service, endpoint_url=server.url, region_name=REGION, aws_access_key_id=ACCOUNT, aws_secret_access_key="x"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = folder_with_functions(tmp_path)
    (folder / "functions" / "tell.py").write_text(TELL)
    (folder / "functions" / "stuck.py").write_text(STUCK)
    return folder


def test_logs_and_metrics(folder: Path) -> None:
    """Nothing emulates CloudWatch Logs until somebody asks; then everything is there, and so is what follows."""
    with Server(folder) as server:
        functions, logs = client(server, "lambda"), client(server, "logs")

        def invoked(number: int) -> Any:
            answer = functions.invoke(FunctionName="tell", Payload=json.dumps({"n": number}))
            return json.loads(answer["Payload"].read())

        def messages() -> list[str]:
            found = logs.filter_log_events(logGroupName="/aws/lambda/tell", logStreamNames=[stream])
            return [event["message"] for event in found["events"]]

        stream = invoked(1)
        assert [line.split(" ")[0] for line in messages()] == [
            *("INIT_START", "START", "hello", '{"_aws":', "END", "REPORT")
        ]
        assert invoked(-2)["errorType"] == "ValueError"
        last = messages()[6:]
        assert last[1] == "hello -2\n"
        assert last[3].startswith("[ERROR] ValueError: below zero\nTraceback (most recent call last):\n")
        cloudwatch = client(server, "cloudwatch")
        (metric,) = cloudwatch.list_metrics(Namespace="Shop")["Metrics"]
        assert (metric["MetricName"], metric["Dimensions"]) == ("Orders", [{"Name": "Service", "Value": "pay"}])


def test_a_server_that_is_killed_while_a_function_runs(folder: Path, tmp_path: Path) -> None:
    """The next server runs the task again."""
    began = tmp_path / "began"
    state = {"Type": "Task", "Resource": f"{ARN}stuck", "End": True}
    with Server(folder) as server:
        machine = create_machine(server.api(), "stuck", json.dumps({"StartAt": "S", "States": {"S": state}}))
        data = json.dumps({"began": str(began)})
        execution = server.api().call("StartExecution", stateMachineArn=machine, input=data)["executionArn"]
        poll(lambda: began.exists() or None)
        server.kill()
    with Server(folder) as server:
        ended = ended_execution(server.api(), execution)
        assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"again"')
