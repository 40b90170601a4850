"""The workflow of AWS's post "New - Using Step Functions to Orchestrate Amazon EMR workloads", exactly as posted.

jobs.toml says what its Hive scripts do here: the first and the third step store an object, the second one takes long.
`test_spark.py` runs such a script on a real Spark.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import boto3

from tests.acceptance.server import REGION, Api, Server, create_machine, ended_execution, history, poll

DEFINITION = (Path(__file__).parent / "emr_post.asl.json").read_text()
BUCKET = "my-bucket"
COUNT = f"""
import sys, boto3
s3 = boto3.client("s3")
try:
    s3.create_bucket(Bucket="{BUCKET}", CreateBucketConfiguration={{"LocationConstraint": "{REGION}"}})
except s3.exceptions.BucketAlreadyOwnedByYou:
    pass
s3.put_object(Bucket="{BUCKET}", Key=f"MyHiveQueryResults/{{sys.argv[1]}}", Body=b"Linux 3")
"""


def jobs_file(folder: Path, first: str = 'python count.py "$JOB_STEP_ID"') -> None:
    """`first`: what the first step runs; the folder is where it runs."""
    (folder / "count.py").write_text(COUNT)

    def rule(match: str, script: str) -> str:
        run = json.dumps(["sh", "-c", script])
        return f'[[job]]\nservice = "emr"\nmatch = "{match}"\ndirectory = "."\nrun = {run}\n'

    (folder / "jobs.toml").write_text(
        rule("The first step", first)
        + rule("The second step", "exec sleep 1000")
        + rule("The third step", 'python count.py "$JOB_STEP_ID"')
    )


def client(service: str, server: Server) -> Any:
    given = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    return boto3.session.Session().client(service, endpoint_url=server.url, **given)


def steps_of(emr: Any, cluster: str) -> dict[str, str]:
    """State by name; there is one of each name."""
    listed = emr.list_steps(ClusterId=cluster)["Steps"]
    assert len({step["Name"] for step in listed}) == len(listed)
    return {step["Name"]: step["Status"]["State"] for step in listed}


ALL_STEPS = {"The first step": "COMPLETED", "The second step": "CANCELLED", "The third step": "COMPLETED"}


def results(server: Server) -> list[str]:
    return [each["Key"] for each in client("s3", server).list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def run(api: Api, **given: Any) -> str:
    machine = create_machine(api, "emr", DEFINITION)
    return str(api.call("StartExecution", stateMachineArn=machine, input=json.dumps(given))["executionArn"])


def test_with_a_cluster_of_its_own(tmp_path: Path) -> None:
    jobs_file(tmp_path)
    with Server(tmp_path) as server:
        api, emr = server.api(), client("emr", server)
        execution = run(api, CreateCluster=True, TerminateCluster=True)
        ended = ended_execution(api, execution)
        events = history(api, execution)
        assert ended["status"] == "SUCCEEDED", events[-3:]
        (cluster,) = emr.list_clusters()["Clusters"]
        assert (cluster["Name"], cluster["Status"]["State"]) == ("WorkflowCluster", "TERMINATED")
        assert steps_of(emr, cluster["Id"]) == ALL_STEPS
        assert len(results(server)) == 2
        resources = Counter(
            details["resource"] for event in events if (details := event.get("taskSucceededEventDetails")) is not None
        )
        assert resources == {
            "createCluster.sync": 1,
            "setClusterTerminationProtection": 2,
            "addStep.sync": 2,
            "addStep": 1,
            "cancelStep": 1,
            "terminateCluster.sync": 1,
        }
        assert server.stop() == 0


def test_with_a_cluster_that_there_is(tmp_path: Path) -> None:
    jobs_file(tmp_path)
    with Server(tmp_path) as server:
        api, emr = server.api(), client("emr", server)
        cluster = emr.run_job_flow(Name="mine", Instances={"KeepJobFlowAliveWhenNoSteps": True})["JobFlowId"]
        execution = run(api, CreateCluster=False, TerminateCluster=False, ClusterId=cluster)
        assert ended_execution(api, execution)["status"] == "SUCCEEDED"
        assert steps_of(emr, cluster) == ALL_STEPS
        shown = poll(lambda: _waiting(emr, cluster))
        assert not shown["TerminationProtected"]
        assert server.stop() == 0


def _waiting(emr: Any, cluster: str) -> Any:
    shown = emr.describe_cluster(ClusterId=cluster)["Cluster"]
    return shown if shown["Status"]["State"] == "WAITING" else None


def test_a_server_that_dies_during_the_first_step(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    # The first time, it does not come to its end.
    jobs_file(tmp_path, f'test -e {begun} || {{ touch {begun}; exec sleep 1000; }}; python count.py "$JOB_STEP_ID"')
    with Server(tmp_path) as server:
        execution = run(server.api(), CreateCluster=True, TerminateCluster=True)
        poll(lambda: begun.exists() or None)
        (cluster,) = client("emr", server).list_clusters()["Clusters"]
        (before,) = client("emr", server).list_steps(ClusterId=cluster["Id"])["Steps"]
        server.kill()
    with Server(tmp_path) as server:
        api, emr = server.api(), client("emr", server)
        assert ended_execution(api, execution)["status"] == "SUCCEEDED"
        (again,) = emr.list_clusters()["Clusters"]
        assert (again["Id"], again["Status"]["State"]) == (cluster["Id"], "TERMINATED")
        assert steps_of(emr, cluster["Id"]) == ALL_STEPS
        first = emr.list_steps(ClusterId=cluster["Id"])["Steps"][-1]
        assert (first["Id"], first["Name"]) == (before["Id"], "The first step")
        assert f"MyHiveQueryResults/{before['Id']}" in results(server)
        submitted = [event for event in history(api, execution) if event["type"] == "TaskSubmitted"]
        assert len(submitted) == 4, "two steps, a cluster's begin and its end, each once"
        assert server.stop() == 0


def test_a_failing_step_fails_the_task_with_the_step(tmp_path: Path) -> None:
    jobs_file(tmp_path, "echo no such table; exit 9")
    with Server(tmp_path) as server:
        api = server.api()
        execution = run(api, CreateCluster=True, TerminateCluster=True)
        ended = ended_execution(api, execution)
        assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
        step = json.loads(ended["cause"])["Step"]
        assert step["Status"]["State"] == "FAILED"
        assert step["Status"]["FailureDetails"]["Message"].endswith("status 9; its last words: no such table")
