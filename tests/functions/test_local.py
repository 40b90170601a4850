"""Functions in real workers, with the official runtime client: errors, reuse, limits, reload, ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from treadle.functions.contract import FunctionNotFound
from treadle.functions.logs import LINE_CHARACTERS
from treadle.functions.options import FunctionOptions

from .conftest import ARN, Served
from .gate import Gate

Serve = Callable[..., Awaitable[Served]]

PROBLEMS = """
import os, signal, sys

class CustomException(Exception):
    pass

def handler(event, context):
    return globals()[event](context)

def custom(context):
    raise CustomException("no")

def exit(context):
    os._exit(1)

def sys_exit(context):
    sys.exit(3)

def killed(context):
    os.kill(os.getpid(), signal.SIGKILL)

def not_json(context):
    return {1, 2}

def nan(context):
    return float("nan")

def as_bytes(context):
    return b'"HelloWorld!"  '

def large(context):
    return "x" * 2_000

def unicode(context):
    return "\\u00e4"
"""


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        ("custom", "CustomException", "no"),
        ("missing", "KeyError", "'missing'"),
        ("not_json", "Runtime.MarshalError", "Object of type set is not JSON serializable"),
        ("exit", "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: exit status 1"),
        ("sys_exit", "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: exit status 3"),
        ("killed", "Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: signal: killed"),
        (
            "large",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (1000 bytes).",
        ),
    ],
)
async def test_errors(serve: Serve, event: str, error_type: str, message: str) -> None:
    served = await serve(function_request_bytes=1_000)
    served.write("bad.py", PROBLEMS)
    invocation = await served.call("bad", event)
    document = json.loads(invocation.payload)
    assert invocation.function_error == "Unhandled"
    assert document["errorType"] == error_type
    assert message.format(id=invocation.request_id) in document["errorMessage"]
    assert json.loads((await served.call("bad", "as_bytes")).payload) == "HelloWorld!"  # it recovers


@pytest.mark.parametrize(
    ("file", "code", "error_type", "message"),
    [
        (
            "f.py",
            "import nowhere",
            "Runtime.ImportModuleError",
            "Unable to import module 'f': No module named 'nowhere'",
        ),
        ("f.py", "pass", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'f'"),
        (
            "f.py",
            "def handler(:",
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'f': invalid syntax (f.py, line 1)",
        ),
        ("f.py", "1 / 0", "ZeroDivisionError", "division by zero"),
        ("f.py", "import os; os._exit(7)", "Runtime.ExitError", "Runtime exited with error: exit status 7"),
        ("f/function.toml", "memory = 1", "Runtime.InvalidConfiguration", "memory"),
        ("email.py", "pass", None, None),
    ],
)
async def test_errors_of_the_start(
    serve: Serve, file: str, code: str, error_type: str | None, message: str | None
) -> None:
    """Each invocation that waits for a start gets its reason, and the start is tried for each."""
    served = await serve()
    if error_type is None or message is None:  # a function's file is not another's standard module
        served.write(file, code)
        file, error_type, message = "f.py", "Runtime.HandlerNotFound", "Handler"
        code = "pass"
    served.write(file, code)
    for document in await asyncio.gather(served.error("f"), served.error("f")):
        assert document["errorType"] == error_type
        assert message in document["errorMessage"]


async def test_error_document_is_what_lambda_shows(serve: Serve) -> None:
    served = await serve()
    served.write("raise_it.py", "def handler(event, context):\n    raise Exception('Some exception was raised.')\n")
    invocation = await served.call("raise_it", request_id="the-id")
    assert invocation.payload.decode() == (
        '{"errorMessage": "Some exception was raised.", "errorType": "Exception", "requestId": "the-id",'
        ' "stackTrace": ["  File \\"/var/task/raise_it.py\\", line 2, in handler\\n'
        "    raise Exception('Some exception was raised.')\\n\"]}"
    )


@pytest.mark.parametrize("text", ["0.0", "1", '"\\u00e4"', "null", "true", '{"a": [1, {"b": null}]}', '""'])
async def test_payloads_keep_their_form(serve: Serve, text: str) -> None:
    served = await serve()
    served.write("echo.py", "def handler(event, context): return event")
    invocation = await served.functions.invoke("echo", text.encode(), function_arn=ARN + "echo")
    assert (json.loads(invocation.payload), invocation.function_error) == (json.loads(text), None)


async def test_bytes_pass_through(serve: Serve) -> None:
    served = await serve()
    served.write("bad.py", PROBLEMS)
    assert (await served.call("bad", "as_bytes")).payload == b'"HelloWorld!"  '
    assert (await served.call("bad", "nan")).payload == b"NaN"


async def test_not_found(serve: Serve) -> None:
    served = await serve()
    with pytest.raises(FunctionNotFound, match=f"^Function not found: {ARN}nope$"):
        await served.call("nope")


async def test_what_a_handler_sees(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_SECRET", "x")
    served = await serve()
    served.write("see/function.toml", "timeout = 30\nmemory = 256\n[environment]\nTABLE = 'orders'")
    served.write("see/data.txt", "beside the code")
    served.write("see/queue.py", "ours = True")
    served.write(
        "see/app.py",
        """
import os, queue
def lambda_handler(event, context):
    return {
        "environment": dict(os.environ), "name": context.function_name, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "id": context.aws_request_id, "group": context.log_group_name,
        "remaining": context.get_remaining_time_in_millis(), "custom": context.client_context.custom,
        "data": open("data.txt").read(), "own module": queue.ours, "version": context.function_version,
    }
""",
    )
    seen = await served.answer(
        "see",
        request_id="the-id",
        trace_id="Root=1-x",
        client_context='{"custom": {"a": "b"}}',
        timeout_seconds=20,
    )
    environment: dict[str, str] = seen.pop("environment")
    assert 0 < seen.pop("remaining") <= 20_000
    assert seen == {
        "name": "see",
        "arn": ARN + "see",
        "memory": "256",
        "id": "the-id",
        "group": "/aws/lambda/see",
        "custom": {"a": "b"},
        "data": "beside the code",
        "own module": True,
        "version": "$LATEST",
    }
    assert "SERVER_SECRET" not in environment
    assert environment["TABLE"] == "orders"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert environment["_X_AMZN_TRACE_ID"] == "Root=1-x"


@pytest.mark.parametrize("value", ["a\r\nLambda-Runtime-Aws-Request-Id: evil", "ä", "\0"])
async def test_headers_cannot_be_forged(serve: Serve, value: str) -> None:
    served = await serve()
    served.write("f.py", "import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')")
    assert await served.answer("f", trace_id=value) is None


async def test_workers_are_reused(serve: Serve) -> None:
    served = await serve()
    served.write("pid.py", "import os\ndef handler(event, context): return os.getpid()")
    assert len({await served.answer("pid") for _ in range(20)}) == 1


async def test_no_more_workers_than_the_limit_first_come_first_served(serve: Serve, gate: Gate) -> None:
    served = await serve(function_workers_each=2)
    served.write("f.py", gate.prelude + "def handler(event, context): wait(arrive(event)); return event")
    calls = [asyncio.create_task(served.answer("f", str(number))) for number in range(4)]
    first = await gate.visitors(2)
    assert set(first) == {"0", "1"}
    assert gate.nobody_waits()
    first["1"].let_through()
    third = await gate.visitor()
    assert (third.name, third.pid) == ("2", first["1"].pid)
    first["0"].let_through()
    fourth = await gate.visitor()
    assert (fourth.name, fourth.pid) == ("3", first["0"].pid)
    third.let_through()
    fourth.let_through()
    assert await asyncio.gather(*calls) == ["0", "1", "2", "3"]


async def test_an_idle_worker_gives_way_to_another_function(serve: Serve, gate: Gate) -> None:
    served = await serve(function_workers=1)
    for name in ("a", "b"):
        served.write(f"{name}.py", gate.prelude + f"line = arrive('{name}')\ndef handler(event, context): return event")
    assert await served.answer("a", 1) == 1
    a = await gate.visitor()
    assert await served.answer("b", 2) == 2
    await a.gone()


async def test_a_busy_function_does_not_starve_another(serve: Serve, gate: Gate) -> None:
    served = await serve(function_workers=1)
    for name in ("a", "b"):
        served.write(f"{name}.py", gate.prelude + "def handler(event, context): wait(arrive(event)); return event")
    calls = [asyncio.create_task(served.answer("a", "first"))]
    first = await gate.visitor()
    calls += [asyncio.create_task(served.answer(name, event)) for name, event in [("b", "second"), ("a", "third")]]
    await asyncio.sleep(0)  # both are in their queues
    first.let_through()
    order = []
    for _ in range(2):
        visitor = await gate.visitor()
        order.append(visitor.name)
        visitor.let_through()
    assert order == ["second", "third"]
    await asyncio.gather(*calls)


async def test_changed_code_is_seen_and_old_code_finishes(serve: Serve, gate: Gate) -> None:
    served = await serve()
    code = gate.prelude + "def handler(event, context):\n    if event: wait(arrive(event))\n    return 'old'"
    served.write("f.py", code)
    old = asyncio.create_task(served.answer("f", "busy"))
    visitor = await gate.visitor()
    served.write("f.py", code.replace("old", "new"))
    assert await served.answer("f") == "new"
    visitor.let_through()
    assert await old == "old"
    await visitor.gone()
    assert await served.answer("f") == "new"


async def test_a_time_out_kills_the_worker_and_what_it_started(serve: Serve, gate: Gate) -> None:
    served = await serve()
    served.write("f.toml", "timeout = 1")
    served.write(
        "f.py",
        gate.prelude + "def handler(event, context):\n    print('begun'); child('child'); wait(arrive('worker'))",
    )
    call = asyncio.create_task(served.call("f"))
    visitors = await gate.visitors(2)
    invocation = await call
    assert json.loads(invocation.payload) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert invocation.log.splitlines()[1] == "begun"
    for visitor in visitors.values():
        await visitor.gone()


async def test_an_exit_ends_what_the_worker_started(serve: Serve, gate: Gate) -> None:
    served = await serve()
    served.write("f.py", gate.prelude + "def handler(event, context): child('child'); wait(arrive('w')); os._exit(0)")
    call = asyncio.create_task(served.error("f"))
    visitors = await gate.visitors(2)
    visitors["w"].let_through()
    assert (await call)["errorMessage"].endswith("Runtime exited without providing a reason")
    await visitors["child"].gone()


async def test_cancelling_kills_the_worker(serve: Serve, gate: Gate) -> None:
    served = await serve()
    served.write("f.py", gate.prelude + "def handler(event, context): return event or wait(arrive('worker'))")
    call = asyncio.create_task(served.call("f"))
    visitor = await gate.visitor()
    call.cancel()
    await visitor.gone()
    assert await served.answer("f", 1) == 1


async def test_cancelling_leaves_the_queue(serve: Serve, gate: Gate) -> None:
    served = await serve(function_workers_each=1)
    served.write("f.py", gate.prelude + "def handler(event, context): wait(arrive(event)); return event")
    calls = [asyncio.create_task(served.answer("f", event)) for event in "abc"]
    visitor = await gate.visitor()
    calls[1].cancel()
    visitor.let_through()
    second = await gate.visitor()
    assert (second.name, second.pid) == ("c", visitor.pid)
    second.let_through()
    assert [await calls[0], await calls[2]] == ["a", "c"]


async def test_idle_workers_are_ended(serve: Serve, gate: Gate) -> None:
    served = await serve(function_idle_seconds=0)
    served.write("f.py", gate.prelude + "line = arrive('worker')\ndef handler(event, context): return event")
    assert await served.answer("f", 1) == 1
    await (await gate.visitor()).gone()


async def test_close_ends_what_runs_and_what_waits(serve: Serve, gate: Gate) -> None:
    served = await serve(function_workers_each=1)
    served.write("f.py", gate.prelude + "def handler(event, context): wait(arrive('worker'))")
    calls = [asyncio.create_task(served.error("f")) for _ in range(2)]
    visitor = await gate.visitor()
    await served.functions.close()
    await visitor.gone()
    assert {document["errorType"] for document in await asyncio.gather(*calls)} == {"Sandbox.Shutdown"}


async def test_output_is_kept_per_invocation(serve: Serve, options: FunctionOptions) -> None:
    served = await serve()
    served.write(
        "f.py",
        """
import logging, sys
print("starting")
def handler(event, context):
    print("out", event); print("err", event, file=sys.stderr); logging.warning("logged"); print("end", end="")
""",
    )
    first, second = await served.call("f", 1), await served.call("f", 2, request_id="second")
    start = f"START RequestId: {first.request_id} Version: $LATEST\n"
    assert first.log.startswith(f"{start}starting\nout 1\nerr 1\n[WARNING]\t")
    assert f"logged\nend\nEND RequestId: {first.request_id}\nREPORT RequestId: " in first.log
    assert second.log.splitlines()[1:3] == ["out 2", "err 2"]
    lines = (options.logs / "f.log").read_text().split("START RequestId: second Version: $LATEST\n")[1].splitlines()
    assert lines[:2] == ["out 2", "err 2"]
    assert lines[3:5] == ["end", "END RequestId: second"]
    assert lines[5].startswith("REPORT RequestId: second\tDuration: ")


async def test_a_flood_of_output_is_bounded(serve: Serve, options: FunctionOptions) -> None:
    served = await serve(
        function_log_file_bytes=50_000,
        function_output_bytes_per_second=50_000_000,
        function_log_tail_bytes=300,
    )
    served.write(
        "flood.py",
        """
import os
def handler(event, context):
    for _ in range(200):
        os.write(1, b"x" * 65536)
    return "done"
""",
    )
    served.write("echo.py", "def handler(event, context): return event")
    flood = asyncio.create_task(served.call("flood"))
    assert await served.answer("echo", 1) == 1
    invocation = await flood
    assert (invocation.payload, len(invocation.log)) == (b'"done"', 300)
    assert "x" * 10 + f"\nEND RequestId: {invocation.request_id}" in invocation.log
    sizes = [(options.logs / name).stat().st_size for name in ("flood.log", "flood.log.1")]
    assert max(sizes) < 50_000 + LINE_CHARACTERS + 65_536


async def test_list(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    served = await serve()
    served.write("b.py", "def handler(event, context): ...")
    served.write("a/app.py", "def lambda_handler(event, context): ...")
    served.write("c/function.toml", "timeout = 3")
    assert [(info.name, info.handler, info.timeout_seconds) for info in served.functions.list()] == [
        ("a", "app.lambda_handler", 900),
        ("b", "b.handler", 900),
    ]
    assert "Function c cannot be run" in caplog.text
