"""A runner on a jobs.toml that a test writes, and a ledger on a real store."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from treadle.functions.options import INHERITED_VARIABLES
from treadle.jobs.options import JobOptions
from treadle.jobs.runner import Runner
from treadle.limits import Limits


@pytest.fixture
def jobs_file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.toml"


@pytest.fixture
def options(tmp_path: Path, jobs_file: Path) -> JobOptions:
    return JobOptions(
        rules=jobs_file,
        logs=tmp_path / "logs",
        endpoint_url="http://127.0.0.1:1",
        key_of=lambda account: (f"key-of-{account}", "secret"),
        inherited={name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ},
        limits=Limits(job_log_bytes=10_000),
    )


@pytest.fixture
async def runner(options: JobOptions) -> AsyncIterator[Runner]:
    made = Runner(options)
    yield made
    await made.close()
