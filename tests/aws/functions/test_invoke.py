"""Invocations over the API, in real workers."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.functions.conftest import gate as gate  # noqa: PLC0414 - a fixture
from tests.functions.gate import Gate
from tests.functions.zips import archive, handler

from .conftest import ARN, CALLER, Lambda

CONTEXT = (
    "return [event, context.aws_request_id, context.function_name, context.function_version,"
    " context.invoked_function_arn, context.memory_limit_in_mb]"
)


async def test_answer_and_context(aws: Lambda) -> None:
    await aws.create(code=handler(CONTEXT), MemorySize=256)
    answer = await aws.call("Invoke", FunctionName="pay", Payload=b'{"n": 1.0}')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    expected = [{"n": 1.0}, CALLER.request_id, "pay", "$LATEST", ARN + "pay", "256"]
    assert json.loads(answer["Payload"]) == expected
    answer = await aws.call("Invoke", FunctionName="pay:$LATEST")
    assert json.loads(answer["Payload"])[0::4] == [{}, ARN + "pay:$LATEST"]


async def test_surroundings(aws: Lambda) -> None:
    names = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_VERSION"]
    await aws.create(code=handler(f"import os; return [os.environ[name] for name in {names}]"), Runtime="python3.9")
    answer = await aws.call("Invoke", FunctionName="pay")
    assert json.loads(answer["Payload"]) == ["eu-west-1", "eu-west-1", "AWS_Lambda_python3.9", "$LATEST"]


async def test_modules_beside_the_handler(aws: Lambda) -> None:
    code = archive(
        {"src/main.py": "import lib.tax\ndef run(event, context): return lib.tax.RATE", "lib/tax.py": "RATE = 7"}
    )
    await aws.create(code=code, Handler="src/main.run")
    assert (await aws.call("Invoke", FunctionName="pay"))["Payload"] == b"7"


async def test_an_error_of_the_handler(aws: Lambda) -> None:
    await aws.create(code=handler("print('about to'); raise KeyError('gone')"))
    answer = await aws.call("Invoke", FunctionName="pay", LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    document = json.loads(answer["Payload"])
    assert document["errorType"] == "KeyError"
    assert '"/var/task/app.py"' in document["stackTrace"][0]
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0] == f"START RequestId: {CALLER.request_id} Version: $LATEST"
    assert "about to" in lines
    assert lines[-2] == f"END RequestId: {CALLER.request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {CALLER.request_id}\tDuration: ")


async def test_time_out(aws: Lambda) -> None:
    await aws.create(code=handler("import time; time.sleep(600)"), Timeout=1)
    answer = await aws.call("Invoke", FunctionName="pay")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"])["errorMessage"].endswith("Task timed out after 1.00 seconds")


async def test_client_context(aws: Lambda) -> None:
    await aws.create(code=handler("return context.client_context.custom"))
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    answer = await aws.call("Invoke", FunctionName="pay", ClientContext=context)
    assert answer["Payload"] == b'{"a": "b"}'


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"Payload": b"{"}, "InvalidRequestContentException"),
        ({"Payload": b"\xff"}, "InvalidRequestContentException"),
        ({"Payload": b"[" * 5_000}, "InvalidRequestContentException"),
        ({"ClientContext": "%%%"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event", "Payload": b"{"}, "InvalidRequestContentException"),
        ({"InvocationType": "Event", "Payload": b'"%s"' % (b"x" * 1_048_575)}, "RequestTooLargeException"),
        ({"InvocationType": "Event", "Qualifier": "7"}, "ResourceNotFoundException"),
        ({"InvocationType": "Event", "FunctionName": "none"}, "ResourceNotFoundException"),
        ({"InvocationType": "Later"}, "ValidationException"),
        ({"Qualifier": "7"}, "ResourceNotFoundException"),
        ({"Qualifier": "live"}, "ResourceNotFoundException"),
        ({"FunctionName": "pay:1", "Qualifier": "2"}, "InvalidParameterValueException"),
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
        ({"FunctionName": "none", "InvocationType": "DryRun"}, "ResourceNotFoundException"),
    ],
)
async def test_refused(aws: Lambda, members: dict[str, Any], name: str) -> None:
    await aws.create(code=handler("print('ran')"))
    assert (await aws.error("Invoke", **{"FunctionName": "pay", **members}))[0] == name


async def test_dry_run_runs_nothing(aws: Lambda) -> None:
    await aws.create(code=handler("import os; os._exit(1)"))
    assert await aws.call("Invoke", FunctionName="pay", InvocationType="DryRun") == {"StatusCode": 204}


async def test_an_event(aws: Lambda, gate: Gate) -> None:
    """Answered before the function has run, which then has the request's id."""
    text = gate.prelude + "\ndef handler(event, context): wait(arrive(f'{context.aws_request_id}:{len(event)}'))"
    await aws.create(code=archive({"app.py": text}), Timeout=60)
    answer = await aws.call("Invoke", FunctionName="pay", InvocationType="Event", Payload=b'"%s"' % (b"x" * 1_048_574))
    assert answer == {"StatusCode": 202}
    visitor = await gate.visitor()
    assert visitor.name == f"{CALLER.request_id}:1048574"
    visitor.let_through()


async def test_the_older_form_of_an_event(aws: Lambda, gate: Gate) -> None:
    await aws.create(code=archive({"app.py": gate.prelude + "\ndef handler(event, context): arrive(str(event))"}))
    assert await aws.call("InvokeAsync", FunctionName="pay", InvokeArgs=b"7") == {"Status": 202}
    assert (await gate.visitor()).name == "7"


async def test_provided(aws: Lambda) -> None:
    """An executable that speaks the Runtime API by itself."""
    script = """#!/bin/sh
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
HEAD="${TMPDIR:-/tmp}/treadle-head-$$"
while true; do
    curl -sS -D "$HEAD" "$API/next" -o "$HEAD.event"
    ID=$(grep -i '^lambda-runtime-aws-request-id:' "$HEAD" | tr -d '\\r' | cut -d' ' -f2)
    printf '["%s",%s]' "$_HANDLER" "$(cat "$HEAD.event")" | curl -sS --data-binary @- "$API/$ID/response"
    rm -f "$HEAD" "$HEAD.event"
done
"""
    code = archive({"bootstrap": script}, executable=("bootstrap",))
    await aws.create(code=code, Runtime="provided.al2023", Handler="any.thing")
    for event in (b'{"a":1}', b"2"):
        answer = await aws.call("Invoke", FunctionName="pay", Payload=event)
        assert answer["Payload"] == b'["any.thing",' + event + b"]"


async def test_a_bootstrap_that_cannot_start(aws: Lambda) -> None:
    code = archive({"bootstrap": "#!/no/such/interpreter\n"}, executable=("bootstrap",))
    await aws.create(code=code, Runtime="provided.al2", Handler="x")
    answer = await aws.call("Invoke", FunctionName="pay")
    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"])["errorType"] == "Sandbox.Failure"


async def test_reserved_concurrency(aws: Lambda, gate: Gate) -> None:
    text = gate.prelude + "\ndef handler(event, context): wait(arrive(event))"
    await aws.create(code=archive({"app.py": text}), Timeout=60)
    reserve: dict[str, Any] = {"FunctionName": "pay", "ReservedConcurrentExecutions": 1}
    assert await aws.call("PutFunctionConcurrency", **reserve) == {"ReservedConcurrentExecutions": 1}
    assert await aws.call("GetFunctionConcurrency", FunctionName="pay") == {"ReservedConcurrentExecutions": 1}
    running = asyncio.ensure_future(aws.call("Invoke", FunctionName="pay", Payload=b'"first"'))
    first = await gate.visitor()
    error = await aws.error("Invoke", replace(CALLER, request_id="2"), FunctionName="pay", Payload=b'"second"')
    assert error == ("TooManyRequestsException", "Rate Exceeded.")
    first.let_through()
    assert (await running)["StatusCode"] == 200
    await aws.call("DeleteFunctionConcurrency", FunctionName="pay")
    assert await aws.call("GetFunctionConcurrency", FunctionName="pay") == {}


async def test_nothing_runs_with_nothing_reserved(aws: Lambda) -> None:
    await aws.create()
    await aws.call("PutFunctionConcurrency", FunctionName="pay", ReservedConcurrentExecutions=0)
    assert (await aws.error("Invoke", FunctionName="pay"))[0] == "TooManyRequestsException"
    error = await aws.error("PutFunctionConcurrency", FunctionName="pay", ReservedConcurrentExecutions=901)
    assert error[0] == "InvalidParameterValueException"
    await aws.call("DeleteFunction", FunctionName="pay")
    await aws.create()
    assert (await aws.call("Invoke", FunctionName="pay"))["StatusCode"] == 200


async def test_workers_go_with_their_function(aws: Lambda, gate: Gate) -> None:
    text = gate.prelude + "\nline = arrive('worker')\ndef handler(event, context): return event"
    await aws.create(code=archive({"app.py": text}))
    await aws.create("other", code=archive({"app.py": text}))
    workers = []
    for name in ("pay", "other"):
        await aws.call("Invoke", FunctionName=name)
        workers.append(await gate.visitor())
    await aws.call("DeleteFunction", FunctionName="pay")
    await workers[0].gone()
    assert (await aws.call("Invoke", FunctionName="other", Payload=b"1"))["Payload"] == b"1"
