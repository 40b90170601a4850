"""EMR on a real store and a real runner, called without the wire; it can be taken down and brought back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aws.wire import check_shape
from treadle.aws import model
from treadle.aws.emr.call import Call
from treadle.aws.emr.life import Clusters
from treadle.aws.emr.service import emr_service
from treadle.aws.errors import ApiError
from treadle.aws.service import Caller
from treadle.aws.table_service import TableService
from treadle.aws.tokens import PageTokens
from treadle.clock import SystemClock
from treadle.jobs.ledger import Ledger
from treadle.jobs.options import JobOptions
from treadle.jobs.runner import Runner
from treadle.limits import Limits
from treadle.store.sqlite.store import SqliteStore

CALLER = Caller("123456789012", "eu-west-1", "8f1b1b1e-0000-4000-8000-000000000001")


class Emr:
    """What a test asks of it, and the folder where steps leave their marks."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self._store = SqliteStore(folder / "treadle.db")
        self._service: TableService[Call]
        self._clusters: Clusters
        self._ledger: Ledger
        self.failures: list[Exception] = []

    async def open(self) -> None:
        await self._store.open()
        options = JobOptions(
            rules=self.folder / "jobs.toml",
            logs=self.folder / "logs",
            endpoint_url="http://127.0.0.1:1",
            key_of=lambda account: ("key", "secret"),
            limits=self.limits,
        )
        self._ledger = Ledger(self._store, Runner(options), SystemClock(), self.limits, self.failures.append)
        self._clusters = Clusters(self._store, self._ledger, self.limits)
        self._service = emr_service(self._clusters, PageTokens(await self._store.secret()))
        await self._ledger.recover()
        await self._clusters.recover()

    async def close(self) -> None:
        await self._clusters.close()
        await self._ledger.close()
        await self._store.close()
        assert not self.failures

    async def call(self, operation: str, caller: Caller = CALLER, /, **members: Any) -> Any:
        """The answer, whose members have the model's types."""
        answer = await self._service.serve(operation, members, caller)
        shape = model.load("emr").operation_model(operation).output_shape
        if shape is not None:
            check_shape(shape, answer, operation)
        return answer

    async def error(self, operation: str, caller: Caller = CALLER, /, **members: Any) -> tuple[str, str]:
        with pytest.raises(ApiError) as raised:
            await self._service.serve(operation, members, caller)
        return raised.value.body["__type"], raised.value.body["message"]

    # -- shorthands ----------------------------------------------------------------------------------------

    def rules(self, **scripts: str) -> None:
        """What the step of each name runs, with sh in this folder; `succeed` and `fail` are outcomes."""
        text = ""
        for name, script in scripts.items():
            plays = script in ("succeed", "fail")
            what = f'outcome = "{script}"' if plays else f"run = ['sh', '-c', '''{script}''']"
            text += f'[[job]]\nservice = "emr"\nmatch = "{name}"\ndirectory = "."\n{what}\n'
        (self.folder / "jobs.toml").write_text(text)

    async def cluster(self, keep: bool = True, **members: Any) -> str:
        instances = {"KeepJobFlowAliveWhenNoSteps": keep, **members.pop("Instances", {})}
        answer = await self.call("RunJobFlow", Name="c", Instances=instances, **members)
        return str(answer["JobFlowId"])

    async def add(self, cluster: str, *names: str, caller: Caller = CALLER, action: str = "CONTINUE") -> list[str]:
        steps = [step(name, action) for name in names]
        answer = await self.call("AddJobFlowSteps", caller, JobFlowId=cluster, Steps=steps)
        return list(answer["StepIds"])

    async def states(self, cluster: str) -> dict[str, str]:
        listed = (await self.call("ListSteps", ClusterId=cluster))["Steps"]
        return {each["Name"]: each["Status"]["State"] for each in reversed(listed)}

    async def state(self, cluster: str) -> str:
        return str((await self.call("DescribeCluster", ClusterId=cluster))["Cluster"]["Status"]["State"])

    async def until(self, cluster: str, *states: str) -> str:
        """The state of the cluster, once it is one of these."""
        return str(await eventually(lambda: self.state(cluster), lambda state: state in states))

    async def until_steps(self, cluster: str, expected: dict[str, str]) -> None:
        await eventually(lambda: self.states(cluster), lambda states: states == expected)


def step(name: str, action: str = "CONTINUE", *arguments: str) -> dict[str, Any]:
    jar = {"Jar": "command-runner.jar", "Args": list(arguments)}
    return {"Name": name, "ActionOnFailure": action, "HadoopJarStep": jar}


async def eventually(look: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """What `look` gives once it is so."""
    seen = None
    try:
        async with asyncio.timeout(30):
            while True:
                seen = await look()
                if holds(seen):
                    return seen
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"it stays {seen}")


@pytest.fixture
async def emr(tmp_path: Path) -> AsyncIterator[Emr]:
    made = Emr(tmp_path, Limits(emr_active_steps=5))
    made.rules(**{"good*": "succeed", "bad*": "fail", "long*": "exec sleep 1000"})
    await made.open()
    yield made
    await made.close()
