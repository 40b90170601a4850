"""Who may send what: signatures of botocore's own making, whole and spoiled, against the whole application."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.aws.access_keys import Credentials, Keyring
from treadle.limits import Limits
from treadle.store.sqlite.store import SqliteStore

from .conftest import SettableClock
from .signing import Signed, Signer
from .wire import Wire, machine

KEY = Credentials(access_key_id="TRDLONE", secret="one's secret", account="111122223333")
OTHER = Credentials(access_key_id="TRDLTWO", secret="two's secret", account="444455556666")
TEMPORARY = Credentials(access_key_id="TRDLTMP", secret="tmp", account="111122223333", session_token="t+o/k=en")

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
    "Key and signing method. Consult the service documentation for details."
)
INVALID_TOKEN = "The security token included in the request is invalid."
NOW = 1_767_268_800_000
"""2026-01-01T12:00:00Z."""
MINUTE = 60_000


@pytest.fixture
def keys() -> list[Credentials]:
    return [KEY, OTHER, TEMPORARY]


@pytest.fixture
def clock() -> SettableClock:
    clock = SettableClock()
    clock.time = NOW
    return clock


@pytest.fixture
def signer() -> Signer:
    return Signer(KEY, NOW)


async def test_a_signed_request_counts_for_the_account_of_its_key(wire: Wire, signer: Signer) -> None:
    answer = await signer.call("CreateStateMachine", machine()).send(wire)
    assert answer.body["stateMachineArn"] == "arn:aws:states:eu-west-1:111122223333:stateMachine:example"


async def test_a_presigned_request(wire: Wire, signer: Signer) -> None:
    answer = await signer.call("CreateStateMachine", machine(), presigned=60).send(wire)
    assert answer.body["stateMachineArn"] == "arn:aws:states:eu-west-1:111122223333:stateMachine:example"


@pytest.mark.parametrize("presigned", [None, 60])
async def test_temporary_credentials(wire: Wire, presigned: int | None) -> None:
    good = Signer(TEMPORARY, NOW).call("ListStateMachines", presigned=presigned)
    assert (await good.send(wire)).status == 200


Spoil = Callable[[Signed], object]


def header(name: str, value: str | None) -> Spoil:
    def spoil(request: Signed) -> None:
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value

    return spoil


def replaced(name: str, old: str, new: str) -> Spoil:
    def spoil(request: Signed) -> None:
        assert old in request.headers[name]
        request.headers[name] = request.headers[name].replace(old, new)

    return spoil


def body(content: bytes) -> Spoil:
    return lambda request: setattr(request, "body", content)


def query(text: str) -> Spoil:
    return lambda request: setattr(request, "query", text)


SPOILED: dict[str, tuple[Spoil, str, str]] = {
    "not signed": (
        header("authorization", None),
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    ),
    "signed otherwise": (
        header("authorization", "Bearer x"),
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    ),
    "an unknown key": (
        replaced("authorization", "TRDLONE", "TRDLNONE"),
        "UnrecognizedClientException",
        INVALID_TOKEN,
    ),
    "a token that the key does not have": (
        header("x-amz-security-token", "x"),
        "UnrecognizedClientException",
        INVALID_TOKEN,
    ),
    "another key's signature": (
        replaced("authorization", "TRDLONE", "TRDLTWO"),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "another body": (body(b'{"maxResults": 1}'), "InvalidSignatureException", MISMATCH),
    "another operation": (
        header("x-amz-target", "AWSStepFunctions.ListActivities"),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "another host": (header("host", "example.org"), "InvalidSignatureException", MISMATCH),
    "another region": (replaced("authorization", "eu-west-1", "eu-west-2"), "InvalidSignatureException", MISMATCH),
    "a query that was not signed": (query("a=b"), "InvalidSignatureException", MISMATCH),
    "an empty signature": (
        lambda request: request.headers.update(
            authorization=request.headers["authorization"].partition("Signature=")[0] + "Signature=\xe9"
        ),
        "InvalidSignatureException",
        MISMATCH,
    ),
    "a header that was added": (
        header("x-amz-other", "x"),
        "InvalidSignatureException",
        "'x-amz-other' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "a host that is not covered": (
        replaced("authorization", "host;", ""),
        "InvalidSignatureException",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "an operation that is not covered": (
        replaced("authorization", ";x-amz-target", ""),
        "InvalidSignatureException",
        "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
    ),
    "another service": (
        replaced("authorization", "/states/", "/lambda/"),
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'states'. ",
    ),
    "another day": (
        replaced("authorization", "/20260101/", "/20260102/"),
        "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260102' != "
        "'20260101', from '20260101T120000Z'.",
    ),
    "no such hour": (
        header("x-amz-date", "20260101T250000Z"),
        "InvalidSignatureException",
        "Signature has no valid time: '20260101T250000Z'.",
    ),
    "half of it": (
        replaced("authorization", "Signature", "Sign"),
        "IncompleteSignatureException",
        "Authorization header requires 'Signature' parameter. ",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
async def test_spoiled(wire: Wire, signer: Signer, name: str) -> None:
    spoil, error, message = SPOILED[name]
    request = signer.call("ListStateMachines")
    assert (await request.send(wire)).status == 200
    spoil(request)
    status, given, text = (await request.send(wire)).error
    assert (status, given) == (400, error)
    assert text.startswith(message)


async def test_nothing_comes_of_a_request_that_is_refused(wire: Wire, signer: Signer) -> None:
    request = signer.call("CreateStateMachine", machine())
    request.body = request.body.replace(b"example", b"another")
    assert (await request.send(wire)).error[1] == "InvalidSignatureException"
    assert (await signer.call("ListStateMachines").send(wire)).body == {"stateMachines": []}


TIMES: dict[str, tuple[int, int | None, str | None]] = {
    "five minutes ago": (-5 * MINUTE, None, None),
    "in five minutes": (5 * MINUTE, None, None),
    "longer ago": (
        -5 * MINUTE - 1_000,
        None,
        "Signature expired: 20260101T115459Z is now earlier than 20260101T115500Z (20260101T120000Z - 5 min.)",
    ),
    "later": (
        5 * MINUTE + 1_000,
        None,
        "Signature not yet current: 20260101T120501Z is still later than 20260101T120500Z (20260101T120000Z + 5 min.)",
    ),
    "presigned an hour ago for an hour": (-60 * MINUTE, 3_600, None),
    "presigned an hour ago for less": (
        -60 * MINUTE,
        3_599,
        "Signature expired: 20260101T110000Z is now earlier than 20260101T110001Z (20260101T120000Z - 3599 sec.)",
    ),
    "presigned in the future": (
        6 * MINUTE,
        3_600,
        "Signature not yet current: 20260101T120600Z is still later than 20260101T120500Z (20260101T120000Z + 5 min.)",
    ),
    "presigned for a week": (-7 * 24 * 60 * MINUTE, 604_800, None),
    "presigned for longer": (0, 604_801, "X-Amz-Expires must be at most 604800 seconds, not 604801."),
}


@pytest.mark.parametrize("name", TIMES)
async def test_times(wire: Wire, clock: SettableClock, name: str) -> None:
    shift, presigned, message = TIMES[name]
    answer = await Signer(KEY, NOW + shift).call("ListStateMachines", presigned=presigned).send(wire)
    if message is None:
        assert answer.status == 200
    else:
        assert answer.error == (400, "InvalidSignatureException", message)


@pytest.mark.parametrize("presigned", [None, 60])
async def test_temporary_credentials_need_their_token(wire: Wire, presigned: int | None) -> None:
    for token in (None, "another"):
        key = Credentials(access_key_id="TRDLTMP", secret="tmp", account="", session_token=token)
        answer = await Signer(key, NOW).call("ListStateMachines", presigned=presigned).send(wire)
        assert answer.error == (400, "UnrecognizedClientException", INVALID_TOKEN)


async def test_a_large_body_of_a_stranger_is_not_read(wire: Wire) -> None:
    """The key is looked at first."""
    request = Signer(Credentials(access_key_id="TRDLNONE", secret="x", account=""), NOW).call("ListStateMachines")
    request.headers["content-length"] = str(10**9)
    assert (await request.send(wire)).error[1] == "UnrecognizedClientException"


class TestKeysOfTheDatabase:
    @pytest.fixture
    def keys(self) -> list[Credentials]:
        return []

    async def test_nobody_signs_until_there_is_a_key(self, wire: Wire, keyring: Keyring) -> None:
        await wire.ok("ListStateMachines")
        made = await keyring.create("111122223333", "")
        assert (await wire.call("ListStateMachines")).error[1] == "MissingAuthenticationTokenException"
        key = Credentials(access_key_id=made.id, secret=made.secret, account=made.account)
        assert (await Signer(key, NOW).call("ListStateMachines").send(wire)).status == 200

    async def test_a_revoked_key_counts_no_more_and_opens_no_door(self, wire: Wire, keyring: Keyring) -> None:
        made = await keyring.create("111122223333", "")
        key = Credentials(access_key_id=made.id, secret=made.secret, account=made.account)
        await keyring.revoke(made.id)
        answer = await Signer(key, NOW).call("ListStateMachines").send(wire)
        assert answer.error[1] == "UnrecognizedClientException"
        assert (await wire.call("ListStateMachines")).error[1] == "MissingAuthenticationTokenException"

    async def test_after_a_restart(
        self, store: SqliteStore, keyring: Keyring, clock: SettableClock, limits: Limits
    ) -> None:
        kept, gone = await keyring.create("111122223333", ""), await keyring.create("111122223333", "")
        await keyring.revoke(gone.id)
        again = Keyring(store, clock, limits)
        await again.open()
        assert again.required
        found = again.find(kept.id)
        assert found is not None and found.secret == kept.secret
        assert again.find(gone.id) is None

    async def test_what_another_node_changes(
        self, store: SqliteStore, keyring: Keyring, clock: SettableClock, limits: Limits
    ) -> None:
        configured = Credentials(access_key_id="CONFIGURED", secret="s", account="111122223333")
        other = Keyring(store, clock, limits, [configured])
        made = await keyring.create("111122223333", "")
        await other.open()
        assert other.find(made.id) is not None
        await keyring.revoke(made.id)
        await other.open()
        assert other.find(made.id) is None
        assert other.find("CONFIGURED") is configured
