"""The `treadle` command as a process of its own, with a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TIMEOUT_SECONDS = 60
"""When a command counts as hung. No test depends on how long one takes."""

Popen = subprocess.Popen[str]
Start = Callable[..., Popen]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `treadle ARGUMENTS` in `tmp_path`; whatever still runs at the end of the test is killed."""
    started: list[Popen] = []
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "AWS_"))}

    def start(*arguments: str, **variables: str) -> Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "treadle", *arguments],
            cwd=tmp_path,
            env={**environ, "PYTHONUTF8": "1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def treadle(start: Start) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `treadle ARGUMENTS` to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = start(*arguments, **variables)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run
