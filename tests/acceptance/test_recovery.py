"""A real server that is killed while very many executions are open."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

from tests.acceptance.server import (
    ACCOUNT,
    REGION,
    Api,
    NoAnswer,
    Server,
    create_machine,
    ended_execution,
    folder_with_functions,
    history,
    poll,
)

EXECUTIONS = 1_000
WORKERS = 4
ACTIVITY = f"arn:aws:states:{REGION}:{ACCOUNT}:activity:work"
WORK = json.dumps(
    {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 600, "End": True}}}
)
SLEEP = json.dumps({"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 86_400, "End": True}}})


def work(api: Api, taken: list[str]) -> None:
    """Take tasks and answer them, until the server is gone."""
    with contextlib.suppress(NoAnswer):
        while True:
            task = api.call("GetActivityTask", activityArn=ACTIVITY)
            if task.get("taskToken"):
                taken.append(task["taskToken"])
                api.call("SendTaskSuccess", taskToken=task["taskToken"], output=task["input"])


def listed(api: Api, machine: str, status: str) -> set[str]:
    pages = api.pages("ListExecutions", "executions", stateMachineArn=machine, statusFilter=status, maxResults=1_000)
    return {execution["executionArn"] for execution in pages}


def test_a_kill_with_a_thousand_open_tasks_and_a_thousand_sleepers(tmp_path: Path) -> None:
    folder = folder_with_functions(tmp_path)
    with Server(folder) as server:
        api = server.api()
        api.call("CreateActivity", name="work")
        working, sleeping = create_machine(api, "working", WORK), create_machine(api, "sleeping", SLEEP)
        open_tasks, sleepers = (
            [
                api.call("StartExecution", stateMachineArn=machine, name=f"e{number}", input=f'{{"n":{number}}}')
                for number in range(EXECUTIONS)
            ]
            for machine in (working, sleeping)
        )
        server.kill()
    with Server(folder) as server:
        api = server.api()
        # Whether it has recovered or not, it answers, for those that are there and for new ones.
        new = api.call("StartExecution", stateMachineArn=sleeping, name="new")["executionArn"]
        last = sleepers[-1]["executionArn"]
        api.call("StopExecution", executionArn=last)
        api.call("StopExecution", executionArn=open_tasks[-1]["executionArn"])
        assert api.call("DescribeExecution", executionArn=last)["status"] == "ABORTED"
        again = api.call("StartExecution", stateMachineArn=working, name="e0", input='{"n":0}')
        assert again["startDate"] == open_tasks[0]["startDate"]
        taken: list[str] = []
        threads = [threading.Thread(target=work, args=(server.api(), taken)) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        everything = {execution["executionArn"] for execution in open_tasks}
        poll(lambda: True if not listed(api, working, "RUNNING") else None)
        assert len(taken) == len(set(taken)) == EXECUTIONS - 1, "each task but that of the stopped one, once"
        assert listed(api, working, "SUCCEEDED") == everything - {open_tasks[-1]["executionArn"]}
        server.kill()
        for thread in threads:
            thread.join()
    with Server(folder) as server:
        api = server.api()
        for number, execution in enumerate(open_tasks[:50]):
            assert ended_execution(api, execution["executionArn"])["output"] == f'{{"n":{number}}}'
            events = history(api, execution["executionArn"])
            assert [event["id"] for event in events] == list(range(1, len(events) + 1))
            assert [event["type"] for event in events].count("ActivityScheduled") == 1
        assert listed(api, sleeping, "RUNNING") == {each["executionArn"] for each in sleepers[:-1]} | {new}
