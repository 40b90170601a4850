"""Nodes as real processes on one real PostgreSQL, each with a proxy of its own in between; and a client of them all."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.server import ACCOUNT, CONTENT_TYPE, REGION, ROLE, NoAnswer, Refused, Server
from tests.cluster.proxy import Proxy
from tests.postgres import PostgresServer

DEADLINE_SECONDS = 180
ARN = f"arn:aws:states:{REGION}:{ACCOUNT}"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
_ECHO = "def handler(event, context):\n    return event\n"
AGAIN = frozenset({"ServiceUnavailable", "ThrottlingException", "InternalFailure"})
"""Refusals after which a client asks again. (InternalFailure is looked at in the logs.)"""


class NodeProcess:
    """One node, which may be killed, frozen and started again."""

    def __init__(self, folder: Path, number: int, postgres: PostgresServer, database: str, *variables: str) -> None:
        self.folder = folder / f"node{number}"
        (self.folder / "functions").mkdir(parents=True)
        (self.folder / "functions" / "echo.py").write_text(_ECHO)
        self.number = number
        self.proxy = Proxy(postgres.port)
        self.url = ""
        self.frozen = False
        self._database = database
        self._variables = dict(each.split("=", 1) for each in variables)
        self._server: Server | None = None

    async def start(self) -> None:
        """Ready for requests when this returns."""
        if not self.proxy.port:
            await self.proxy.start()
        store = f"postgresql://treadle@127.0.0.1:{self.proxy.port}/{self._database}"
        server = Server(self.folder, "--store", store, before_exec=None, **self._variables)
        self._server = server
        self.url = await asyncio.to_thread(lambda: server.url)

    @property
    def running(self) -> bool:
        return self._server is not None and not self.frozen

    async def kill(self) -> None:
        """At once, as by a failing machine."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.kill)
            server.__exit__()

    async def stop(self) -> int:
        """In order. The exit status."""
        server, self._server = self._server, None
        assert server is not None
        status = await asyncio.to_thread(server.stop)
        server.__exit__()
        return status

    def freeze(self) -> None:
        assert self._server is not None
        self.frozen = True
        os.kill(self._server.process.pid, signal.SIGSTOP)

    def wake(self) -> None:
        assert self._server is not None
        os.kill(self._server.process.pid, signal.SIGCONT)
        self.frozen = False

    def log(self) -> str:
        return (self.folder / "stderr").read_text()

    async def close(self) -> None:
        if self.frozen:
            self.wake()
        await self.kill()
        if self.proxy.port:
            await self.proxy.close()


class Cluster:
    """A PostgreSQL, and nodes on it. An asynchronous context."""

    def __init__(self, nodes: int, *variables: str, durable: bool = False) -> None:
        """`variables` of the environment of each node, as `NAME=VALUE`."""
        self._folder = tempfile.TemporaryDirectory(prefix="treadle-cluster-")
        self.postgres = PostgresServer(durable=durable)
        self._count = nodes
        self._variables = variables
        self.nodes: list[NodeProcess] = []
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Cluster:
        await asyncio.to_thread(self.postgres.start)
        await asyncio.to_thread(self.postgres.create, "treadle")
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        for _ in range(self._count):
            await self.add()
        return self

    async def add(self) -> NodeProcess:
        node = NodeProcess(Path(self._folder.name), len(self.nodes), self.postgres, "treadle", *self._variables)
        self.nodes.append(node)
        await node.start()
        return node

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        for node in self.nodes:
            await node.close()
        await asyncio.to_thread(self.postgres.remove)
        self._folder.cleanup()

    async def call(self, node: NodeProcess | None, operation: str, **request: Any) -> dict[str, Any]:
        """What this node, or any, answers; nothing is sent twice. Raises Refused, NoAnswer."""
        asked = node or random.choice([node for node in self.nodes if node.running] or self.nodes)
        headers = {"X-Amz-Target": f"AWSStepFunctions.{operation}", "Content-Type": CONTENT_TYPE}
        timeout = aiohttp.ClientTimeout(total=75 if operation == "GetActivityTask" else 15)
        try:
            async with self.session.post(asked.url, json=request, headers=headers, timeout=timeout) as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoAnswer(repr(error)) from error
        answer = dict(json.loads(text))
        if status != 200:
            raise Refused(status, answer["__type"], answer["message"])
        return answer

    async def insist(self, node: NodeProcess | None, operation: str, **request: Any) -> dict[str, Any]:
        """The same, asked again until it is answered, or refused for good."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                return await self.call(node, operation, **request)
            except (NoAnswer, Refused) as error:
                again = isinstance(error, NoAnswer) or error.type in AGAIN
                if not again or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)

    async def machine(self, name: str, states: dict[str, Any]) -> str:
        """The ARN of a machine that begins with the first of `states`."""
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        answer = await self.insist(None, "CreateStateMachine", name=name, definition=definition, roleArn=ROLE)
        return str(answer["stateMachineArn"])

    async def ended(self, arn: str, node: NodeProcess | None = None) -> dict[str, Any]:
        """What DescribeExecution says once the execution has ended."""

        async def look() -> dict[str, Any] | None:
            answer = await self.insist(node, "DescribeExecution", executionArn=arn)
            return None if answer["status"] == "RUNNING" else answer

        answer: dict[str, Any] = await until(look)
        return answer

    async def history(self, arn: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        request: dict[str, Any] = {"executionArn": arn, "maxResults": 1_000}
        while True:
            answer = await self.insist(None, "GetExecutionHistory", **request)
            events += answer["events"]
            if "nextToken" not in answer:
                return events
            request["nextToken"] = answer["nextToken"]


async def until(look: Callable[[], Awaitable[Any]], seconds: float = DEADLINE_SECONDS) -> Any:
    """Ask until there is an answer other than None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError(f"nothing after {seconds} seconds")


def problems_of(events: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the history of an execution that has ended."""
    found = []
    if [event["id"] for event in events] != list(range(1, len(events) + 1)):
        found.append(f"the ids are {[event['id'] for event in events]}")
    if any(event["previousEventId"] >= event["id"] for event in events):
        found.append("an event comes before the one that it follows from")
    types = [event["type"] for event in events]
    if types.count("ExecutionStarted") != 1 or types[0] != "ExecutionStarted":
        found.append(f"it does not begin once: {types}")
    ends = [type for type in types if type.startswith("Execution") and type != "ExecutionStarted"]
    if len(ends) != 1 or types[-1] != ends[0]:
        found.append(f"it does not end once: {types}")
    for kind in ("Activity", "Task", "MapRun"):
        begun = types.count(f"{kind}Scheduled") + (types.count("MapRunStarted") if kind == "MapRun" else 0)
        over = sum(types.count(f"{kind}{how}") for how in ("Succeeded", "Failed", "TimedOut", "Aborted"))
        if over > begun:
            found.append(f"more {kind} ended than began: {types}")
    return found
