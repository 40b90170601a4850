"""Handlers that misbehave, in Python and in Node.js: each gives what Lambda gives, and the next invocation works."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import pytest

from .conftest import Served
from .gate import Gate

Serve = Callable[..., Awaitable[Served]]

PYTHON = """
import os, signal, sys, time
def handler(event, context):
    return globals()[event]()
def well():
    return "well"
def exits():
    os._exit(3)
def floods():
    for _ in range(event_bytes // 65536):
        os.write(1, b"x" * 65535 + b"\\n")
    return "written"
event_bytes = FLOOD
def ignores():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGTERM)
    while True: time.sleep(1)
def hangs():
    import ctypes
    ctypes.PyDLL(None).pause()
def large():
    return "x" * (7 << 20)
def no_json():
    return object()
def fills():
    kept = []
    while True: kept.append(bytearray(64 << 20))
def binary():
    os.write(1, b"\\xff\\xfe caf\\xc3\\n")
    return "written"
def long_line():
    os.write(1, b"y" * (10 << 20) + b"\\n")
    return "written"
def closes():
    os.close(1); os.close(2)
    return "closed"
def unended():
    sys.stdout.write("no end")
    return "written"
def crashes():
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(10)
"""
NODE = """
const fs = require('fs')
const all = {
  well: () => 'well',
  exits: () => process.exit(3),
  floods: () => {
    const line = Buffer.alloc(65536, 'x'); line[65535] = 10
    for (let at = 0; at < FLOOD / 65536; at++) write(line)
    return 'written'
  },
  ignores: () => {
    process.on('SIGTERM', () => {}); process.kill(process.pid, 'SIGTERM')
    return new Promise(() => setInterval(() => {}, 1000))
  },
  hangs: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  large: () => 'x'.repeat(7 << 20),
  no_json: () => { const a = {}; a.a = a; return a },
  fills: () => { const kept = []; for (;;) kept.push('x'.repeat(1 << 10) + kept.length) },
  binary: () => { write(Buffer.from([255, 254, 32, 99, 97, 102, 195, 10])); return 'written' },
  long_line: () => { write(Buffer.from('y'.repeat(10 << 20) + '\\n')); return 'written' },
  closes: () => { fs.closeSync(1); fs.closeSync(2); return 'closed' },
  unended: () => { process.stdout.write('no end'); return 'written' },
  crashes: () => { process.kill(process.pid, 'SIGSEGV'); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) },
}
function write(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try { at += fs.writeSync(1, bytes, at) } catch (error) { if (error.code !== 'EAGAIN') throw error }
  }
}
exports.handler = async (event) => all[event]()
"""
HANDLERS = {"python": ("f.py", PYTHON), "nodejs": ("f.js", NODE)}
TIME_OUT = "RequestId: {id} Error: Task timed out after 2.00 seconds"
TOO_LARGE = "Response payload size exceeded maximum allowed payload size (6291456 bytes)."

ENDS: dict[str, dict[str, tuple[str, str]]] = {
    "exits": dict.fromkeys(
        HANDLERS, ("Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: exit status 3")
    ),
    "crashes": dict.fromkeys(
        HANDLERS, ("Runtime.ExitError", "RequestId: {id} Error: Runtime exited with error: signal: segmentation fault")
    ),
    "ignores": dict.fromkeys(HANDLERS, ("Sandbox.Timedout", TIME_OUT)),
    "hangs": dict.fromkeys(HANDLERS, ("Sandbox.Timedout", TIME_OUT)),
    "large": dict.fromkeys(HANDLERS, ("Function.ResponseSizeTooLarge", TOO_LARGE)),
    "no_json": {
        "python": (
            "Runtime.MarshalError",
            "Unable to marshal response: Object of type object is not JSON serializable",
        ),
        "nodejs": ("Error", "Unable to stringify response body"),
    },
    "fills": {
        "python": ("MemoryError", ""),
        "nodejs": (
            "Runtime.ExitError",
            "RequestId: {id} Error: Runtime exited with error: signal: aborted",
        ),
    },
}
"""What errors are made of, for each language."""


async def served_with(serve: Serve, language: str, seconds: int, **limits: int) -> Served:
    served = await serve(function_output_bytes_per_second=1 << 30, **limits)
    file, code = HANDLERS[language]
    served.write(file, code.replace("FLOOD", str(64 << 20)))
    served.write("f.toml", f"timeout = {seconds}\nmemory = 128")
    return served


@pytest.mark.parametrize("language", HANDLERS)
@pytest.mark.parametrize("misdeed", ENDS)
async def test_errors(serve: Serve, misdeed: str, language: str) -> None:
    if (misdeed, language, sys.platform == "linux") == ("fills", "python", False):
        pytest.skip("memory is bounded on Linux only")
    headroom = {"function_memory_headroom_megabytes": 200} if misdeed == "fills" else {}
    served = await served_with(serve, language, 2 if misdeed in ("ignores", "hangs") else 60, **headroom)
    assert await served.answer("f", "well") == "well"
    invocation = await served.call("f", misdeed)
    error_type, message = ENDS[misdeed][language]
    document = json.loads(invocation.payload)
    told = document["errorType"], document["errorMessage"]
    assert (*told, invocation.function_error) == (error_type, message.format(id=invocation.request_id), "Unhandled")
    assert await served.answer("f", "well") == "well"


OUTPUTS = {
    "floods": ("written", "x" * 100),
    "binary": ("written", "\ufffd\ufffd caf\ufffd"),
    "long_line": ("written", "y" * 100),
    "closes": ("closed", "START RequestId"),
    "unended": ("written", "no end\nEND RequestId"),
}
"""What the handler answers, and what stands in the log."""


@pytest.mark.parametrize("language", HANDLERS)
@pytest.mark.parametrize("misdeed", OUTPUTS)
async def test_output(serve: Serve, misdeed: str, language: str) -> None:
    served = await served_with(serve, language, 60)
    answer, logged = OUTPUTS[misdeed]
    assert await served.answer("f", misdeed) == answer
    assert await served.answer("f", "well") == "well"
    text = "".join(file.read_text() for file in served.options.logs.glob("f.log*"))
    assert logged in text


STARTS = {
    ("f.py", "raise KeyError('no')"): ("KeyError", "'no'"),
    ("f.py", "import nowhere"): (
        "Runtime.ImportModuleError",
        "Unable to import module 'f': No module named 'nowhere'",
    ),
    ("f.py", "x = 1"): ("Runtime.HandlerNotFound", "Handler 'handler' missing on module 'f'"),
    ("f.js", "throw new TypeError('no')"): ("TypeError", "no"),
    ("f.js", "exports.x = 1"): ("Runtime.HandlerNotFound", "f.handler is undefined or not exported"),
}


@pytest.mark.parametrize(("file", "code"), STARTS, ids=[code for _, code in STARTS])
async def test_starts(serve: Serve, file: str, code: str) -> None:
    served = await serve()
    served.write(file, code)
    for _ in range(2):
        document = await served.error("f")
        assert (document["errorType"], document["errorMessage"]) == STARTS[file, code]
    lines = (served.options.logs / "f.log").read_text().splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("INIT", "START", "END", "REPORT"))] == [
        *("INIT_START", "START", "END", "REPORT"),
        *("INIT_START", "START", "END", "REPORT"),
    ]
    served.write(file, (PYTHON if file == "f.py" else NODE).replace("FLOOD", "1"))
    assert await served.answer("f", "well") == "well"


SLOW = {
    "f.py": "import os\nopen(COUNT, 'a').write('x')\nimport time\ntime.sleep(1.5)\n"
    "def handler(event, context): return context.get_remaining_time_in_millis() > 0",
    "f.js": "require('fs').appendFileSync(COUNT, 'x')\n"
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)\n"
    "exports.handler = async (event, context) => context.getRemainingTimeInMillis() > 0",
}


@pytest.mark.parametrize("seconds", [30, 1], ids=["long enough", "too short, too"])
@pytest.mark.parametrize("file", SLOW)
async def test_a_start_longer_than_the_init_phase_is_made_again(serve: Serve, file: str, seconds: int) -> None:
    """Under the time-out of the invocation."""
    served = await serve(function_init_seconds=1)
    count = served.options.folder.parent / "count"
    served.write(file, SLOW[file].replace("COUNT", repr(str(count))))
    served.write("f.toml", f"timeout = {seconds}")
    invocation = await served.call("f")
    if seconds == 30:
        assert invocation.payload == b"true"
    else:
        message = f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds"
        assert json.loads(invocation.payload) == {"errorType": "Sandbox.Timedout", "errorMessage": message}
    assert len(count.read_text()) == 2
    assert (
        "INIT_REPORT Init Duration: 1000.00 ms\tPhase: init\tStatus: timeout\n"
        in (served.options.logs / "f.log").read_text()
    )


GATED = {
    "f.py": "def handler(event, context): return wait(arrive('f')) and 'well'",
    "f.js": "exports.handler = () => new Promise((done) => {\n"
    "  const socket = require('net').connect(GATE)\n"
    "  socket.write(`f ${process.pid}\\n`); socket.once('data', () => { socket.end(); done('well') })\n"
    "})\n",
}


@pytest.mark.parametrize("file", GATED)
async def test_a_worker_that_is_killed(serve: Serve, gate: Gate, file: str) -> None:
    served = await serve()
    served.write(file, (gate.prelude if file == "f.py" else "") + GATED[file].replace("GATE", repr(str(gate.path))))
    call = asyncio.create_task(served.call("f"))
    visitor = await gate.visitor()
    os.kill(visitor.pid, signal.SIGKILL)
    invocation = await call
    message = f"RequestId: {invocation.request_id} Error: Runtime exited with error: signal: killed"
    assert json.loads(invocation.payload) == {"errorType": "Runtime.ExitError", "errorMessage": message}
    again = asyncio.create_task(served.answer("f"))
    (await gate.visitor()).let_through()
    assert await again == "well"
