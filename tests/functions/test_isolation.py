"""What a worker has for itself, and what it may take of the machine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from .conftest import Served
from .gate import Gate

Serve = Callable[..., Awaitable[Served]]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot bound another process")

TEMPORARY = {
    "f.py": (
        "import os, tempfile\n"
        "def handler(event, context):\n"
        "    if event: open(os.path.join(tempfile.gettempdir(), event), 'w').close()\n"
        "    return [tempfile.gettempdir(), os.listdir(tempfile.gettempdir())]\n"
    ),
    "f.js": (
        "const fs = require('fs'), os = require('os'), path = require('path')\n"
        "exports.handler = async (event) => {\n"
        "  if (event) fs.writeFileSync(path.join(os.tmpdir(), event), '')\n"
        "  return [os.tmpdir(), fs.readdirSync(os.tmpdir())]\n"
        "}\n"
    ),
}


@pytest.mark.parametrize(("file", "code"), TEMPORARY.items(), ids=TEMPORARY)
async def test_temporary_files_are_a_workers_own(serve: Serve, file: str, code: str) -> None:
    served = await serve()
    served.write(file, code)
    served.write(f"g{Path(file).suffix}", code)
    folder, kept = await served.answer("f", "a")
    assert kept == ["a"]
    assert await served.answer("f") == [folder, ["a"]]  # the same worker, as on Lambda
    other, kept = await served.answer("g")
    assert (other != folder, kept) == (True, [])
    await served.functions.close()
    assert not any(map(_exists, (folder, other)))


async def test_temporary_files_go_when_a_worker_ends(serve: Serve, gate: Gate) -> None:
    served = await serve()
    code = gate.prelude + (
        "import tempfile\n"
        "def handler(event, context):\n"
        "    open(os.path.join(tempfile.gettempdir(), 'a'), 'w').close()\n"
        "    arrive(tempfile.gettempdir()) if event else None\n"
        "    os._exit(1)\n"
    )
    served.write("f.py", code)
    await served.error("f", 1)
    folder = (await gate.visitor()).name
    await asyncio.get_running_loop().shutdown_default_executor()  # where it is removed
    assert not _exists(folder)


def _exists(folder: str) -> bool:
    return Path(folder).exists()


def _bounds(pid: int) -> tuple[dict[str, list[str]], str]:
    """By name, soft and hard limit; and the score."""
    process = Path(f"/proc/{pid}")
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
    return limits, (process / "oom_score_adj").read_text().strip()


@linux_only
@pytest.mark.parametrize("file", ["f.py", "f.js", "f/bootstrap"])
async def test_every_worker_is_bounded(serve: Serve, file: str, gate: Gate) -> None:
    """Seen from outside: the limits of the process that runs the code."""
    served = await serve(function_open_files=100)
    code = {
        "f.py": gate.prelude + "def handler(event, context): wait(arrive('f'))",
        "f.js": (
            f"const socket = require('net').connect({str(gate.path)!r})\n"
            "exports.handler = () => new Promise((done) => {\n"
            "  socket.write(`f ${process.pid}\\n`); socket.once('data', () => done(null))\n"
            "})\n"
        ),
        "f/bootstrap": f"#!{sys.executable} -IS\n{gate.prelude}wait(arrive('f'))",
    }
    served.write(file, code[file])
    (served.options.folder / file).chmod(0o755)
    call = asyncio.create_task(served.call("f"))
    visitor = await gate.visitor()
    limits, score = _bounds(visitor.pid)
    visitor.let_through()
    await call
    assert limits["Max open files"] == ["100", "100"]
    assert limits["Max core file size"] == ["0", "0"]
    assert score == "1000"
    is_python = file == "f.py"
    assert (limits["Max data size"] == [str(2_048 * 1_048_576)] * 2) is is_python


@linux_only
async def test_memory_that_grows_ends_only_the_invocation(serve: Serve) -> None:
    served = await serve(function_memory_headroom_megabytes=64)
    served.write("f/function.toml", "memory = 128")
    served.write("f/app.py", "def handler(event, context):\n    return len(bytearray(event << 20))")
    assert (await served.error("f", 256))["errorType"] == "MemoryError"
    assert await served.answer("f", 64) == 64 << 20


@linux_only
async def test_files_that_are_not_closed(serve: Serve) -> None:
    served = await serve(function_open_files=100)
    served.write(
        "f.py",
        "kept = []\ndef handler(event, context):\n    while len(kept) < event: kept.append(open(__file__))\n",
    )
    document = await served.error("f", 200)
    assert (document["errorType"], "Too many open files" in document["errorMessage"]) == ("OSError", True)
    served.write("f.py", "def handler(event, context): return event")
    assert await served.answer("f", 1) == 1


async def test_forks_end_with_the_worker(serve: Serve, gate: Gate) -> None:
    """Children and their children, which take no signals that can be ignored."""
    served = await serve()
    served.write("f.toml", "timeout = 2")
    served.write(
        "f.py",
        gate.prelude
        + """
import signal
def handler(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(3):
        os.fork()
    wait(arrive(f"process-{os.getpid()}"))
""",
    )
    call = asyncio.create_task(served.error("f"))
    visitors = await gate.visitors(8)
    assert (await call)["errorType"] == "Sandbox.Timedout"
    for visitor in visitors.values():
        await visitor.gone()


LEAVES = {
    "f.py": """
def handler(event, context):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            line = arrive("left")
            os.closerange(0, line.fileno())
            wait(line)
        os._exit(0)
    os.wait()
    wait(arrive("worker"))
    os._exit(1)
""",
    "f.js": """
exports.handler = async () => {
  const code = ["import socket, os", "line = socket.socket(socket.AF_UNIX)", "line.connect('GATE')",
    "line.sendall(b'left %d\\\\n' % os.getpid())", "line.recv(1)"].join("\\n")
  const left = spawn(PYTHON, ["-ISc", code], { detached: true, stdio: 'ignore' })
  left.unref()
  const socket = require('net').connect('GATE')
  socket.write(`worker ${process.pid}\\n`)
  await new Promise((done) => socket.once('data', done))
  process.exit(1)
}
""",
}
"""Something that leaves the worker's session, and is nobody's child any more, and the end of the worker."""


@linux_only
@pytest.mark.parametrize("file", LEAVES)
async def test_who_leaves_the_session_ends_with_the_worker(serve: Serve, gate: Gate, file: str) -> None:
    served = await serve()
    prelude = gate.prelude if file == "f.py" else "const { spawn } = require('child_process')\n"
    code = LEAVES[file].replace("GATE", str(gate.path)).replace("PYTHON", repr(sys.executable))
    served.write(file, prelude + code)
    call = asyncio.create_task(served.error("f"))
    visitors = await gate.visitors(2)
    visitors["worker"].let_through()
    assert (await call)["errorType"] == "Runtime.ExitError"
    await visitors["left"].gone()


@linux_only
async def test_forks_without_end_are_ended(serve: Serve) -> None:
    served = await serve(function_processes=50)
    served.write("f.py", "import os\ndef handler(event, context):\n    while event: os.fork()\n    return event")
    invocation = await served.call("f", True)
    assert json.loads(invocation.payload)["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert await served.answer("f", False) is False
    assert "it took more processes than it may" in (served.options.logs / "f.log").read_text()


@linux_only
async def test_temporary_files_are_bounded(serve: Serve) -> None:
    served = await serve()
    served.write(
        "f.py",
        "import os, tempfile, time\n"
        "def handler(event, context):\n"
        "    for size in event:\n"
        "        file, _ = tempfile.mkstemp()\n"
        "        os.posix_fallocate(file, 0, size << 20)\n"
        "    while len(event) > 1: time.sleep(1)\n"
        "    return 'kept'\n",
    )
    document = await served.error("f", [513])
    assert (document["errorType"], "File too large" in document["errorMessage"]) == ("OSError", True)
    assert (await served.error("f", [300, 300]))["errorType"] == "Runtime.ExitError"
    assert await served.answer("f", [300]) == "kept"
    served.write("f.toml", "storage = 1024")
    assert await served.answer("f", [513]) == "kept"


@linux_only
async def test_memory_of_an_executable_is_bounded(serve: Serve) -> None:
    served = await serve(function_memory_headroom_megabytes=1)
    served.write("f/function.toml", "memory = 128")
    served.write(
        "f/bootstrap",
        f"#!{sys.executable} -IS\n"
        "import os, time, urllib.request\n"
        "api = f\"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation/\"\n"
        "urllib.request.urlopen(api + 'next').read()\n"
        "kept = b'x' * (300 << 20)\n"
        "while True: time.sleep(1)\n",
    )
    (served.options.folder / "f/bootstrap").chmod(0o755)
    assert (await served.error("f"))["errorMessage"].endswith("signal: killed")
    assert "it took more memory than it may" in (served.options.logs / "f.log").read_text()
