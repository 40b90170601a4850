"""The roles as which tasks work: the machine's, and the one that a state's Credentials name.

    STS                   what happens
    the emulator's        Credentials: if the role is there, it must trust the machine's role, by its trust policy; the
                          task then works in the account of the role. A role that is not there is taken, as those of
                          machines are: nobody has to make roles to run a workflow on his own machine.
    an endpoint           Credentials: AssumeRole, and requests to endpoints are signed with what it gives. So with the
                          machine's role, before that, if the settings say so.

Of a trust policy, the conditions are not looked at. What the roles may do is not checked here, but by the endpoints.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from treadle.document import decode
from treadle.neighbours.contract import EmulatorMissing, NeighbourUnavailable
from treadle.tasks.contract import Credentials, ServiceFault, TaskRequest, role_account
from treadle.tasks.service_calls import ServiceCalls
from treadle.tasks.service_models import load

_ASSUME = "sts:assumerole"
_ASSUMED_SECONDS = 3_600
"""How long AssumeRole's credentials are good for if nothing else is asked for."""
_EARLY_SECONDS = 300
"""Credentials are renewed so long before they run out, as AWS's SDKs do it at the latest."""
_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class RoleRefused(Exception):
    """The role cannot be assumed. The message is the cause of the task's failure."""


class _Assumed(Struct, frozen=True):
    credentials: Credentials
    runs_out: float
    """By the clock of the event loop."""


class Roles:
    def __init__(self, calls: ServiceCalls, *, execution_roles: bool) -> None:
        """`calls`: signed with the server's own credentials. `execution_roles`: machines' roles are assumed, too, for
        requests to endpoints."""
        self._calls = calls
        self._execution_roles = execution_roles
        self._assumed: dict[tuple[str, ...], _Assumed] = {}

    async def calls_of(self, request: TaskRequest) -> ServiceCalls:
        """What the task calls services with. Raises RoleRefused."""
        chain = [request.role_arn] if self._execution_roles else []
        if request.task_role_arn is not None:
            chain.append(request.task_role_arn)
        if not chain:
            return self._calls
        if role_account(chain[-1]) is None:
            raise _refused(request)
        try:
            if self._calls.emulated("sts"):
                await self._check_trust(request)
                return self._calls
            credentials = partial(self._credentials, tuple(chain), request.region)
            await credentials()  # so that it is told now if it fails
        except ServiceFault as fault:
            raise _refused(request, fault.message) from fault
        except EmulatorMissing:
            return self._calls  # there is no IAM, and so no role
        except NeighbourUnavailable as error:
            raise _refused(request, str(error)) from error
        return self._calls.signed_with(credentials)

    # -- the emulator's ------------------------------------------------------------------------------------

    async def _check_trust(self, request: TaskRequest) -> None:
        """Raises RoleRefused, ServiceFault, NeighbourUnavailable."""
        role = request.task_role_arn
        account = None if role is None else role_account(role)
        if role is None or account is None:
            return
        operation = load("iam").operation_model("GetRole")
        try:
            answer = await self._calls.call(
                operation, {"RoleName": role.rpartition("/")[2]}, account=account, region=request.region
            )
        except ServiceFault as fault:
            if fault.code == "NoSuchEntity":
                return
            raise
        found = answer.members.get("Role", {})
        if found.get("Arn") == role and not trusts(found.get("AssumeRolePolicyDocument"), request.role_arn):
            raise _refused(request)

    # -- an endpoint's -------------------------------------------------------------------------------------

    async def _credentials(self, chain: tuple[str, ...], region: str) -> Credentials | None:
        """Of the last role, which the one before it has assumed. Raises ServiceFault, NeighbourUnavailable."""
        if not chain:
            return await self._calls.credentials()
        known = self._assumed.get(chain)
        now = asyncio.get_running_loop().time()
        if known is not None and now < known.runs_out:
            return known.credentials
        calls = self._calls.signed_with(partial(self._credentials, chain[:-1], region))
        session = "".join(secrets.choice(_NAMES) for _ in range(32))
        answer = await calls.call(
            load("sts").operation_model("AssumeRole"),
            {"RoleArn": chain[-1], "RoleSessionName": session},
            account=role_account(chain[-1]) or "",
            region=region,
        )
        given = answer.members.get("Credentials") or {}
        try:
            made = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        except KeyError as error:
            raise NeighbourUnavailable("STS has assumed a role and given no credentials") from error
        self._assumed = {chain: assumed for chain, assumed in self._assumed.items() if now < assumed.runs_out}
        self._assumed[chain] = _Assumed(made, now + _ASSUMED_SECONDS - _EARLY_SECONDS)
        return made


def _refused(request: TaskRequest, why: str = "") -> RoleRefused:
    """Recorded behaviour: the text up to the first full stop."""
    if request.task_role_arn is None:
        text = f"The role {request.role_arn} of the state machine cannot be assumed."
    else:
        text = (
            f"The role {request.role_arn} is not authorized to assume the task state's role, {request.task_role_arn}."
        )
    return RoleRefused(f"{text} {why}".strip())


# -- trust policies ----------------------------------------------------------------------------------------


def trusts(policy: Any, role_arn: str) -> bool:
    """Whether a role's trust policy lets another role assume it. `policy`: as GetRole has it, URL-encoded or not."""
    try:
        document = decode(unquote(policy)) if isinstance(policy, str) else policy
    except ValueError:
        return False
    effects = [
        statement.get("Effect")
        for statement in _several(document.get("Statement") if isinstance(document, dict) else None)
        if isinstance(statement, dict) and _is_about(statement, role_arn)
    ]
    return "Allow" in effects and "Deny" not in effects


def _is_about(statement: dict[str, Any], role_arn: str) -> bool:
    if not any(_fits(action.lower(), _ASSUME) for action in _texts(statement.get("Action"))):
        return False
    principal = statement.get("Principal")
    named = _texts(principal.get("AWS") if isinstance(principal, dict) else principal)
    account = role_account(role_arn)
    return any(who in ("*", role_arn, account) or who == f"arn:aws:iam::{account}:root" for who in named)


def _fits(pattern: str, action: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action) is not None


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> Iterator[str]:
    return (text for text in _several(value) if isinstance(text, str))
