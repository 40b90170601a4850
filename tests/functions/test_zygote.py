"""A worker that is forked cannot be told from one that was started afresh."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from treadle.functions.runtimes import PYTHON_PACKAGES, ZYGOTE_COMMAND

from .conftest import Served
from .gate import Gate

Serve = Callable[..., Awaitable[Served]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a zygote on Linux only")

LOOKS = """
import builtins, gc, io, locale, logging, os, resource, signal, sys, threading, time, warnings
def handler(event, context):
    environment = {name: value for name, value in os.environ.items() if name not in IGNORED}
    return {
        "environment": environment,
        "shell's": sorted(line.partition("=")[0] for line in os.popen("env -0").read().split(chr(0))),
        "path": sys.path, "flags": list(sys.flags), "folder": os.getcwd(), "leads": os.getsid(0) == os.getpid(),
        "group": os.getpgid(0) == os.getpid(), "files": sorted(os.listdir("/proc/self/fd"))[:3],
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals()) if number < 32],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "threads": threading.active_count(),
        "output": [[stream.encoding, stream.errors, stream.line_buffering] for stream in (sys.stdout, sys.stderr)],
        "input": os.readlink("/proc/self/fd/0"), "zone": time.tzname, "locale": locale.setlocale(locale.LC_CTYPE),
        "handlers": [type(each).__name__ for each in logging.getLogger().handlers], "quit": hasattr(builtins, "exit"),
        "collects": gc.isenabled(), "warns": len(warnings.filters), "core": resource.getrlimit(resource.RLIMIT_CORE),
        "finders": [type(each).__name__ for each in sys.meta_path if type(each) is not type],
        "arguments": len(sys.argv), "name": sys.modules["__main__"].__name__, "depth": sys.getrecursionlimit(),
    }
"""
IGNORED = (
    "IGNORED = {'AWS_LAMBDA_FUNCTION_NAME', 'AWS_LAMBDA_LOG_GROUP_NAME', 'AWS_LAMBDA_LOG_STREAM_NAME', 'TMPDIR',"
    " '_HANDLER', 'AWS_LAMBDA_RUNTIME_API', '_X_AMZN_TRACE_ID', 'LAMBDA_TASK_ROOT', 'PYTHONHASHSEED'}\n"
)


def is_forked(parent: int) -> bool:
    return b"zygote_process" in Path(f"/proc/{parent}/cmdline").read_bytes()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_looks_like_a_fresh_process(serve: Serve) -> None:
    served = await serve()
    served.write("forked.py", IGNORED + LOOKS)
    served.write("fresh.py", IGNORED + LOOKS)
    served.write("fresh.toml", "[environment]\nPYTHONHASHSEED = '7'")
    forked, fresh = await served.answer("forked"), await served.answer("fresh")
    fresh["shell's"].remove("PYTHONHASHSEED")
    assert forked == fresh


OWN: list[dict[str, str]] = [
    {"f.py": "def handler(event, context): return True"},
    {"f/handler.py": "import six\ndef handler(event, context): return six.own", "f/six.py": "own = True"},
    {"f/handler.py": "import email\ndef handler(event, context): return email.own", "f/email.py": "own = True"},
    {
        "f/handler.py": "import botocore\ndef handler(event, context): return botocore.own",
        "f/botocore/__init__.py": "own = True",
    },
    {
        "f/handler.py": "import jmespath\ndef handler(event, context): return jmespath.own",
        "f/lib/jmespath.py": "own = True",
        "f/function.toml": "[environment]\nPYTHONPATH = '{root}/lib'",
    },
    {
        "f/handler.py": "import own\ndef handler(event, context): return own.own",
        "f/lib/own.py": "own = True",
        "f/function.toml": "[environment]\nPYTHONPATH = '{root}/lib'",
    },
    {
        "f.py": "def handler(event, context):\n    assert False\n    return True",
        "f.toml": "[environment]\nPYTHONOPTIMIZE = '1'",
    },
    {
        "f.py": "import time\ndef handler(event, context): return time.tzname[0] == 'XYZ'",
        "f.toml": "[environment]\nTZ = 'XYZ3'",
    },
]
"""Files with which the function answers true: what it brings along is what it gets."""


@pytest.mark.parametrize("files", OWN, ids=lambda files: " ".join(files))
async def test_what_a_function_brings_along_counts(serve: Serve, files: dict[str, str]) -> None:
    served = await serve()
    await until_all_is_imported(served)
    for path, text in files.items():
        served.write(path, text.replace("{root}", str(served.options.folder / "f")))
    assert await served.answer("f") is True


async def until_all_is_imported(served: Served) -> None:
    """In the zygote, which does it when nobody asks it for anything."""
    for attempt in range(200):
        code = f"import sys\ndef handler(event, context): return 'boto3.session' in sys.modules  # {attempt}"
        served.write("g.py", code)
        if await served.answer("g"):
            return
        await asyncio.sleep(0.5)
    raise TimeoutError("boto3 is not imported")


async def test_most_are_forked_and_their_randomness_is_their_own(serve: Serve) -> None:
    served = await serve()
    code = "import os, random, secrets\ndef handler(event, context): return [os.getppid(), random.random()]"
    for name in ("f", "g"):
        served.write(f"{name}.py", code)
    first, second = await served.answer("f"), await served.answer("g")
    assert first[0] == second[0]
    assert is_forked(first[0])
    assert first[1] != second[1]


async def test_another_zygote_takes_over(serve: Serve, gate: Gate) -> None:
    """If it dies, what it has forked ends: nobody would learn of its end."""
    served = await serve()
    served.write("f.py", gate.prelude + "def handler(event, context): return wait(arrive('f')) and os.getppid()")
    call = asyncio.create_task(served.error("f"))
    visitor = await gate.visitor()
    zygote = parent_of(visitor.pid)
    assert is_forked(zygote)
    os.kill(zygote, signal.SIGKILL)
    assert (await call)["errorMessage"].endswith("Runtime exited with error: signal: killed")
    await visitor.gone()
    again = asyncio.create_task(served.answer("f"))
    (await gate.visitor()).let_through()
    parent = await again
    assert parent != zygote
    assert is_forked(parent)


async def test_says_what_it_is(serve: Serve, gate: Gate) -> None:
    """To ps, and to the guardian."""
    served = await serve()
    code = gate.prelude + "def handler(event, context): wait(arrive('f')); return os.environ['AWS_LAMBDA_RUNTIME_API']"
    served.write("f.py", code)
    call = asyncio.create_task(served.answer("f"))
    visitor = await gate.visitor()
    command, environment = shown(visitor.pid)
    visitor.let_through()
    secret = (await call).rpartition("/")[2]
    assert b"/bootstrap.py\0f.handler\0" in command
    assert b"_TREADLE_WORKER=" + secret.encode() in environment


def shown(pid: int) -> tuple[bytes, bytes]:
    process = Path(f"/proc/{pid}")
    return (process / "cmdline").read_bytes(), (process / "environ").read_bytes()


async def test_without_one_workers_are_started_as_all_others(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("treadle.functions.zygote.ZYGOTE_COMMAND", ("/nowhere/python",))
    served = await serve()
    served.write("f.py", "import os\ndef handler(event, context): return os.getppid()")
    for _ in range(2):
        assert await served.answer("f") == os.getpid()
        served.write("f.py", "import os\ndef handler(event, context):\n    return os.getppid()")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_one_that_ends_before_it_is_ready_is_not_tried_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("treadle.functions.zygote.ZYGOTE_COMMAND", (sys.executable, "-ISc", "raise SystemExit(1)"))
    served = await serve()
    served.write("f.py", "import os\ndef handler(event, context): return os.getppid()")
    assert await served.answer("f") == os.getpid()
    served.write("f.py", "import os\ndef handler(event, context):\n    return os.getppid()")
    assert await served.answer("f") == os.getpid()
    assert len(caplog.records) == 1


def test_ends_quietly_with_a_server_that_had_not_read_all() -> None:
    """Its socket then is reset, not closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [*ZYGOTE_COMMAND, str(theirs.fileno()), PYTHON_PACKAGES]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()])
    with ours:
        select.select([ours], [], [])
    assert process.communicate()[1] == b""
    assert process.returncode == 0
