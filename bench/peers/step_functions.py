"""Peers that speak the API of Step Functions, Treadle among them: the same client asks all of them for the same."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from bench.definitions import chain, inline_map
from bench.peers.measures import STEPS, Results, Size, Workflow, measure
from bench.wire import REGION

_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20260101T000000Z",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/states/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
}
_FIRST_POLL_SECONDS = 0.002
_POLL_GROWTH = 1.5
_POLL_SECONDS_MAX = 0.2
_EXECUTION_SECONDS_MAX = 120


class Failed(Exception):
    """A peer does not do what it was asked for. The message is its answer."""


class _Client:
    def __init__(self, session: aiohttp.ClientSession, endpoint: str) -> None:
        self._session = session
        self._endpoint = endpoint
        self._machines: dict[Workflow, str] = {}

    async def make_machines(self, account: str, synchronous: bool) -> None:
        definitions = {workflow: chain(STEPS[workflow]) for workflow in (Workflow.ONE, Workflow.SHORT, Workflow.LONG)}
        definitions[Workflow.WIDE] = inline_map()
        if synchronous:
            definitions[Workflow.SYNCHRONOUS] = chain(1)
        for workflow, definition in definitions.items():
            created = await self._call(
                "CreateStateMachine",
                name=workflow,
                definition=json.dumps(definition),
                roleArn=f"arn:aws:iam::{account}:role/bench",
                type="EXPRESS" if workflow is Workflow.SYNCHRONOUS else "STANDARD",
            )
            self._machines[workflow] = created["stateMachineArn"]

    async def execute(self, workflow: Workflow) -> None:
        """From the request that starts it until the answer that says it has succeeded."""
        machine = self._machines[workflow]
        data = json.dumps({"items": list(range(STEPS[workflow]))}) if workflow is Workflow.WIDE else "{}"
        if workflow is Workflow.SYNCHRONOUS:
            answer = await self._call("StartSyncExecution", stateMachineArn=machine, input=data)
        else:
            name = uuid.uuid4().hex
            started = await self._call("StartExecution", stateMachineArn=machine, input=data, name=name)
            answer = await self._until_ended(started["executionArn"])
        if answer["status"] != "SUCCEEDED":
            raise Failed(str(answer)[:300])

    async def _until_ended(self, execution: str) -> Any:
        pause = _FIRST_POLL_SECONDS
        async with asyncio.timeout(_EXECUTION_SECONDS_MAX):
            while (answer := await self._call("DescribeExecution", executionArn=execution))["status"] == "RUNNING":
                await asyncio.sleep(pause)
                pause = min(pause * _POLL_GROWTH, _POLL_SECONDS_MAX)
        return answer

    async def _call(self, operation: str, **body: Any) -> Any:
        headers = {**_HEADERS, "X-Amz-Target": f"AWSStepFunctions.{operation}"}
        async with self._session.post(self._endpoint, data=json.dumps(body), headers=headers) as response:
            text = await response.text()
            if response.status != 200:
                raise Failed(f"{operation}: {response.status} {text[:300]}")
            return json.loads(text)


async def measure_endpoint(
    endpoint: str, size: Size, *, account: str, synchronous: bool, settings: Mapping[str, Any] | None = None
) -> Results:
    """`settings`: by the path below the endpoint to which they are posted before anything else."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        for path, value in (settings or {}).items():
            async with session.post(endpoint + path, json=value) as response:
                response.raise_for_status()
        client = _Client(session, endpoint)
        await client.make_machines(account, synchronous)
        return await measure(client.execute, size, synchronous)
