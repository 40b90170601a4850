"""Operations on the policies of functions. They are kept and shown; nothing is decided by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call, other_revision
from treadle.aws.functions.names import FunctionName
from treadle.store.contract import Conflict
from treadle.store.function_contract import FunctionStatement
from treadle.store.layer_contract import LayerStatement


async def add_permission(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    named = call.changeable(request)
    async with backend.changes:
        await call.version(named)
        known = await _statements(call, named)
        check_revision(known, request)
        text = json.dumps(_statement(named, request), separators=(",", ":"))
        if len(policy(known)) + len(text) > backend.limits.function_policy_bytes:
            raise ApiError("PolicyLengthExceededException", "The final policy size is bigger than the limit.")
        added = FunctionStatement(
            function_arn=named.arn, qualifier=named.qualifier or "", id=request["StatementId"], statement=text
        )
        try:
            await backend.store.function_statement_add(added)
        except Conflict as error:
            text = (
                f"The statement id ({request['StatementId']}) provided already exists. Please provide a new statement "
                "id, or remove the existing statement."
            )
            raise ApiError("ResourceConflictException", text) from error
    return {"Statement": text}


def _statement(named: FunctionName, request: dict[str, Any]) -> dict[str, Any]:
    principal = request["Principal"]
    who: Any = {"AWS": principal}
    if principal == "*":
        who = "*"
    elif principal.isdecimal():
        who = {"AWS": f"arn:aws:iam::{principal}:root"}
    elif principal.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        who = {"Service": principal}
    conditions: dict[str, dict[str, Any]] = {}
    for member, operator, key in (
        ("SourceArn", "ArnLike", "AWS:SourceArn"),
        ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
        ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
        ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ):
        if member in request:
            conditions.setdefault(operator, {})[key] = request[member]
    if "InvokedViaFunctionUrl" in request:
        conditions.setdefault("Bool", {})["lambda:InvokedViaFunctionUrl"] = str(
            request["InvokedViaFunctionUrl"]
        ).lower()
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": who,
        "Action": request["Action"],
        "Resource": named.qualified_arn,
        **({"Condition": conditions} if conditions else {}),
    }


async def remove_permission(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.changeable(request)
    async with call.backend.changes:
        await call.version(named)
        check_revision(await _statements(call, named), request)
        id = request["StatementId"]
        if not await call.backend.store.function_statement_remove(named.arn, named.qualifier or "", id):
            raise ApiError("ResourceNotFoundException", f"Statement {id} is not found in resource policy.")
    return {}


async def get_policy(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    named = call.named(request)
    known: Sequence[FunctionStatement] = ()
    if not call.in_folder(named.name):
        await call.version(named)
        known = await _statements(call, named)
    if not known:
        raise ApiError("ResourceNotFoundException", "The resource you requested does not exist.")
    return {"Policy": policy(known), "RevisionId": policy_revision(known)}


async def _statements(call: Call, named: FunctionName) -> Sequence[FunctionStatement]:
    return await call.backend.store.function_statements(named.arn, named.qualifier or "")


def policy(statements: Sequence[FunctionStatement | LayerStatement]) -> str:
    joined = ",".join(each.statement for each in statements)
    return f'{{"Version":"2012-10-17","Id":"default","Statement":[{joined}]}}'


def policy_revision(statements: Sequence[FunctionStatement | LayerStatement]) -> str:
    """Follows from the policy, and so changes with it."""
    return str(uuid5(NAMESPACE_OID, policy(statements)))


def check_revision(statements: Sequence[FunctionStatement | LayerStatement], request: dict[str, Any]) -> None:
    """Raises PreconditionFailedException."""
    if request.get("RevisionId") not in (None, policy_revision(statements)):
        raise other_revision()
