"""What Step Functions itself has against the parameters of a task, and a service against the request for a job."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.driver import Driver, Task, compiled
from treadle.document import Document
from treadle.engine.signals import Start, TaskFailed, TaskSubmitted

SYNC = "arn:aws:states:::athena:startQueryExecution.sync"
WRONG = {"ApiEndpoint": "a", "Method": "GET", "Problem": "The value of the field 'Headers' has an invalid format"}
"""The fake surroundings of the driver refuse what has such a parameter, in its words."""
TASKS: dict[str, Task] = {"startQueryExecution": lambda parameters: {}}
CAUSE = (
    "An error occurred while executing the state 'A' (entered at the event id #2). The Parameters "
    """'{"ApiEndpoint":"a","Method":"GET","Problem":"The value of the field 'Headers' has an invalid format"}' """
    "could not be used to start the Task: "
    "[The value of the field 'Headers' has an invalid format]"
)


def driven(resource: str, parameters: dict[str, Any], language: str = "JSONPath", **fields: Any) -> Driver:
    given = {"Arguments" if language == "JSONata" else "Parameters": parameters}
    state = {"Type": "Task", "Resource": resource, "End": True, **given, **fields}
    states = {"A": state, **({"Caught": {"Type": "Pass", "End": True}} if "Catch" in fields else {})}
    driver = Driver(compiled({"QueryLanguage": language, "StartAt": "A", "States": states}), tasks=TASKS)
    driver.signal(Start())
    return driver


@pytest.mark.parametrize("language", ["JSONPath", "JSONata"])
def test_a_task_with_unusable_parameters_is_not_scheduled(language: str) -> None:
    """Recorded: services/apigetway_task_service--invoke_with_headers--singleStringHeader."""
    driver = driven("arn:aws:states:::apigateway:invoke", WRONG, language)
    assert [event.type for event in driver.events()] == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    assert driver.events()[-1].details == {"error": "States.Runtime", "cause": CAUSE}
    assert not driver.running


def test_nobody_catches_it() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
    driver = driven("arn:aws:states:::apigateway:invoke", WRONG, Catch=catch)
    assert driver.events()[-1].type == "ExecutionFailed"


@pytest.mark.parametrize(
    ("submitted", "resource", "event"),
    [
        (False, SYNC, "TaskSubmitFailed"),
        (True, SYNC, "TaskFailed"),
        (False, SYNC.removesuffix(".sync"), "TaskFailed"),
    ],
)
def test_a_job_that_is_not_accepted_has_an_event_of_its_own(submitted: bool, resource: str, event: str) -> None:
    driver = driven(resource, {"QueryString": "SELECT 1"})
    [attempt] = driver.running
    if submitted:
        driver.signal(TaskSubmitted(attempt, Document({"QueryExecutionId": "q"})))
    driver.signal(TaskFailed(attempt, "Athena.AmazonAthenaException", "No."))
    found = driver.events()[-2]
    named = {"resourceType": "athena", "resource": resource.rpartition(":")[2]}
    assert (found.type, found.details) == (event, {"error": "Athena.AmazonAthenaException", "cause": "No.", **named})
    assert not driver.execution.attempts
