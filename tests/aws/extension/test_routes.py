"""What is below /_treadle/, and who may ask for it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import SettableClock
from tests.aws.signing import Signed, Signer
from tests.aws.wire import Answer, Wire, machine
from treadle.aws.access_keys import Credentials, Keyring
from treadle.aws.extension.routes import PREFIX, ROUTES
from treadle.aws.states.service import OPERATIONS
from treadle.store.sqlite.store import SqliteStore

ACCOUNT = "111122223333"


async def get(wire: Wire, path: str, method: str = "GET", **headers: str) -> Answer:
    return await wire.send([b""], headers, method=method, path=f"/_treadle/{path}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["health", "ready"])
async def test_alive_and_ready(wire: Wire, method: str, path: str) -> None:
    assert (await get(wire, path, method)).status == 200


async def test_not_ready_without_a_database(wire: Wire, store: SqliteStore) -> None:
    await store.close()
    assert (await get(wire, "ready")).error[:2] == (503, "ServiceUnavailable")
    assert (await get(wire, "health")).status == 200
    await store.open()


async def test_info(wire: Wire) -> None:
    await wire.ok("CreateStateMachine", machine())
    answer = (await get(wire, "info")).body
    assert answer["version"]
    assert answer["uptimeSeconds"] > 0
    assert (answer["account"], answer["region"]) == ("000000000000", "us-east-1")
    assert answer["authentication"] == "off"
    assert answer["counts"] == {
        "stateMachines": 1,
        "activities": 0,
        "runningExecutions": 0,
        "executionsInMemory": 0,
        "throttledRequests": 0,
        "eventStreams": 0,
        "deliveries": 0,
    }
    assert answer["services"] == {"states": list(OPERATIONS)}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "health"),
        ("HEAD", "info"),
        ("GET", ""),
        ("GET", "healthy"),
        ("GET", "health/"),
        ("GET", "executions//events"),
        ("PUT", "keys"),
        ("GET", "keys/x"),
        ("OPTIONS", "info"),
    ],
)
async def test_nothing_else(wire: Wire, method: str, path: str) -> None:
    status, name, text = (await get(wire, path, method)).error
    assert (status, name) == (404, "UnknownOperationException")
    assert text == f"{method} /_treadle/{path} is nothing that Treadle serves; see docs/EXTENSIONS.md."


def test_every_endpoint_is_documented() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "EXTENSIONS.md").read_text(encoding="utf-8")
    whose = {"everybody": "everybody", "client": "clients", "administrator": "the administrator"}
    for route in ROUTES:
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", route.path.pattern)
        assert f"| `{route.method} {PREFIX}{path}` | {whose[route.whose]} |" in text


class TestWithKeys:
    @pytest.fixture
    def client(self, keyring: Keyring) -> Credentials:
        return keyring.own(ACCOUNT)

    @pytest.fixture
    def administrator(self, keyring: Keyring) -> Credentials:
        return keyring.own(ACCOUNT, "administrator")

    @pytest.fixture(params=["off", "on"])
    async def authentication(self, request: pytest.FixtureRequest, keyring: Keyring) -> str:
        if request.param == "on":
            await keyring.create(ACCOUNT, "")
        return str(request.param)

    def signed(self, key: Credentials, clock: SettableClock, method: str, path: str, body: Any = None) -> Signed:
        content = b"" if body is None else json.dumps(body).encode()
        return Signer(key, clock.time).sign(method, f"/_treadle/{path}", content)

    async def test_a_client_is_told_whom_it_counts_for(
        self, wire: Wire, clock: SettableClock, client: Credentials, keyring: Keyring
    ) -> None:
        await keyring.create(ACCOUNT, "")
        answer = (await self.signed(client, clock, "GET", "info").send(wire)).body
        assert (answer["account"], answer["region"]) == (ACCOUNT, "eu-west-1")
        assert answer["authentication"] == "required"

    @pytest.mark.parametrize("path", ["info", "executions/arn:aws:states:us-east-1:000000000000:execution:m:e/events"])
    async def test_clients_sign_and_others_need_not(self, wire: Wire, keyring: Keyring, path: str) -> None:
        await keyring.create(ACCOUNT, "")
        assert (await get(wire, path)).error[:2] == (400, "MissingAuthenticationTokenException")
        assert (await get(wire, "health")).status == (await get(wire, "ready")).status == 200

    async def test_a_presigned_path(self, wire: Wire, clock: SettableClock, client: Credentials) -> None:
        request = Signer(client, clock.time).sign("GET", "/_treadle/info", presigned=60)
        assert (await request.send(wire)).status == 200

    @pytest.mark.parametrize("path_as_sent", [False, True])
    async def test_a_path_that_clients_encode_differently(
        self, wire: Wire, clock: SettableClock, client: Credentials, keyring: Keyring, path_as_sent: bool
    ) -> None:
        await keyring.create(ACCOUNT, "")
        path = "/_treadle/executions/arn:aws:states:eu-west-1:111122223333:execution:m:e/events"
        request = Signer(client, clock.time).sign("GET", path, path_as_sent=path_as_sent)
        assert (await request.send(wire)).error[:2] == (404, "ExecutionDoesNotExist")
        request.path = path.replace("m:e", "m:f")
        assert (await request.send(wire)).error[1] == "InvalidSignatureException"

    @pytest.mark.parametrize(("method", "path"), [("GET", "keys"), ("POST", "keys"), ("DELETE", "keys/x")])
    async def test_keys_are_the_administrators_business(
        self, wire: Wire, clock: SettableClock, client: Credentials, authentication: str, method: str, path: str
    ) -> None:
        unsigned = await get(wire, path, method)
        assert unsigned.error[:2] == (400, "MissingAuthenticationTokenException")
        answer = await self.signed(client, clock, method, path).send(wire)
        assert answer.error == (
            400,
            "AccessDeniedException",
            "Only the administrator of this server may do that: whoever can read its data folder.",
        )

    async def test_the_life_of_a_key(
        self, wire: Wire, clock: SettableClock, administrator: Credentials, authentication: str
    ) -> None:
        def ask(method: str, path: str, body: Any = None) -> Any:
            return self.signed(administrator, clock, method, path, body).send(wire)

        earlier = (await ask("GET", "keys")).body["keys"]
        made = await ask("POST", "keys", {"account": "444455556666", "description": "é"})
        assert made.status == 201
        secret = made.body["secretAccessKey"]
        key = Credentials(access_key_id=made.body["accessKeyId"], secret=secret, account="")
        created = await Signer(key, clock.time).call("CreateStateMachine", machine()).send(wire)
        assert ":444455556666:" in created.body["stateMachineArn"]
        listed = await ask("GET", "keys")
        assert secret.encode() not in listed.raw
        assert listed.body["keys"][len(earlier) :] == [
            {name: value for name, value in made.body.items() if name != "secretAccessKey"}
        ]
        revoked = (await ask("DELETE", f"keys/{key.access_key_id}")).body
        assert revoked["revokeDate"] >= revoked["createDate"]
        again = (await ask("DELETE", f"keys/{key.access_key_id}")).body
        assert again == revoked
        answer = await Signer(key, clock.time).call("ListStateMachines").send(wire)
        assert answer.error[1] == "UnrecognizedClientException"

    BAD_KEYS: tuple[tuple[Any, str], ...] = (
        ({}, "missing required field `account`"),
        ({"account": "1"}, "matching regex"),
        ({"account": "１" * 12}, "matching regex"),
        ({"account": ACCOUNT, "description": "x" * 257}, "length <= 256"),
        ({"account": ACCOUNT, "secret": "mine"}, "unknown field `secret`"),
        ([], "Expected `object`"),
    )

    @pytest.mark.parametrize(("body", "message"), BAD_KEYS)
    async def test_a_bad_request_makes_no_key(
        self, wire: Wire, clock: SettableClock, administrator: Credentials, keyring: Keyring, body: Any, message: str
    ) -> None:
        status, name, text = (await self.signed(administrator, clock, "POST", "keys", body).send(wire)).error
        assert (status, name) == (400, "ValidationException")
        assert message in text
        assert await keyring.list() == []

    async def test_no_such_key(self, wire: Wire, clock: SettableClock, administrator: Credentials) -> None:
        answer = await self.signed(administrator, clock, "DELETE", "keys/TRDLNONE").send(wire)
        assert answer.error[:2] == (400, "ResourceNotFound")
