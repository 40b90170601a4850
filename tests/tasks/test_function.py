from __future__ import annotations

import pytest

from treadle.limits import DEFAULT_LIMITS
from treadle.tasks.function import run_function

from .fakes import FUNCTION, FakeFunctions, failure, request

ERROR_DOCUMENT = b'{"errorMessage": "no", "errorType": "CustomException", "requestId": "id", "stackTrace": ["  File"]}'


@pytest.mark.parametrize(
    "text",
    ["0.0", "1", "12345678901234567890123", '{ "a" :  [1, 2] }', '"HelloWorld!"', "null", '"\\u00e4"', '"ä"'],
)
async def test_texts_stay_as_they_are(text: str) -> None:
    """Recorded: services/lambda_task--invoke_json_values, lambda_task--invoke_bytes_payload."""
    functions = FakeFunctions(text.encode())
    outcome = await run_function(request(FUNCTION, text='{"x":  0.0}'), functions, DEFAULT_LIMITS)
    assert outcome.output is not None
    assert outcome.output.text == text
    (call,) = functions.calls
    assert (call.name, call.payload, call.function_arn) == ("pay", b'{"x":  0.0}', FUNCTION)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (ERROR_DOCUMENT, "CustomException"),
        (b'{"errorType":"Sandbox.Timedout","errorMessage":"..."}', "Sandbox.Timedout"),
        (b'{"errorMessage":"no type"}', "Lambda.Unknown"),
        (b'{"errorType":7}', "Lambda.Unknown"),
        (b"[]", "Lambda.Unknown"),
        (b"not JSON", "Lambda.Unknown"),
    ],
)
async def test_errors_keep_the_document_s_text(document: bytes, error: str) -> None:
    functions = FakeFunctions(document, function_error="Unhandled")
    outcome = await run_function(request(FUNCTION), functions, DEFAULT_LIMITS)
    assert failure(outcome) == (error, document.decode())


@pytest.mark.parametrize("suffix", ["", ":PROD", ":$LATEST"])
async def test_not_found(suffix: str) -> None:
    arn = FUNCTION.replace("pay", "nope") + suffix
    error, cause = failure(await run_function(request(arn), FakeFunctions(), DEFAULT_LIMITS))
    assert error == "Lambda.ResourceNotFoundException"
    assert cause is not None
    head = f"Function not found: {arn if suffix else arn + ':$LATEST'} (Service: AWSLambda; Status Code: 404; "
    assert cause.startswith(head + "Error Code: ResourceNotFoundException; Request ID: ")
    assert cause.endswith("; Proxy: null)")


@pytest.mark.parametrize("payload", [b"not JSON", b"NaN", b"", b"\xff", b"[" * 100_000])
async def test_what_is_not_json(payload: bytes) -> None:
    outcome = await run_function(request(FUNCTION), FakeFunctions(payload), DEFAULT_LIMITS)
    assert outcome.error == "States.Runtime"


@pytest.mark.parametrize(("size", "fails"), [(262_144, False), (262_145, True)])
async def test_a_result_is_bounded(size: int, fails: bool) -> None:
    """Recorded: error_handling/states_errors--task_lambda_data_limit_exceeded_on_large_utf8_response."""
    payload = b'"' + b"a" * (size - 2) + b'"'
    outcome = await run_function(request(FUNCTION), FakeFunctions(payload), DEFAULT_LIMITS)
    if not fails:
        assert outcome.output is not None
        return
    assert failure(outcome) == (
        "States.DataLimitExceeded",
        f"The state/task '{FUNCTION}' returned a result with a size exceeding the maximum number of bytes"
        " service limit.",
    )


async def test_size_comes_before_form() -> None:
    outcome = await run_function(request(FUNCTION), FakeFunctions(b"a" * 263_168), DEFAULT_LIMITS)
    assert outcome.error == "States.DataLimitExceeded"
