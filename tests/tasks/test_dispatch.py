from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.document import Document
from treadle.language.resources import parse_resource
from treadle.tasks.contract import ServiceAnswer, TaskOutcome
from treadle.tasks.dispatch import Dispatch

from .fake_service import FakeService
from .fake_step_functions import FakeStepFunctions
from .fakes import FUNCTION, INVOKE, FakeFunctions, request


class Reports:
    def __init__(self) -> None:
        self.outcomes: list[TaskOutcome] = []
        self._arrived = asyncio.Event()

    def __call__(self, outcome: TaskOutcome) -> None:
        self.outcomes.append(outcome)
        self._arrived.set()

    async def next(self) -> TaskOutcome:
        await asyncio.wait_for(self._arrived.wait(), 20)
        self._arrived.clear()
        return self.outcomes[-1]


async def test_reports_once_and_later() -> None:
    reports = Reports()
    dispatch = Dispatch(FakeFunctions(b"7"))
    dispatch.run(request(FUNCTION), reports)
    assert not reports.outcomes
    outcome = await reports.next()
    assert outcome.output is not None
    assert outcome.output.text == "7"
    dispatch.cancel("token")
    await asyncio.sleep(0)
    assert len(reports.outcomes) == 1


async def test_routes_integrations() -> None:
    reports = Reports()
    Dispatch(FakeFunctions(b"7")).run(request(INVOKE, {"FunctionName": "pay"}), reports)
    outcome = await reports.next()
    assert outcome.output is not None
    assert outcome.output.value["Payload"] == 7


class FakeLambda:
    """Answers with the call itself."""

    async def call(self, operation: str, request: dict[str, Any], *, account: str, region: str) -> ServiceAnswer:
        return ServiceAnswer({"Description": f"{operation} {request} {account} {region}"}, "id")


async def test_routes_to_lambda_itself() -> None:
    reports = Reports()
    dispatch = Dispatch(FakeFunctions())
    dispatch.connect(FakeStepFunctions(), None, FakeLambda())
    resource = "arn:aws:states:::aws-sdk:lambda:getFunctionConfiguration"
    dispatch.run(request(resource, {"FunctionName": "pay"}), reports)
    outcome = await reports.next()
    assert outcome.output is not None
    described = "GetFunctionConfiguration {'FunctionName': 'pay'} 123456789012 eu-west-1"
    assert outcome.output.value == {"Description": described}


async def test_cancel_ends_the_work_and_reports_nothing() -> None:
    functions = FakeFunctions()
    functions.hold = asyncio.Event()
    dispatch, reports, others = Dispatch(functions), Reports(), Reports()
    dispatch.run(request(FUNCTION, token="one"), reports)
    dispatch.run(request(FUNCTION, token="two"), others)
    await asyncio.sleep(0)
    dispatch.cancel("one")
    dispatch.cancel("unknown")
    await asyncio.wait_for(functions.cancelled.wait(), 20)
    functions.hold.set()
    await others.next()
    assert not reports.outcomes


async def test_cancel_at_the_moment_of_the_answer() -> None:
    functions = FakeFunctions()
    functions.hold = asyncio.Event()
    dispatch, reports = Dispatch(functions), Reports()
    dispatch.run(request(FUNCTION), reports)
    await asyncio.sleep(0)
    functions.hold.set()
    await asyncio.sleep(0)  # the task is done, its report is on the way
    dispatch.cancel("token")
    dispatch.run(request(FUNCTION), reports)
    await reports.next()
    assert len(reports.outcomes) == 1


async def test_a_second_delivery_does_no_second_work() -> None:
    functions = FakeFunctions()
    functions.hold = asyncio.Event()
    dispatch, reports = Dispatch(functions), Reports()
    dispatch.run(request(FUNCTION), reports)
    dispatch.run(request(FUNCTION), reports)
    functions.hold.set()
    await reports.next()
    assert (len(functions.calls), len(reports.outcomes)) == (1, 1)


async def test_a_bug_fails_the_task_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    functions, reports = FakeFunctions(), Reports()
    functions.bug = ZeroDivisionError("the bug")
    Dispatch(functions).run(request(FUNCTION), reports)
    outcome = await reports.next()
    assert (outcome.error, outcome.output) == ("States.Runtime", None)
    assert "ZeroDivisionError: the bug" in caplog.text


@pytest.mark.parametrize(
    ("resource", "refusal"),
    [
        (FUNCTION, None),
        (FUNCTION + ":PROD", None),
        ("arn:aws-cn:lambda:cn-north-1:1:function:x", None),
        (INVOKE, None),
        (
            "arn:aws:states:::sqs:sendMessage",
            "Nobody answers for 'sqs' at this server: AWS_ENDPOINT_URL_SQS names an endpoint for it",
        ),
        (
            "arn:aws:states:::mediaconvert:createJob.sync",
            "Nobody answers for 'mediaconvert' at this server: AWS_ENDPOINT_URL_MEDIACONVERT names an endpoint for it",
        ),
        ("arn:aws:states:::eks:runJob.sync", None),
        (INVOKE + ".waitForTaskToken", None),
        (INVOKE + ".sync", "Treadle does not run 'lambda:invoke.sync' tasks yet"),
        ("arn:aws:states:eu-west-1:123456789012:activity:a", None),
        ("arn:aws:states:::states:startExecution", None),
        ("arn:aws:states:::states:startExecution.sync:2", None),
        ("arn:aws:states:::aws-sdk:sfn:describeExecution", None),
        ("arn:aws:states:::aws-sdk:lambda:getFunction", None),
        ("arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken", None),
        ("arn:aws:states:::aws-sdk:sfn:StartExecution", "Treadle does not run 'aws-sdk:sfn:StartExecution' tasks yet"),
    ],
)
async def test_refuses_what_is_not_built(resource: str, refusal: str | None) -> None:
    parsed = parse_resource(resource)
    assert parsed is not None
    dispatch, reports = Dispatch(FakeFunctions()), Reports()
    assert dispatch.refuses(parsed) == refusal
    if refusal is not None:  # whoever did not ask is told so when it runs
        dispatch.run(request(resource), reports)
        assert (await reports.next()).cause == refusal


QUERY = "arn:aws:states:::athena:startQueryExecution.sync"


async def test_a_server_that_stops_leaves_jobs_alone() -> None:
    service = FakeService(GetQueryExecution=[{"QueryExecution": {"Status": {"State": "RUNNING"}}}])
    dispatch, reports = Dispatch(FakeFunctions(), services=service.calls), Reports()
    asked = replace(request(QUERY, {"QueryString": "SELECT 1"}), submitted=Document({"QueryExecutionId": "q"}))
    dispatch.run(asked, reports)
    await asyncio.wait_for(service.arrived.wait(), 20)
    dispatch.close()
    await asyncio.wait_for(dispatch.ended(), 20)
    assert {operation for operation, _ in service.asked} == {"GetQueryExecution"}
    assert not reports.outcomes


async def test_a_job_is_cancelled_before_the_server_ends() -> None:
    service = FakeService(GetQueryExecution=[{"QueryExecution": {}}], StopQueryExecution=[{}])
    dispatch = Dispatch(FakeFunctions(), services=service.calls)
    asked = replace(request(QUERY, {"QueryString": "SELECT 1"}), submitted=Document({"QueryExecutionId": "q"}))
    dispatch.run(asked, Reports())
    await asyncio.wait_for(service.arrived.wait(), 20)
    dispatch.cancel(asked.token)
    await asyncio.wait_for(dispatch.ended(), 20)
    assert service.last == ("StopQueryExecution", {"QueryExecutionId": "q"})


@pytest.mark.parametrize(
    ("resource", "parameters", "problem"),
    [
        (FUNCTION, {"anything": 1}, None),
        (INVOKE, {}, "The field 'FunctionName' is required but was missing"),
        (
            "arn:aws:states:::states:startExecution",
            {"Name": "n"},
            "The field 'StateMachineArn' is required but was missing",
        ),
        ("arn:aws:states:::sqs:sendMessage", {"Body": 1}, "The field 'Body' is not supported by Step Functions"),
        ("arn:aws:states:::aws-sdk:sqs:sendMessage", [], "The Parameters are not an object"),
        ("arn:aws:states:::aws-sdk:sfn:stopExecution", {"Cause": {}}, None),
        (QUERY, {"QueryString": "SELECT 1"}, None),
        ("arn:aws:states:::aws-sdk:nosuch:thing", {"anything": 1}, None),
    ],
)
async def test_whose_parameters_are_checked(resource: str, parameters: object, problem: str | None) -> None:
    parsed = parse_resource(resource)
    assert parsed is not None
    assert Dispatch(FakeFunctions()).unusable(parsed, Document(parameters)) == problem
