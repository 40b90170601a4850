"""Runs scenarios with the runner that lies beside them, against Treadle servers of our own.

The runner takes one scenario after another and waits most of the time, so several of it run at once. Each gets
a server for itself: scenarios that list what there is must not see what others have made.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3.session
import msgspec

from bench.rig import Rig
from conformance.scenarios import Recordings, Scenario

_CHUNK_SCENARIOS = 16
"""So few that no server is left with the slow ones, so many that the runner's own start does not count."""

_MAX_WAIT_SECONDS = 20
"""How long the runner asks for something that does not come. The longest retries of the recordings take 10."""

_ACCOUNT, _REGION = "000000000000", "us-east-1"

_BYSTANDER = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'


class RunnerFailed(Exception):
    """The runner ended without telling its results; the message is what it said."""


class Result(msgspec.Struct, frozen=True):
    """What the runner tells about one scenario."""

    file: str
    area: str
    outcome: str
    """passed, failed, or "nothing to check"."""
    seconds: float
    differences: list[str] = []
    reason: str = ""
    """Why it did not come to a comparison."""
    not_checked: list[str] = []
    """Recorded answers that no call of the scenario leads to."""

    @property
    def name(self) -> str:
        return self.file.removesuffix(".json")

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"

    @property
    def why(self) -> list[str]:
        return self.differences or [self.reason]


@contextlib.contextmanager
def endpoint() -> Iterator[str]:
    """The URL of a server of our own, which ends with the context.

    It already has one state machine, last by name. The listings were captured where there was another one, and
    the runner waits until it sees it.
    """
    with tempfile.TemporaryDirectory(prefix="treadle-conformance-") as folder:
        scratch = Path(folder)
        with Rig(scratch, scratch / "functions", quick=False).serving() as server:
            url = f"http://127.0.0.1:{server.port}"
            # A session of its own: boto3's shared one is not for several threads.
            client = boto3.session.Session().client(
                "stepfunctions",
                endpoint_url=url,
                region_name=_REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            client.create_state_machine(
                name="zz-bystander", definition=_BYSTANDER, roleArn=f"arn:aws:iam::{_ACCOUNT}:role/bystander"
            )
            client.close()
            yield url


def run(recordings: Recordings, scenarios: Sequence[Scenario], url: str, *, strict: bool = True) -> list[Result]:
    """One after another. `strict`: compare also what the recordings say to leave out. Raises RunnerFailed."""
    with tempfile.TemporaryDirectory(prefix="treadle-conformance-") as folder:
        chosen, report = Path(folder, "cases"), Path(folder, "report.json")
        for scenario in scenarios:
            link = chosen / scenario.file
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(recordings.cases / scenario.file)
        command = [sys.executable, str(recordings.runner), "--cases", str(chosen), "--endpoint", url, "--no-iam"]
        command += ["--account", _ACCOUNT, "--region", _REGION, "--max-wait", str(_MAX_WAIT_SECONDS)]
        command += ["--json", str(report), *(["--strict"] if strict else [])]
        # The folder of recordings is not ours: no compiled files may be left in it.
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if not report.is_file():
            raise RunnerFailed(f"{recordings.runner} ended with {ended.returncode}: {ended.stdout.decode()[-2_000:]}")
        results = msgspec.json.decode(report.read_bytes(), type=list[Result])
    if missing := {each.file for each in scenarios} - {each.file for each in results}:
        raise RunnerFailed(f"{recordings.runner} left out {', '.join(sorted(missing))}")
    return results


def run_at_once(
    recordings: Recordings, scenarios: Sequence[Scenario], servers: int, *, strict: bool = True
) -> list[Result]:
    """On `servers` servers at once, by name. Raises RunnerFailed."""
    chunks: queue.SimpleQueue[Sequence[Scenario]] = queue.SimpleQueue()
    for start in range(0, len(scenarios), _CHUNK_SCENARIOS):
        chunks.put(scenarios[start : start + _CHUNK_SCENARIOS])
    failed = threading.Event()

    def work() -> list[Result]:
        results: list[Result] = []
        try:
            with endpoint() as url, contextlib.suppress(queue.Empty):
                while not failed.is_set():
                    results += run(recordings, chunks.get_nowait(), url, strict=strict)
        except BaseException:
            failed.set()
            raise
        return results

    with ThreadPoolExecutor(servers) as pool:
        futures = [pool.submit(work) for _ in range(servers)]
        try:
            found = [result for future in futures for result in future.result()]
        finally:
            failed.set()
    return sorted(found, key=lambda result: result.name)
