"""Which peers there are, how each is installed and started, and Treadle's own place among them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import wrk
from bench.clients import until_all_ended
from bench.definitions import chain, create
from bench.peers.environments import NotThere, npm_package, python_environment, running
from bench.peers.measures import STEPS, Results, Size, Workflow
from bench.peers.restate_client import Restate
from bench.peers.step_functions import measure_endpoint
from bench.rig import Rig, free_port
from bench.wire import ACCOUNT, Client

Run = Callable[[Rig, Path, Size], Results]
"""With a fresh server, in an empty folder. Raises NotThere."""

_RESTATE_SERVER = "@restatedev/restate-server-linux-x64/bin/restate-server"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Peer:
    name: str
    durable: bool
    """Whether it has executions on disk: kill -9 loses those of the others."""
    prepare: Callable[[Path], Run]
    """Installs it into the cache, if it is not there yet. Raises NotThere."""


@dataclass(frozen=True)
class Emulator:
    """A peer from PyPI that speaks the API of Step Functions."""

    requirements: Sequence[str]
    command: Sequence[str]
    ready: str
    """Path below its endpoint that it answers once it is ready."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """In it and in the command, {port} and {folder} are replaced."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    account: str = ACCOUNT
    synchronous: bool = True
    python: tuple[int, int] = (3, 11)

    def install(self, cache: Path) -> Path:
        """The folder of its commands. Raises NotThere."""
        name = self.requirements[0].partition("=")[0].partition("[")[0]
        return python_environment(cache, name, self.requirements, self.python)

    @contextlib.contextmanager
    def serving(self, commands: Path, folder: Path) -> Iterator[int]:
        """Its port. Raises NotThere."""
        port = free_port()

        def filled(text: str) -> str:
            return text.format(port=port, folder=folder)

        command = [str(commands / self.command[0]), *map(filled, self.command[1:])]
        environ = {name: filled(value) for name, value in self.environ.items()}
        with running(command, environ, [f"http://127.0.0.1:{port}/{self.ready}"], folder):
            yield port

    def prepare(self, cache: Path) -> Run:
        commands = self.install(cache)

        def run(rig: Rig, folder: Path, size: Size) -> Results:
            with self.serving(commands, folder) as port:
                measured = measure_endpoint(
                    f"http://127.0.0.1:{port}/",
                    size,
                    account=self.account,
                    synchronous=self.synchronous,
                    settings=self.settings,
                )
                return asyncio.run(measured)

        return run


def _treadle(cache: Path) -> Run:
    def run(rig: Rig, folder: Path, size: Size) -> Results:
        with rig.serving() as server:
            endpoint = f"http://127.0.0.1:{server.port}/"
            return asyncio.run(measure_endpoint(endpoint, size, account=ACCOUNT, synchronous=True))

    return run


def _treadle_by_wrk(cache: Path) -> Run:
    """W1 alone, by a client that is not the bottleneck."""
    if not wrk.installed():
        raise NotThere("wrk is not installed")

    def run(rig: Rig, folder: Path, size: Size) -> Results:
        with rig.serving() as server:
            client = Client(server.port)
            machine = create(client, chain(STEPS[Workflow.SHORT]))
            wrk.ask(server.port, machine, seconds=1)
            began = time.perf_counter()
            load = wrk.ask(server.port, machine, seconds=size.seconds)
            until_all_ended(client, machine)
            rate = load.taken / (time.perf_counter() - began)
            client.close()
        return {"w1.rate": [rate]}

    return run


def _dbos(cache: Path) -> Run:
    commands = python_environment(cache, "dbos", ["dbos==3.4.0"], (3, 11))

    def run(rig: Rig, folder: Path, size: Size) -> Results:
        command = [str(commands / "python"), "-m", "bench.peers.dbos_program", str(folder / "dbos.sqlite")]
        numbers = [str(number) for number in (size.seconds, size.rounds, size.requests)]
        environ = {**os.environ, "PYTHONPATH": str(_ROOT)}
        done = subprocess.run([*command, *numbers], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotThere(f"its program ended with status {done.returncode}: {done.stderr[-200:]}")
        results: Results = json.loads(done.stdout.splitlines()[-1])
        return results

    return run


def _restate(cache: Path) -> Run:
    server = npm_package(cache, "restate-server", "@restatedev/restate-server@1.7.12", _RESTATE_SERVER)
    requirements = ["restate-sdk[serde]==1.3.0", "granian", "uvloop"]
    commands = python_environment(cache, "restate", requirements, (3, 11))
    return lambda rig, folder, size: Restate(server, commands).run(folder, size)


_MOTO = Emulator(
    requirements=["moto[all,server]==5.2.5"],
    command=["moto_server", "-H", "127.0.0.1", "-p", "{port}"],
    ready="moto-api/",
    settings={"moto-api/config": {"stepfunctions": {"execute_state_machine": True}}},
    account="123456789012",
    synchronous=False,
)
MINISTACK = Emulator(
    requirements=["ministack==1.5.33"],
    command=["ministack"],
    ready="_ministack/health",
    environ={"GATEWAY_PORT": "{port}"},
)
# Newer releases of these four than the ones named break it.
_LOCALSTACK = Emulator(
    requirements=[
        "localstack-core[runtime]==2026.3.0",
        "cbor2<6",
        "pyOpenSSL<26",
        "cryptography<47",
        "service_identity",
    ],
    command=["localstack-supervisor"],
    ready="_localstack/health",
    environ={
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "SERVICES": "stepfunctions,sts,iam",
        "GATEWAY_LISTEN": "127.0.0.1:{port}",
        "FILESYSTEM_ROOT": "{folder}",
        "XDG_CACHE_HOME": "{folder}/cache",
        "DNS_ADDRESS": "0",
    },
    python=(3, 12),
)

TREADLE = "Treadle, same client"
TREADLE_BY_WRK = "Treadle, wrk"
PEERS = (
    Peer(TREADLE, durable=True, prepare=_treadle),
    Peer(TREADLE_BY_WRK, durable=True, prepare=_treadle_by_wrk),
    Peer("MiniStack", durable=False, prepare=MINISTACK.prepare),
    Peer("moto", durable=False, prepare=_MOTO.prepare),
    Peer("LocalStack", durable=False, prepare=_LOCALSTACK.prepare),
    Peer("DBOS", durable=True, prepare=_dbos),
    Peer("Restate", durable=True, prepare=_restate),
)
