"""Lambda functions, over Lambda's API: how long a cold and a warm invocation take, and how many there are in a second.

The same requests can go to whoever else serves that API and runs code without containers. The client is the standard
library's, one request after another, and aiohttp where many ask at once: neither is botocore, whose millisecond would
be most of what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import itertools
import json
import time
import zipfile
from collections.abc import Iterator

import aiohttp
import uvloop

from bench.clients import count_events, duration
from bench.definitions import call, chain, create
from bench.figures import Figure, percentile
from bench.rig import Rig
from bench.wire import ACCOUNT, REGION, Client

_FUNCTIONS = "/2015-03-31/functions"
_SIGNATURE = (
    f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/{REGION}/lambda/aws4_request, SignedHeaders=host, "
    f"Signature={'0' * 64}"
)
_HEADERS = {"Authorization": _SIGNATURE, "X-Amz-Date": "20260101T000000Z", "Content-Type": "application/json"}
_CLIENTS = (1, 8, 64)
_NUMBERS = itertools.count()
_EVENT = b'{"hello":"world"}'

_CODES = {
    "Python": ("python3.12", "app.py", "def handler(event, context):\n    return event\n"),
    "Python with boto3": ("python3.12", "app.py", "import boto3\ndef handler(event, context):\n    return event\n"),
    "Node.js": ("nodejs22.x", "app.js", "exports.handler = async (event) => event\n"),
}
_HANDLER_THAT_WAITS = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return event\n"


class _Wrong(Exception):
    """A server does not do what it was asked for."""


def lambda_api(rig: Rig) -> Iterator[Figure]:
    with rig.serving() as server:
        yield from functions(server.port, "Treadle", cold=rig.size(15, 5), warm=rig.size(300, 100))


def function_tasks(rig: Rig, tasks: int = 5) -> Iterator[Figure]:
    """Tasks of a function whose worker is warm, one after another."""
    with rig.serving() as server:
        client = Client(server.port)
        machine = create(client, chain(tasks, call("echo")))
        samples = [duration(client, machine, '{"hello":"world"}') / tasks * 1e3 for _ in range(rig.size(51, 21))]
        if count_events(client, machine) != 5 * tasks + 2:
            raise RuntimeError("an execution has not the number of events that it has on AWS")
        client.close()
        yield Figure(f"function task, warm worker ({tasks} in a chain): per task", "ms", samples[1:])


def functions(port: int, who: str, cold: int = 15, warm: int = 300, seconds: float = 2) -> Iterator[Figure]:
    """Against the server at `port`."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for language, (runtime, file, code) in _CODES.items():
        try:
            _invoked(client, _made(client, runtime, file, code))
        except _Wrong as error:
            yield Figure(f"{who}: cold invocation, {language}", "ms", [], note=str(error)[:100])
            continue
        time.sleep(4)  # what a server prepares after the first one is not measured
        names = [_made(client, runtime, file, code) for _ in range(cold)]
        samples = [_invoked(client, name) for name in names]
        yield Figure(f"{who}: cold invocation, {language}", "ms", samples)
        if language == "Python with boto3":
            continue
        samples = [_invoked(client, names[0]) for _ in range(warm)]
        yield Figure(f"{who}: warm invocation, {language}: p50", "ms", [percentile(samples, 50)])
        yield Figure(f"{who}: warm invocation, {language}: p99", "ms", [percentile(samples, 99)])
    for what, code in (("echo", _CODES["Python"][2]), ("50 ms of waiting", _HANDLER_THAT_WAITS)):
        name = _made(client, "python3.12", "app.py", code)
        for clients in _CLIENTS:
            uvloop.run(_rate(port, name, clients, seconds))  # starts the workers
            rates = [uvloop.run(_rate(port, name, clients, seconds)) for _ in range(3)]
            yield Figure(f"{who}: invocations of a Python function ({what}), {clients} at once", "/s", rates)
    client.close()


def _made(client: http.client.HTTPConnection, runtime: str, file: str, code: str) -> str:
    """The name of a new function."""
    name = f"bench-{next(_NUMBERS)}"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(file, code)
    request = {
        "FunctionName": name,
        "Runtime": runtime,
        "Role": f"arn:aws:iam::{ACCOUNT}:role/bench",
        "Handler": "app.handler",
        "Timeout": 30,
        "Code": {"ZipFile": base64.b64encode(packed.getvalue()).decode()},
    }
    client.request("POST", _FUNCTIONS, json.dumps(request), _HEADERS)
    response = client.getresponse()
    body = response.read()
    if response.status != 201:
        raise _Wrong(f"a function could not be made: {body.decode()}")
    return name


def _invoked(client: http.client.HTTPConnection, name: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    client.request("POST", f"{_FUNCTIONS}/{name}/invocations", _EVENT, _HEADERS)
    response = client.getresponse()
    _expect(response.status, response.read())
    return (time.perf_counter() - began) * 1e3


async def _rate(port: int, name: str, clients: int, seconds: float) -> float:
    """Invocations in a second, with so many clients, each of which asks again as soon as it is answered."""
    url = f"http://127.0.0.1:{port}{_FUNCTIONS}/{name}/invocations"
    count = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=_HEADERS) as session:
        began = time.perf_counter()

        async def one_client() -> None:
            nonlocal count
            while time.perf_counter() - began < seconds:
                async with session.post(url, data=_EVENT) as response:
                    _expect(response.status, await response.read())
                count += 1

        await asyncio.gather(*(one_client() for _ in range(clients)))
        return count / (time.perf_counter() - began)


def _expect(status: int, body: bytes) -> None:
    if status != 200 or json.loads(body) != json.loads(_EVENT):
        raise _Wrong(f"an invocation was to give back its event, but: {status} {body.decode()}")
