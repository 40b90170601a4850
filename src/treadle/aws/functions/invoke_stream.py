"""The operation InvokeWithResponseStream: the answer as events of a stream, as the handler writes it.

A handler that does not stream gives one PayloadChunk with its whole answer. The last event is InvokeComplete, with the
error if there is one: `Unhandled`, and the error document as its details. (That these are Lambda's very words is not
known: its documentation says only that there are a code and details.)
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from typing import Any

from treadle.aws.errors import not_implemented
from treadle.aws.event_stream import Event, EventStream
from treadle.aws.functions.call import Call
from treadle.aws.functions.invoke import client_context_of, payload_of, run
from treadle.functions.answer_stream import AnswerStream
from treadle.functions.contract import Invocation
from treadle.runtime.waiting import Wait


class StreamedInvocation:
    """An invocation whose answer is read as it comes. Whoever reads it must `close` it."""

    def __init__(self, work: asyncio.Task[Invocation], stream: AnswerStream) -> None:
        self.stream = stream
        self._work = work
        work.add_done_callback(lambda _: stream.close())

    async def begun(self, wait_for: Wait) -> None:
        """Until it streams or has ended; or whoever waits has gone. Raises what the invocation raises."""
        while self.stream.content_type is None and not self.stream.closed:
            if not await wait_for(self.stream.news()):
                break
        if self._work.done():
            self._work.result()

    async def pieces(self, wait_for: Wait) -> AsyncGenerator[bytes]:
        """What the handler streams, until the invocation has ended or the reader has gone."""
        while await wait_for(self.stream.news()):
            if piece := self.stream.take():
                yield piece
            elif self.stream.closed:
                return

    @property
    def result(self) -> Invocation | None:
        """None: it has not ended."""
        return self._work.result() if self._work.done() else None

    def close(self) -> None:
        """An invocation that is under way ends with its worker."""
        self._work.cancel()


async def invoke_with_response_stream(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    if "TenantId" in request:
        raise not_implemented("invocations with TenantId")
    payload = payload_of(call, request.get("Payload", b""))
    client_context = client_context_of(call, request)
    if request.get("InvocationType") == "DryRun":
        if not call.in_folder(named.name):
            await call.version(named)
        return {"StatusCode": 204}
    stream = AnswerStream(call.backend.limits)
    invocation = StreamedInvocation(asyncio.create_task(run(call, named, payload, client_context, stream)), stream)
    try:
        await invocation.begun(call.caller.wait_for)
    except BaseException:
        invocation.close()
        raise
    return {
        "StatusCode": 200,
        "ExecutedVersion": stream.executed_version or "$LATEST",
        "EventStream": EventStream(
            _events(call, invocation, tail=request.get("LogType") == "Tail"), call.backend.limits.stream_send_seconds
        ),
    }


async def _events(call: Call, invocation: StreamedInvocation, *, tail: bool) -> AsyncGenerator[Event]:
    try:
        async for piece in invocation.pieces(call.caller.wait_for):
            yield Event("PayloadChunk", {"Payload": piece})
        ended = invocation.result
        if ended is None:  # nobody reads any more
            return
        complete: dict[str, Any] = {}
        if ended.function_error is not None:
            complete = {"ErrorCode": ended.function_error, "ErrorDetails": ended.payload.decode("utf-8", "replace")}
        elif invocation.stream.content_type is None:
            yield Event("PayloadChunk", {"Payload": ended.payload})
        if tail:
            complete["LogResult"] = base64.b64encode(ended.log.encode()).decode()
        yield Event("InvokeComplete", complete)
    finally:
        invocation.close()
