"""Restate: its server, a service in Python beside it, and a client that calls the service through the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bench.peers.environments import NotThere, running
from bench.peers.measures import STEPS, Results, Size, Workflow, measure
from bench.rig import free_port

_REGISTRATIONS = 40
_BETWEEN_SECONDS = 0.25


class Restate:
    def __init__(self, server: Path, service_commands: Path) -> None:
        """`service_commands`: of the environment that has the SDK and granian, which serves HTTP/2."""
        self._server = server
        self._granian = service_commands / "granian"
        self._ingress, self._admin, self._node, self._service = (free_port() for _ in range(4))

    def run(self, folder: Path, size: Size) -> Results:
        with self._serving(folder):
            return asyncio.run(self._measure(size))

    @contextlib.contextmanager
    def _serving(self, folder: Path) -> Iterator[None]:
        command = [
            str(self._server),
            "--no-logo",
            "--node-name",
            "n1",
            "--base-dir",
            str(folder),
            "--listen-mode",
            "tcp",
        ]
        environ = {
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_ADVERTISED_HOST": "127.0.0.1",
            "RESTATE_BIND_PORT": str(self._node),
            "RESTATE_INGRESS__BIND_PORT": str(self._ingress),
            "RESTATE_ADMIN__BIND_PORT": str(self._admin),
            "RESTATE_LOG_FILTER": "warn",
        }
        service = [str(self._granian), "--interface", "asgi", "--http", "2", "--host", "127.0.0.1", "--loop", "uvloop"]
        service += ["--port", str(self._service), "--log-level", "error", "--working-dir", str(Path(__file__).parent)]
        service.append("restate_service:app")
        ready = [f"http://127.0.0.1:{self._admin}/health", f"http://127.0.0.1:{self._ingress}/restate/health"]
        with running(command, environ, ready, folder), running(service, {}, [], folder):
            yield

    async def _measure(self, size: Size) -> Results:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await self._register(session)

            async def execute(workflow: Workflow) -> None:
                handler = "wide" if workflow is Workflow.WIDE else "chain"
                url = f"http://127.0.0.1:{self._ingress}/Bench/{handler}"
                async with session.post(url, json=STEPS[workflow]) as response:
                    response.raise_for_status()
                    await response.read()

            return await measure(execute, size, synchronous=False)

    async def _register(self, session: aiohttp.ClientSession) -> None:
        """Tell the server of the service, which may not answer yet."""
        deployment = {"uri": f"http://127.0.0.1:{self._service}/", "force": True}
        for _ in range(_REGISTRATIONS):
            async with session.post(f"http://127.0.0.1:{self._admin}/deployments", json=deployment) as response:
                if response.ok:
                    return
            await asyncio.sleep(_BETWEEN_SECONDS)
        raise NotThere("its server does not accept the service")
