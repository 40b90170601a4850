"""Operations on the policies of versions of layers. They are kept and shown; nothing is decided by them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from treadle.aws.errors import ApiError
from treadle.aws.functions.call import Call
from treadle.aws.functions.layers import layer_version
from treadle.aws.functions.permissions import check_revision, policy, policy_revision
from treadle.store.contract import Conflict
from treadle.store.layer_contract import LayerStatement, LayerVersion


async def add_layer_version_permission(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    backend = call.backend
    async with backend.changes:
        version = await layer_version(call, request)
        known = await _statements(call, version)
        check_revision(known, request)
        text = json.dumps(_statement(version, request), separators=(",", ":"))
        if len(policy(known)) + len(text) > backend.limits.function_policy_bytes:
            raise ApiError("PolicyLengthExceededException", "The final policy size is bigger than the limit.")
        added = LayerStatement(
            layer_arn=version.layer_arn, number=version.number, id=request["StatementId"], statement=text
        )
        try:
            await backend.store.layer_statement_add(added)
        except Conflict as error:
            text = (
                f"The statement id ({request['StatementId']}) provided already exists. Please provide a new statement "
                "id, or remove the existing statement."
            )
            raise ApiError("ResourceConflictException", text) from error
    return {"Statement": text, "RevisionId": policy_revision([*known, added])}


def _statement(version: LayerVersion, request: dict[str, Any]) -> dict[str, Any]:
    principal = request["Principal"]
    account = {"AWS": f"arn:aws:iam::{principal}:root"} if principal.isdecimal() else {"AWS": principal}
    statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else account,
        "Action": request["Action"],
        "Resource": f"{version.layer_arn}:{version.number}",
    }
    organization = request.get("OrganizationId")
    if organization is None:
        return statement
    return {**statement, "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}}


async def remove_layer_version_permission(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    async with call.backend.changes:
        version = await layer_version(call, request)
        check_revision(await _statements(call, version), request)
        id = request["StatementId"]
        if not await call.backend.store.layer_statement_remove(version.layer_arn, version.number, id):
            raise ApiError("ResourceNotFoundException", f"Statement {id} is not found in resource policy.")
    return {}


async def get_layer_version_policy(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    known = await _statements(call, await layer_version(call, request))
    if not known:
        raise ApiError("ResourceNotFoundException", "No policy is associated with the given resource.")
    return {"Policy": policy(known), "RevisionId": policy_revision(known)}


async def _statements(call: Call, version: LayerVersion) -> Sequence[LayerStatement]:
    return await call.backend.store.layer_statements(version.layer_arn, version.number)
