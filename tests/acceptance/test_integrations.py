"""Workflows over many services from the `aws` command alone, and jobs that outlive a server: `treadle start` itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import AWS
from tests.acceptance.fake_mediaconvert import FakeMediaConvert
from tests.acceptance.server import (
    ACCOUNT,
    REGION,
    ROLE,
    Api,
    Refused,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    history,
    poll,
)

MANY_SERVICES = Path(__file__).with_name("many_services.asl.json")
TRANSCODE = {
    "StartAt": "Transcode",
    "States": {
        "Transcode": {
            "Type": "Task",
            "Resource": "arn:aws:states:::mediaconvert:createJob.sync",
            "Parameters": {"Role": ROLE, "Settings": {}},
            "End": True,
        }
    },
}


def aws(server: Server, *arguments: str) -> Any:
    """What the command prints, as JSON."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
    }
    done = subprocess.run(
        [AWS, "--endpoint-url", server.url, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[", '"')) else done.stdout


def test_a_workflow_over_many_services(tmp_path: Path) -> None:
    """It makes what it needs: thirteen services of AWS, called by each of the ways that there are."""
    folder = folder_with_functions(tmp_path)
    (folder / "jobs.toml").write_text('[[job]]\nservice = "athena"\noutcome = "succeed"\n')
    with Server(folder) as server:
        _run_many_services(server)


def _run_many_services(server: Server) -> None:
    definition = f"file://{MANY_SERVICES}"
    made = aws(
        server,
        *("stepfunctions", "create-state-machine", "--name", "many"),
        *("--definition", definition, "--role-arn", ROLE),
    )
    begun = aws(
        server,
        *("stepfunctions", "start-execution", "--state-machine-arn", made["stateMachineArn"]),
        *("--input", '{"name": "many-services"}'),
    )
    ended = ended_execution(server.api(), begun["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    item = {"id": {"S": "one"}, "n": {"N": "2"}}
    queue = output.pop("queue")
    assert output == {"item": item, "secret": {"user": "me"}, "called": {"query": "SUCCEEDED"}}
    got = aws(server, *("dynamodb", "get-item", "--table-name", "many-services", "--key", '{"id": {"S": "one"}}'))
    assert got["Item"] == item
    assert aws(server, *("s3", "cp", "s3://many-services/item.json", "-")) == item
    messages: dict[str, Any] = {}
    while len(messages) < 2:  # one that was sent, and one that was published
        received = aws(server, *("sqs", "receive-message", "--queue-url", queue, "--wait-time-seconds", "5"))
        messages |= {message["MessageId"]: json.loads(message["Body"]) for message in received["Messages"]}
    assert sorted(messages.values(), key=str) == [{"sent": "2"}, {"told": "2"}]
    value = aws(server, *("ssm", "get-parameter", "--name", "many-services", "--query", "Parameter.Value"))
    assert value == "2"


def begin_job(api: Api, service: FakeMediaConvert, **members: Any) -> str:
    """An execution that waits for its job, which has been submitted."""
    machine = create_machine(api, "transcode", json.dumps(TRANSCODE), **members)
    execution = str(api.call("StartExecution", stateMachineArn=machine)["executionArn"])
    poll(lambda: True if service.asked("GET") else None)
    return execution


def events_of(api: Api, execution: str) -> list[str]:
    return [event["type"] for event in history(api, execution)]


def test_a_job_goes_on_when_the_server_dies(tmp_path: Path) -> None:
    """It is submitted once, asked for again after the restart, and its end is that of the task."""
    folder = folder_with_functions(tmp_path)
    with FakeMediaConvert() as service:
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            execution = begin_job(server.api(), service)
            server.kill()
        service.finish("COMPLETE")
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            api = server.api()
            ended = ended_execution(api, execution)
            assert json.loads(ended["output"]) == {"Job": {"Id": "job-0", "Role": ROLE, "Status": "COMPLETE"}}
            assert events_of(api, execution)[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
        assert service.asked("POST") == 1
        assert service.asked("DELETE") == 0


def test_a_server_that_stops_leaves_its_jobs_alone(tmp_path: Path) -> None:
    folder = folder_with_functions(tmp_path)
    with FakeMediaConvert() as service:
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            execution = begin_job(server.api(), service)
            assert server.stop() == 0
        assert service.asked("DELETE") == 0
        service.finish("ERROR")
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            ended = ended_execution(server.api(), execution)
            assert ended["error"] == "States.TaskFailed"
            assert json.loads(ended["cause"])["Job"]["Status"] == "ERROR"
        assert service.asked("POST") == 1


def test_an_execution_that_is_stopped_cancels_its_job(tmp_path: Path) -> None:
    """Also under a server that found the job begun."""
    folder = folder_with_functions(tmp_path)
    with FakeMediaConvert() as service:
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            execution = begin_job(server.api(), service)
            server.kill()
        before = service.asked("GET")
        with Server(folder, AWS_ENDPOINT_URL_MEDIACONVERT=service.url) as server:
            api = server.api()
            poll(lambda: True if service.asked("GET") > before else None)
            api.call("StopExecution", executionArn=execution)
            poll(lambda: True if service.asked("DELETE") else None)
            assert ended_execution(api, execution)["status"] == "ABORTED"
        (job,) = service.jobs.values()
        assert job["status"] == "CANCELED"


def test_a_service_that_nobody_answers_for_is_refused_in_advance(server: Server) -> None:
    task = {"Type": "Task", "Resource": "arn:aws:states:::bedrock:invokeModel", "End": True}
    task["Parameters"] = {"ModelId": "m", "Body": {}}
    with pytest.raises(Refused, match="AWS_ENDPOINT_URL_BEDROCK_RUNTIME names an endpoint for it"):
        create_machine(server.api(), "nobody", json.dumps({"StartAt": "Ask", "States": {"Ask": task}}))
