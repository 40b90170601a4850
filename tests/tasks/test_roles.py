"""As whom tasks work: trust policies of the emulator's roles, and credentials of assumed ones."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import structs

from treadle.limits import Limits
from treadle.neighbours.contract import EmulatorMissing, NeighbourUnavailable
from treadle.neighbours.directory import Neighbours
from treadle.tasks.contract import Credentials, ServiceFault, TaskRequest, role_account
from treadle.tasks.roles import RoleRefused, Roles, trusts
from treadle.tasks.service_calls import ServiceCalls

from .fake_neighbour import HOST, FakeNeighbour
from .fake_services import FakeServices
from .fakes import request

MACHINE_ROLE = "arn:aws:iam::123456789012:role/role"
TASK_ROLE = "arn:aws:iam::999988887777:role/path/other"
REFUSED = f"The role {MACHINE_ROLE} is not authorized to assume the task state's role, {TASK_ROLE}."


def policy(principal: Any, effect: str = "Allow", action: Any = "sts:AssumeRole") -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Principal": principal}]}


@pytest.mark.parametrize(
    ("given", "trusted"),
    [
        (policy({"AWS": MACHINE_ROLE}), True),
        (policy({"AWS": ["x", "123456789012"]}), True),
        (policy({"AWS": "arn:aws:iam::123456789012:root"}, action=["sts:TagSession", "sts:*"]), True),
        (policy("*", action="*"), True),
        (policy({"AWS": "arn:aws:iam::123456789012:role/another"}), False),
        (policy({"AWS": "arn:aws:iam::999988887777:root"}), False),
        (policy({"Service": "states.amazonaws.com"}), False),
        (policy({"AWS": MACHINE_ROLE}, action="sts:TagSession"), False),
        (policy({"AWS": MACHINE_ROLE}, effect="Deny"), False),
        ({"Statement": [*policy("*")["Statement"], *policy({"AWS": MACHINE_ROLE}, "Deny")["Statement"]]}, False),
        ({"Statement": policy("*")["Statement"][0]}, True),
        ({}, False),
        ([], False),
        (None, False),
        ("{", False),
    ],
)
def test_trust_policies(given: Any, trusted: bool) -> None:
    assert trusts(given, MACHINE_ROLE) == trusted
    if isinstance(given, dict):
        assert trusts(quote(json.dumps(given)), MACHINE_ROLE) == trusted


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        (TASK_ROLE, "999988887777"),
        ("arn:aws-cn:iam::999988887777:role/r", "999988887777"),
        ("arn:aws:iam::999988887777:user/r", None),
        ("arn:aws:iam::99:role/r", None),
        ("role", None),
    ],
)
def test_the_account_of_a_role(arn: str, account: str | None) -> None:
    assert role_account(arn) == account


def task(role: str | None = TASK_ROLE) -> TaskRequest:
    return structs.replace(request("arn:aws:states:::sqs:sendMessage", {}), task_role_arn=role)


def test_a_task_works_in_the_account_of_its_role() -> None:
    assert [task(None).account, task().account, task("nonsense").account] == [
        "123456789012",
        "999988887777",
        "123456789012",
    ]


def iam(trust: Any, arn: str = TASK_ROLE) -> FakeServices:
    return FakeServices({"GetRole": lambda members: {"Role": {"Arn": arn, "AssumeRolePolicyDocument": trust}}})


async def test_a_role_must_trust_the_machine() -> None:
    services = iam(policy({"AWS": MACHINE_ROLE}))
    assert await Roles(services, execution_roles=False).calls_of(task()) is services
    assert services.asked == [("GetRole", "999988887777", "eu-west-1", {"RoleName": "other"})]
    with pytest.raises(RoleRefused) as caught:
        await Roles(iam(policy({"Service": "x"})), execution_roles=False).calls_of(task())
    assert str(caught.value) == REFUSED


async def test_without_credentials_nobody_is_asked() -> None:
    services = iam(policy("*"))
    assert await Roles(services, execution_roles=False).calls_of(task(None)) is services
    assert services.asked == []


def failing(error: Exception) -> FakeServices:
    def fail(members: dict[str, Any]) -> dict[str, Any]:
        raise error

    return FakeServices({"GetRole": fail})


@pytest.mark.parametrize("error", [ServiceFault("NoSuchEntity", "none", 404, "id"), EmulatorMissing("no moto")])
async def test_a_role_that_is_not_there_is_taken(error: Exception) -> None:
    services = failing(error)
    assert await Roles(services, execution_roles=False).calls_of(task()) is services


@pytest.mark.parametrize("error", [ServiceFault("ServiceFailure", "oh", 500, "id"), NeighbourUnavailable("oh")])
async def test_whoever_cannot_be_asked_has_not_agreed(error: Exception) -> None:
    with pytest.raises(RoleRefused, match=r"is not authorized to assume .* oh"):
        await Roles(failing(error), execution_roles=False).calls_of(task())


async def test_what_is_no_role_cannot_be_assumed() -> None:
    with pytest.raises(RoleRefused, match="is not authorized to assume the task state's role, nonsense"):
        await Roles(iam(policy("*")), execution_roles=False).calls_of(task("nonsense"))


# -- endpoints ---------------------------------------------------------------------------------------------


class Sts(FakeServices):
    """At an endpoint. It gives out credentials that say for whom they are, and remembers who has asked."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__({"AssumeRole": self.assume})
        self.error = error
        self.made: list[str] = []

    def emulated(self, client: str) -> bool:
        return False

    def assume(self, members: dict[str, Any]) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        self.made.append(members["RoleArn"])
        assert len(members["RoleSessionName"]) == 32
        return {"Credentials": {"AccessKeyId": members["RoleArn"], "SecretAccessKey": "s", "SessionToken": "t"}}


async def test_roles_are_assumed_one_by_the_other_and_kept() -> None:
    sts = Sts()
    roles = Roles(sts, execution_roles=True)
    for _ in range(2):
        calls = await roles.calls_of(task())
        assert await calls.credentials() == Credentials(TASK_ROLE, "s", "t")
    calls = await roles.calls_of(task(None))
    assert await calls.credentials() == Credentials(MACHINE_ROLE, "s", "t")
    assert sts.made == [TASK_ROLE, MACHINE_ROLE]


async def test_the_machines_own_role_is_assumed_only_if_the_settings_say_so() -> None:
    sts = Sts()
    assert await Roles(sts, execution_roles=False).calls_of(task(None)) is sts
    await Roles(sts, execution_roles=False).calls_of(task())
    assert sts.made == [TASK_ROLE]


async def test_the_endpoint_refuses() -> None:
    refusal = ServiceFault("AccessDenied", "User x is not authorized.", 403, "id")
    with pytest.raises(RoleRefused) as caught:
        await Roles(Sts(refusal), execution_roles=False).calls_of(task())
    assert str(caught.value) == f"{REFUSED} User x is not authorized."


async def test_requests_to_endpoints_are_signed_with_what_the_role_gives() -> None:
    neighbour = FakeNeighbour(
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s"
        b"</SecretAccessKey><SessionToken>the-token</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    limits = Limits()
    url = "http://sts.example"
    neighbours = Neighbours(FakeNeighbour(), {"sts": url}, limits)
    neighbours._transports = {"sts": neighbour}  # type: ignore[dict-item]  # a neighbour is all that is asked for
    given = Credentials("AKIAOWN", "s")

    async def own() -> Credentials:
        return given

    calls = ServiceCalls(neighbours, limits, HOST).signed_with(own)
    credentials = await (await Roles(calls, execution_roles=False).calls_of(task())).credentials()
    assert credentials == Credentials("ASIAROLE", "s", "the-token")
    assert "Credential=AKIAOWN/" in neighbour.headers["authorization"]
