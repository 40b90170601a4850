from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec import structs

from treadle.document import decode
from treadle.functions.contract import FunctionNotFound
from treadle.limits import DEFAULT_LIMITS
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.lambda_invoke import problem, run_lambda_invoke

from .fakes import FUNCTION, INVOKE, FakeFunctions, failure, request


class FakeEvents:
    """Takes events for every function but `nope`."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, str, str, str | None]] = []

    async def accept(
        self,
        payload: bytes,
        *,
        function_arn: str,
        request_id: str,
        trace_id: str | None = None,
        client_context: str | None = None,
    ) -> None:
        if function_arn.endswith(":nope"):
            raise FunctionNotFound(function_arn)
        self.events.append((payload, function_arn, request_id, client_context))


async def invoke(
    parameters: Any, functions: FakeFunctions | None = None, events: FakeEvents | None = None
) -> TaskOutcome:
    task = request(INVOKE, parameters)
    return await run_lambda_invoke(task, functions or FakeFunctions(), events or FakeEvents(), DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("parameters", "payload"),
    [
        ({}, b"{}"),
        ({"Payload": None}, b"{}"),
        ({"Payload": {"a": 0.0}}, b'{"a":0.0}'),
        ({"Payload": [1, 2]}, b"[1,2]"),
        ({"Payload": 0}, b"0"),
        ({"Payload": False}, b"false"),
        ({"Payload": "0.0"}, b"0.0"),
        ({"Payload": '"HelloWorld"'}, b'"HelloWorld"'),
        ({"Payload": '{ "a": 1 }'}, b'{ "a": 1 }'),
        ({"Payload": "HelloWorld"}, b'"HelloWorld"'),
        ({"Payload": "\"'{'Hello':'World'}'\""}, b"\"'{'Hello':'World'}'\""),
        ({"Payload": ""}, b'""'),
        ({"Payload": "ä"}, '"ä"'.encode()),
    ],
)
async def test_payload(parameters: dict[str, Any], payload: bytes) -> None:
    """Recorded: services/lambda_task_service--invoke, --invoke_json_values, --invoke_bytes_payload."""
    functions = FakeFunctions()
    await invoke({"FunctionName": "pay", **parameters}, functions)
    assert [call.payload for call in functions.calls] == [payload]


async def test_a_name_is_looked_for_in_the_account_of_the_tasks_role() -> None:
    functions = FakeFunctions()
    task = structs.replace(
        request(INVOKE, {"FunctionName": "pay"}), task_role_arn="arn:aws:iam::999988887777:role/other"
    )
    await run_lambda_invoke(task, functions, FakeEvents(), DEFAULT_LIMITS)
    assert [call.function_arn for call in functions.calls] == [FUNCTION.replace("123456789012", "999988887777")]


@pytest.mark.parametrize(
    ("function_name", "arn"),
    [
        ("pay", FUNCTION),
        ("pay:PROD", FUNCTION + ":PROD"),
        ("function:pay", FUNCTION),
        ("123456789012:function:pay", FUNCTION),
        (FUNCTION, FUNCTION),
        (FUNCTION + ":$LATEST", FUNCTION + ":$LATEST"),
        ("arn:aws-cn:lambda:cn-north-1:1:function:pay", None),
        ("arn:aws-cn:lambda:cn-north-1:210987654321:function:pay:1",) * 2,
        ("arn:aws:s3:::pay", None),
        ("päy", None),
        ("pay\n", None),
        ("", None),
        ("../pay", None),
    ],
)
async def test_function_name(function_name: str, arn: str | None) -> None:
    functions = FakeFunctions()
    outcome = await invoke({"FunctionName": function_name}, functions)
    if arn is not None:
        assert [(call.name, call.function_arn) for call in functions.calls] == [("pay", arn)]
        return
    error, cause = failure(outcome)
    assert error == "Lambda.AWSLambdaException"
    assert cause is not None
    assert cause.startswith(f"1 validation error detected: Value '{function_name}' at 'functionName' failed")
    assert "(Service: AWSLambda; Status Code: 400; Error Code: ValidationException; " in cause


@pytest.mark.parametrize(
    ("payload", "shown"),
    [(b'"HelloWorld!"', "HelloWorld!"), (b"0.0", 0.0), (b"{}", {}), (b"not JSON", "not JSON"), (b"", "")],
)
async def test_result(payload: bytes, shown: Any) -> None:
    """Recorded: services/lambda_task_service--invoke."""
    outcome = await invoke({"FunctionName": "pay"}, FakeFunctions(payload))
    assert outcome.output is not None
    result = outcome.output.value
    metadata = result["SdkHttpMetadata"]
    date, trace = metadata["HttpHeaders"]["Date"], metadata["HttpHeaders"]["X-Amzn-Trace-Id"]
    assert date.endswith(" GMT")
    assert trace.startswith("Root=1-")
    headers = {
        "Connection": "keep-alive",
        "Content-Length": str(len(payload)),
        "Content-Type": "application/json",
        "Date": date,
        "X-Amz-Executed-Version": "$LATEST",
        "x-amzn-Remapped-Content-Length": "0",
        "x-amzn-RequestId": "the-request-id",
        "X-Amzn-Trace-Id": trace,
    }
    assert result == {
        "ExecutedVersion": "$LATEST",
        "Payload": shown,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": "the-request-id"},
        "StatusCode": 200,
    }
    assert list(metadata["HttpHeaders"]) == list(headers)
    assert list(result) == sorted(result)


async def test_log_tail() -> None:
    outcome = await invoke({"FunctionName": "pay", "LogType": "Tail"}, FakeFunctions(log="ä\n"))
    assert outcome.output is not None
    assert base64.b64decode(outcome.output.value["LogResult"]).decode() == "ä\n"


async def test_client_context() -> None:
    functions = FakeFunctions()
    context = base64.b64encode('{"custom": {"a": "ä"}}'.encode()).decode()
    await invoke({"FunctionName": "pay", "ClientContext": context}, functions)
    assert functions.calls[0].client_context == '{"custom":{"a":"\\u00e4"}}'


@pytest.mark.parametrize("context", ["{}", "not Base64", "bm90IEpTT04=", "W10=", "e30=" * 1_000, "ä"])
async def test_bad_client_context(context: str) -> None:
    error, cause = failure(await invoke({"FunctionName": "pay", "ClientContext": context}))
    assert error == "Lambda.InvalidRequestContentException"
    assert cause is not None
    assert cause.startswith("Client context must be a valid Base64-encoded JSON object. (Service: AWSLambda;")


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("[]", "The Parameters are not an object"),
        ('"pay"', "The Parameters are not an object"),
        ("{}", "The field 'FunctionName' is required but was missing"),
        ('{"FunctionName":null}', "The value of the field 'FunctionName' has an invalid format"),
        ('{"FunctionName":7}', "The value of the field 'FunctionName' has an invalid format"),
        ('{"FunctionName":"f","LogType":{}}', "The value of the field 'LogType' has an invalid format"),
        ('{"FunctionName":"f","Wait":true}', "The field 'Wait' is not supported by Step Functions"),
    ],
)
def test_parameters_that_step_functions_refuses(text: str, refusal: str) -> None:
    assert problem(decode(text)) == refusal


@pytest.mark.parametrize(
    ("field", "value", "error", "text"),
    [
        ("InvocationType", "Later", "Lambda.AWSLambdaException", "[Event, RequestResponse, DryRun]"),
        ("LogType", "All", "Lambda.AWSLambdaException", "[None, Tail]"),
    ],
)
async def test_values_that_are_refused(field: str, value: str, error: str, text: str) -> None:
    functions = FakeFunctions()
    outcome = await invoke({"FunctionName": "pay", field: value}, functions)
    assert outcome.error == error
    assert text in (outcome.cause or "")
    assert not functions.calls


async def test_an_event() -> None:
    functions, events = FakeFunctions(), FakeEvents()
    context = base64.b64encode(b'{"custom":{}}').decode()
    parameters = {"FunctionName": "pay:live", "InvocationType": "Event", "Payload": [1], "ClientContext": context}
    outcome = await invoke(parameters, functions, events)
    assert outcome.output is not None
    result = outcome.output.value
    id = result["SdkResponseMetadata"]["RequestId"]
    assert events.events == [(b"[1]", FUNCTION + ":live", id, '{"custom":{}}')]
    assert not functions.calls
    assert (result["StatusCode"], result["SdkHttpMetadata"]["HttpStatusCode"], result["Payload"]) == (202, 202, "")
    assert "ExecutedVersion" not in result
    assert result["SdkHttpMetadata"]["HttpHeaders"]["x-amzn-RequestId"] == id


async def test_a_dry_run() -> None:
    functions, events = FakeFunctions(), FakeEvents()
    outcome = await invoke({"FunctionName": "pay", "InvocationType": "DryRun"}, functions, events)
    assert outcome.output is not None
    assert outcome.output.value["StatusCode"] == 204
    assert not functions.calls
    assert not events.events


@pytest.mark.parametrize("kind", ["Event", "DryRun"])
async def test_a_function_that_is_not_there(kind: str) -> None:
    error, cause = failure(await invoke({"FunctionName": "nope", "InvocationType": kind}))
    assert error == "Lambda.ResourceNotFoundException"
    assert (cause or "").startswith("Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nope:$LATEST (")


async def test_function_error_is_compact() -> None:
    """Recorded: error_handling/task_service_lambda--raise_custom_exception."""
    document = b'{"errorMessage": "", "errorType": "CustomException", "requestId": "id", "stackTrace": ["  File"]}'
    outcome = await invoke({"FunctionName": "pay"}, FakeFunctions(document, function_error="Unhandled"))
    assert failure(outcome) == (
        "CustomException",
        '{"errorMessage":"","errorType":"CustomException","requestId":"id","stackTrace":["  File"]}',
    )


async def test_not_found() -> None:
    """Recorded: error_handling/task_service_lambda--no_such_function."""
    error, cause = failure(await invoke({"FunctionName": "nope"}))
    assert error == "Lambda.ResourceNotFoundException"
    assert cause is not None
    assert cause.startswith(
        "Function not found: arn:aws:lambda:eu-west-1:123456789012:function:nope:$LATEST (Service: AWSLambda;"
        " Status Code: 404; Error Code: ResourceNotFoundException; Request ID: "
    )


@pytest.mark.parametrize("payload", [b'"' + b"a" * 262_143 + b'"', b"a" * 263_168, b'"' + b"a" * 262_000 + b'"'])
async def test_a_result_is_bounded(payload: bytes) -> None:
    """Recorded: error_handling/states_errors--service_task_lambada_catch_state_all_data_limit_exceeded_*."""
    assert failure(await invoke({"FunctionName": "pay"}, FakeFunctions(payload))) == (
        "States.DataLimitExceeded",
        "The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.",
    )
