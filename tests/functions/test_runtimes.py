"""The table of runtimes: which names are run, and by what."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from treadle.functions.runtimes import Code, RuntimeMissingError, Runtimes

from .conftest import NODE

RUN_BY = {
    "python3.6": sys.executable,
    "python3.7": sys.executable,
    "python3.13": sys.executable,
    "nodejs": str(NODE),
    "nodejs4.3": str(NODE),
    "python2.7": sys.executable,
    "nodejs8.10": str(NODE),
    "nodejs12.x": str(NODE),
    "nodejs22.x": str(NODE),
    "provided": "/code/bootstrap",
    "provided.al2": "/code/bootstrap",
    "provided.al2023": "/code/bootstrap",
}


def code(runtime: str) -> Code:
    return Code(runtime=runtime, handler="index.handler", root=Path("/code"), memory_megabytes=256)


@pytest.mark.parametrize(("runtime", "interpreter"), RUN_BY.items())
def test_what_runs_it(runtime: str, interpreter: str) -> None:
    assert Runtimes(NODE).command(code(runtime))[0] == interpreter


@pytest.mark.parametrize("runtime", ["python2.6", "python", "java21", "dotnet8", "ruby3.3", "nodejs20.x ", "go1.x", ""])
def test_what_is_not_run(runtime: str) -> None:
    with pytest.raises(RuntimeMissingError, match=rf"does not run the runtime {runtime}: it runs python3"):
        Runtimes(NODE).command(code(runtime))


def test_node_is_looked_for_on_the_path() -> None:
    command = Runtimes(path=f"/nowhere:{NODE.parent}").command(code("nodejs20.x"))
    assert command[:2] == (str(NODE), "--max-old-space-size=256")


@pytest.mark.parametrize("runtimes", [Runtimes(path="/nowhere"), Runtimes(Path("/nowhere/node"))])
def test_node_is_missing(runtimes: Runtimes) -> None:
    with pytest.raises(RuntimeMissingError, match=r"nodejs20\.x needs Node\.js, and there is no '.*node'"):
        runtimes.command(code("nodejs20.x"))
