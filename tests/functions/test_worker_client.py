"""The client's half that talks to the Runtime API: the same calls, in a real worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .conftest import Served

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"


async def test_answers_and_errors_take_turns(serve: Callable[..., Awaitable[Served]]) -> None:
    served = await serve()
    served.write(
        "f.py",
        "import os, runtime_client\n"
        "def handler(event, context):\n"
        "    return [event / 2, runtime_client.__name__, context.invoked_function_arn, os.getpid()]\n",
    )
    first = await served.answer("f", 4)
    assert first[:3] == [2.0, "worker_client", ARN]
    assert (await served.error("f", "text"))["errorType"] == "TypeError"
    assert await served.answer("f", 6) == [3.0, "worker_client", ARN, first[3]], "the same worker"


async def test_an_error_of_the_start(serve: Callable[..., Awaitable[Served]]) -> None:
    served = await serve()
    served.write("g.py", "import nowhere")
    assert (await served.error("g"))["errorType"] == "Runtime.ImportModuleError"


async def test_long_events_and_answers(serve: Callable[..., Awaitable[Served]]) -> None:
    served = await serve()
    served.write("f.py", "def handler(event, context): return event")
    for text in ("x" * 3_000_000, "é" * 1_000_000, ""):
        assert await asyncio.wait_for(served.answer("f", text), 20) == text


async def test_no_event_goes_to_a_worker_whose_answer_was_refused(serve: Callable[..., Awaitable[Served]]) -> None:
    served = await serve(function_request_bytes=1_000, function_workers_each=1)
    served.write("f.py", "import os\ndef handler(event, context): return [os.getpid(), 'x' * event]")
    first = (await served.answer("f", 1))[0]
    too_long, after = await asyncio.gather(served.call("f", 2_000), served.answer("f", 1))
    assert too_long.function_error == "Unhandled"
    assert b"exceeded" in too_long.payload
    assert after[0] != first


async def test_sockets_of_the_handler_are_its_own_business(serve: Callable[..., Awaitable[Served]]) -> None:
    served = await serve()
    served.write(
        "f.py",
        "import socket, time\n"
        "socket.setdefaulttimeout(0.01)\n"
        "socket.socket = None\n"
        "def handler(event, context): return event\n",
    )
    assert await served.answer("f", 1) == 1
    await asyncio.sleep(0.05)  # longer than the handler lets its own sockets wait
    assert await served.answer("f", 2) == 2
