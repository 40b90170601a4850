"""What a server imports before it is ready. Imports are most of the time that a start takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from treadle.app import App
from treadle.config import Settings

async def main():
    app = App(Settings(data_dir=DATA, functions_dir=DATA / "functions", port=0))
    await app.start()
    print(*sys.modules)
    await app.prepare()
    print(*sys.modules)
    await app.close()

from pathlib import Path
DATA = Path(sys.argv[1])
asyncio.run(main())
"""

NEEDED_BY_FEW = (
    "aiohttp",  # neighbours over HTTP: with the first request to one
    "asyncpg",  # the store of several nodes
    "boto3",
    "botocore",  # models of services: with the first request to a service, or the first call of one
    "jmespath",  # results of .sync tasks
    "moto",
    "pyarrow",  # datasets in Parquet
    "regex",  # patterns with lookaround
    "rich",  # the terminal of treadle run
    "urllib.request",
    "xml",
    "yaml",
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """What is imported when the server is ready, and when it is prepared."""
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("data"))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    return [set(line.split()) for line in done.stdout.decode().splitlines()]


@pytest.fixture
def imported(lines: list[set[str]]) -> set[str]:
    return lines[0]


def test_a_start_imports_the_server(imported: set[str]) -> None:
    assert {"treadle.runtime.runtime", "treadle.aws.door", "treadle.engine.advance"} <= imported


@pytest.mark.parametrize("module", NEEDED_BY_FEW)
def test_a_start_imports_nothing_that_only_some_servers_need(imported: set[str], module: str) -> None:
    assert module not in imported


def test_what_the_first_requests_need_is_prepared(lines: list[set[str]]) -> None:
    assert "botocore.model" in lines[1]
    assert {"aiohttp", "boto3", "moto", "regex", "botocore.session"}.isdisjoint(lines[1])


def test_every_module_of_the_table_can_be_imported() -> None:
    """Else a name that is misspelt would pass."""
    from importlib.util import find_spec

    assert [module for module in NEEDED_BY_FEW if find_spec(module) is None] == []
