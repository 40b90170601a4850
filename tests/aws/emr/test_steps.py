"""Steps: their order, what their failures do, how they are cancelled, and that a restart goes on with them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.aws.emr.conftest import CALLER, Emr, eventually, step


async def test_steps_run_one_after_the_other(emr: Emr) -> None:
    emr.rules(**{"*": "echo $JOB_NAME >> order"})
    cluster = await emr.cluster()
    await emr.add(cluster, "a", "b")
    await emr.add(cluster, "c")
    await emr.until_steps(cluster, {"a": "COMPLETED", "b": "COMPLETED", "c": "COMPLETED"})
    assert (emr.folder / "order").read_text().split() == ["a", "b", "c"]
    assert await emr.until(cluster, "WAITING") == "WAITING"


async def test_as_many_at_once_as_the_cluster_says(emr: Emr) -> None:
    cluster = await emr.cluster(StepConcurrencyLevel=2)
    await emr.add(cluster, "long 1", "long 2", "long 3")
    await emr.until_steps(cluster, {"long 1": "RUNNING", "long 2": "RUNNING", "long 3": "PENDING"})
    assert await emr.call("ModifyCluster", ClusterId=cluster, StepConcurrencyLevel=3) == {"StepConcurrencyLevel": 3}
    await emr.until_steps(cluster, {"long 1": "RUNNING", "long 2": "RUNNING", "long 3": "RUNNING"})


@pytest.mark.parametrize(
    ("action", "protected", "states", "end"),
    [
        ("CONTINUE", False, {"bad": "FAILED", "good": "COMPLETED"}, "WAITING"),
        ("CANCEL_AND_WAIT", False, {"bad": "FAILED", "good": "CANCELLED"}, "WAITING"),
        ("TERMINATE_CLUSTER", False, {"bad": "FAILED", "good": "CANCELLED"}, "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_JOB_FLOW", False, {"bad": "FAILED", "good": "CANCELLED"}, "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_CLUSTER", True, {"bad": "FAILED", "good": "CANCELLED"}, "WAITING"),
    ],
)
async def test_what_a_failure_does(emr: Emr, action: str, protected: bool, states: dict[str, str], end: str) -> None:
    cluster = await emr.cluster(Instances={"TerminationProtected": protected})
    await emr.add(cluster, "bad", "good", action=action)
    await emr.until_steps(cluster, states)
    await emr.until(cluster, end)


async def test_a_step_that_is_added_after_a_failure_runs(emr: Emr) -> None:
    cluster = await emr.cluster()
    await emr.add(cluster, "bad", action="CANCEL_AND_WAIT")
    await emr.until_steps(cluster, {"bad": "FAILED"})
    await emr.add(cluster, "good")
    await emr.until_steps(cluster, {"bad": "FAILED", "good": "COMPLETED"})


async def test_a_step_is_described(emr: Emr) -> None:
    cluster = await emr.cluster()
    config = step("bad", "CONTINUE", "hadoop", "fs")
    role = "arn:aws:iam::123456789012:role/step"
    (id,) = (await emr.call("AddJobFlowSteps", JobFlowId=cluster, Steps=[config], ExecutionRoleArn=role))["StepIds"]
    await emr.until_steps(cluster, {"bad": "FAILED"})
    shown = (await emr.call("DescribeStep", ClusterId=cluster, StepId=id))["Step"]
    times = shown["Status"].pop("Timeline")
    assert list(times) == ["CreationDateTime", "StartDateTime", "EndDateTime"]
    assert shown == {
        "Id": id,
        "Name": "bad",
        "Config": {"Jar": "command-runner.jar", "Properties": {}, "Args": ["hadoop", "fs"]},
        "ActionOnFailure": "CONTINUE",
        "Status": {
            "State": "FAILED",
            "StateChangeReason": {},
            "FailureDetails": {"Reason": "Unknown Error", "Message": "jobs.toml says that the job fails"},
        },
        "ExecutionRoleArn": role,
    }


@pytest.mark.parametrize("option", [None, "SEND_INTERRUPT", "TERMINATE_PROCESS"])
async def test_steps_are_cancelled(emr: Emr, option: str | None) -> None:
    cluster = await emr.cluster()
    ids = await emr.add(cluster, "good", "long 1", "long 2", "good 2")
    await emr.until_steps(cluster, {"good": "COMPLETED", "long 1": "RUNNING", "long 2": "PENDING", "good 2": "PENDING"})
    more = {} if option is None else {"StepCancellationOption": option}
    told = await emr.call("CancelSteps", ClusterId=cluster, StepIds=ids[:3], **more)
    reason = "Step is in state COMPLETED, and cannot be cancelled."
    assert told["CancelStepsInfoList"] == [
        {"StepId": ids[0], "Status": "FAILED", "Reason": reason},
        {"StepId": ids[1], "Status": "SUBMITTED"},
        {"StepId": ids[2], "Status": "SUBMITTED"},
    ]
    await emr.until_steps(
        cluster, {"good": "COMPLETED", "long 1": "CANCELLED", "long 2": "CANCELLED", "good 2": "COMPLETED"}
    )


async def test_a_step_that_takes_its_time_to_end_shows_it(emr: Emr) -> None:
    emr.rules(slow="trap 'while ! test -e go; do sleep 0.01; done; exit' TERM; touch on; while :; do sleep 0.01; done")
    cluster = await emr.cluster()
    (id,) = await emr.add(cluster, "slow")
    await eventually(lambda: _is_there(emr, "on"), bool)
    await emr.call("CancelSteps", ClusterId=cluster, StepIds=[id])
    assert await emr.states(cluster) == {"slow": "CANCEL_PENDING"}
    (emr.folder / "go").touch()
    await emr.until_steps(cluster, {"slow": "CANCELLED"})


async def _is_there(emr: Emr, mark: str) -> bool:
    return (emr.folder / mark).exists()


async def test_the_same_request_of_a_task_counts_once(emr: Emr) -> None:
    task = replace(CALLER, task_token="token")
    cluster = await emr.cluster()
    first = await emr.add(cluster, "good", "good 2", caller=task)
    await emr.until_steps(cluster, {"good": "COMPLETED", "good 2": "COMPLETED"})
    await emr.call("TerminateJobFlows", JobFlowIds=[cluster])
    await emr.until(cluster, "TERMINATED")
    assert await emr.add(cluster, "good", "good 2", caller=task) == first
    assert len(await emr.states(cluster)) == 2


async def test_a_restart_goes_on(emr: Emr) -> None:
    """What ran is run again, what waited waits on, what was cancelled is not run."""
    emr.rules(**{"first": "echo x >> runs; test $(wc -l < runs) = 2 || exec sleep 1000", "*": "succeed"})
    cluster = await emr.cluster()
    ids = await emr.add(cluster, "first", "second", "third")
    await eventually(lambda: _is_there(emr, "runs"), bool)
    await emr.call("CancelSteps", ClusterId=cluster, StepIds=[ids[1]])
    await emr.close()
    await emr.open()
    await emr.until_steps(cluster, {"first": "COMPLETED", "second": "CANCELLED", "third": "COMPLETED"})
    assert (emr.folder / "runs").read_text() == "x\nx\n"
    listed = (await emr.call("ListSteps", ClusterId=cluster))["Steps"]
    assert [each["Id"] for each in listed] == ids[::-1]


async def test_only_so_many_steps_wait(emr: Emr) -> None:
    cluster = await emr.cluster()
    await emr.add(cluster, "long 1", "long 2", "long 3")
    error, text = await emr.error("AddJobFlowSteps", JobFlowId=cluster, Steps=[step("long")] * 3)
    assert error == "ValidationException"
    assert text.startswith("Maximum number of active steps")
    assert len(await emr.states(cluster)) == 3, "none of them was added"


async def test_steps_are_listed_in_pages(emr: Emr) -> None:
    emr.rules(**{"*": "succeed"})
    cluster = await emr.cluster()
    names = [f"s{number}" for number in range(55)]
    for name in names:
        await emr.add(cluster, name)
        await eventually(lambda: emr.state(cluster), lambda state: state == "WAITING")
    first = await emr.call("ListSteps", ClusterId=cluster)
    second = await emr.call("ListSteps", ClusterId=cluster, Marker=first["Marker"])
    assert [each["Name"] for each in first["Steps"] + second["Steps"]] == names[::-1]
    assert (len(first["Steps"]), "Marker" in second) == (50, False)
    other = await emr.error("ListSteps", ClusterId=cluster, Marker="other")
    assert other == ("InvalidRequestException", "Marker 'other' is not valid.")


@pytest.mark.parametrize(
    ("request_", "names"),
    [({"StepStates": ["FAILED"]}, ["bad"]), ({"StepIds": ["0"]}, ["good"]), ({"StepStates": ["PENDING"]}, [])],
)
async def test_steps_are_listed_by_state_and_id(emr: Emr, request_: dict[str, Any], names: list[str]) -> None:
    cluster = await emr.cluster()
    ids = await emr.add(cluster, "good", "bad")
    await emr.until_steps(cluster, {"good": "COMPLETED", "bad": "FAILED"})
    if "StepIds" in request_:
        request_ = {"StepIds": [ids[int(each)] for each in request_["StepIds"]]}
    listed = await emr.call("ListSteps", ClusterId=cluster, **request_)
    assert [each["Name"] for each in listed["Steps"]] == names


async def test_what_is_not_there_is_refused(emr: Emr) -> None:
    cluster, other = await emr.cluster(), await emr.cluster()
    (id,) = await emr.add(other, "good")
    wrong = ("InvalidRequestException", f"Step id '{id}' is not valid.")
    assert await emr.error("DescribeStep", ClusterId=cluster, StepId=id) == wrong
    assert await emr.error("CancelSteps", ClusterId=cluster, StepIds=[id]) == wrong
    assert await emr.error("ListSteps", ClusterId="j-1") == (
        "InvalidRequestException",
        "Cluster id 'j-1' is not valid.",
    )
    elsewhere = replace(CALLER, region="us-east-1")
    assert (await emr.error("ListSteps", elsewhere, ClusterId=cluster))[0] == "InvalidRequestException"
    several = await emr.cluster(StepConcurrencyLevel=2)
    refused = await emr.error("AddJobFlowSteps", JobFlowId=several, Steps=[step("good", "CANCEL_AND_WAIT")])
    assert refused[0] == "ValidationException"
