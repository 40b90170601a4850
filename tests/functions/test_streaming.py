"""Handlers that stream their answer, in Node.js and as executables, read as it comes or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from treadle.functions.answer_stream import AnswerStream
from treadle.functions.contract import Invocation

from .conftest import ARN, Served
from .gate import Gate
from .test_provided import write

Serve = Callable[..., Awaitable[Served]]

WRAPPED = "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{ {} }})"
SHELL = """#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while :; do
  curl -sS -D "$TMPDIR/head" -o "$TMPDIR/event" "$api/invocation/next" || exit 1
  id=$(tr -d '\\r' <"$TMPDIR/head" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
  curl -sS -o /dev/null -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Transfer-Encoding: chunked' \\
    -H 'Content-Type: text/plain' --data-binary "@$TMPDIR/event" "$api/invocation/$id/response" || exit 1
done
"""


class Reading:
    """An invocation that is read as it comes."""

    def __init__(self, served: Served, event: Any = None) -> None:
        self.stream = AnswerStream(served.options.limits)
        payload = json.dumps(event).encode()
        self.task = asyncio.create_task(
            served.functions.invoke("f", payload, function_arn=ARN + "f", stream=self.stream)
        )
        self.task.add_done_callback(lambda _: self.stream.close())

    async def next(self) -> bytes:
        """Empty at the end."""
        while True:
            await asyncio.wait_for(self.stream.news(), 60)
            if (piece := self.stream.take()) or self.stream.closed:
                return piece

    async def rest(self) -> tuple[bytes, Invocation]:
        body = b""
        while piece := await self.next():
            body += piece
        return body, await self.task


async def test_pieces_come_as_they_are_written(serve: Serve, gate: Gate) -> None:
    served = await serve()
    line = f"require('net').connect({json.dumps(str(gate.path))})"
    wait = f"const line = {line}; line.write('f 1\\n'); await new Promise((go) => line.on('data', go)); line.end()"
    served.write("f.js", WRAPPED.format(f"stream.write('one'); {wait}; stream.write('two'); stream.end('three')"))
    reading = Reading(served)
    assert await reading.next() == b"one"
    assert reading.stream.content_type == "application/octet-stream"
    assert reading.stream.executed_version == "$LATEST"
    (await gate.visitor()).let_through()
    body, invocation = await reading.rest()
    assert (body, invocation.payload, invocation.function_error) == (b"twothree", b"", None)


async def test_a_worker_streams_again_and_again(serve: Serve) -> None:
    served = await serve()
    served.write("f.js", WRAPPED.format("stream.setContentType('text/x'); stream.end(`${event} ${process.pid}`)"))
    first, _ = await Reading(served, 1).rest()
    second, _ = await Reading(served, 2).rest()
    assert first.split()[0] + second.split()[0] == b"12"
    assert first.split()[1] == second.split()[1]


async def test_an_answer_that_nobody_reads_as_it_comes(serve: Serve) -> None:
    served = await serve()
    served.write("f.js", WRAPPED.format("for (let n = 0; n < 3; n++) stream.write(`${n}`); stream.end()"))
    assert (await served.call("f")).payload == b"012"


async def test_metadata(serve: Serve) -> None:
    served = await serve()
    metadata = "{ statusCode: 201, headers: { a: 'b' } }"
    served.write("f.js", WRAPPED.format(f"awslambda.HttpResponseStream.from(stream, {metadata}).end('body')"))
    reading = Reading(served)
    body, _ = await reading.rest()
    assert body == b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b"body"
    assert reading.stream.content_type == "application/vnd.awslambda.http-integration-response"


FAILURES = {
    "before the first piece": ("throw new TypeError('no')", b"", "TypeError"),
    "in the middle": ("stream.write('one'); throw new TypeError('no')", b"one", "TypeError"),
    "later": ("stream.write('one'); setTimeout(() => { throw new TypeError('no') }, 1)", b"one", "TypeError"),
    "without an end": ("", b"", "Runtime.NodeJsExit"),
    "of the stream": ("stream.destroy(new TypeError('no'))", b"", "TypeError"),
    "the process ends": ("stream.write('one', () => process.exit(3))", None, "Runtime.ExitError"),
}


@pytest.mark.parametrize(("code", "body", "error_type"), FAILURES.values(), ids=FAILURES)
async def test_failures(serve: Serve, code: str, body: bytes | None, error_type: str) -> None:
    served = await serve()
    served.write("f.js", WRAPPED.format(f"if (event === 'fine') {{ stream.end('fine'); return }} {code}"))
    came, invocation = await Reading(served).rest()
    assert body is None or came == body
    assert invocation.function_error == "Unhandled"
    assert json.loads(invocation.payload)["errorType"] == error_type
    assert (await Reading(served, "fine").rest())[0] == b"fine"


async def test_a_handler_that_is_not_async(serve: Serve) -> None:
    served = await serve()
    served.write("f.js", "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('one') })")
    _, invocation = await Reading(served).rest()
    assert json.loads(invocation.payload)["errorType"] == "Runtime.InvalidStreamingOperation"


async def test_a_stream_that_is_too_long(serve: Serve) -> None:
    served = await serve(function_stream_bytes=100_000)
    served.write("f.js", WRAPPED.format("const piece = 'x'.repeat(event); stream.write(piece); stream.end(piece)"))
    _, invocation = await Reading(served, 60_000).rest()
    assert json.loads(invocation.payload)["errorType"] == "Function.ResponseSizeTooLarge"
    assert len((await Reading(served, 50_000).rest())[0]) == 100_000


async def test_a_handler_waits_for_its_reader(serve: Serve) -> None:
    """Far more than all buffers hold; the pieces are taken only at the end."""
    served = await serve(function_stream_buffer_bytes=1_000)
    served.write(
        "f.js",
        "const { pipeline } = require('stream/promises')\n"
        + WRAPPED.format(
            "let made = 0; await pipeline(function* () {{ for (; made < 300; made++) yield Buffer.alloc(65536, 'x') }},"
            " stream); console.log(`made ${made}`)".replace("{{", "{").replace("}}", "}")
        ),
    )
    body, invocation = await Reading(served).rest()
    assert len(body) == 300 * 65_536
    assert "made 300" in invocation.log


async def test_whoever_goes_away_ends_the_invocation(serve: Serve) -> None:
    served = await serve()
    code = "stream.write(`${process.pid}`); await new Promise((done) => setTimeout(done, 600000))"
    served.write("f.js", WRAPPED.format(f"if (event) stream.end(`${{process.pid}}`); else {{ {code} }}"))
    reading = Reading(served)
    pid = await reading.next()
    reading.task.cancel()
    await asyncio.wait({reading.task})
    other, _ = await Reading(served, "again").rest()
    assert other != pid


async def test_an_executable_that_streams(serve: Serve) -> None:
    served = await serve()
    write(served, SHELL)
    reading = Reading(served, {"a": 1})
    body, _ = await reading.rest()
    assert json.loads(body) == {"a": 1}
    assert reading.stream.content_type == "text/plain"
    assert json.loads((await served.call("f", {"a": 2})).payload) == {"a": 2}


async def test_a_handler_that_does_not_stream(serve: Serve) -> None:
    served = await serve()
    served.write("f.py", "def handler(event, context): return event")
    reading = Reading(served, "ä")
    body, invocation = await reading.rest()
    assert body == b""
    assert reading.stream.content_type is None
    assert json.loads(invocation.payload) == "ä"
