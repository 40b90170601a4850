"""Operations on state machines: create, describe, update, delete, list, and their tags."""

from __future__ import annotations

from typing import Any

from treadle import document
from treadle.aws.arns import check_arn, check_name, check_role
from treadle.aws.errors import ApiError
from treadle.aws.states.call import (
    Call,
    machine_does_not_exist,
    machine_is_deleting,
    new_id,
    seconds,
)
from treadle.aws.states.configuration import (
    check_versioning,
    encryption_text,
    logging_text,
    tags,
    tracing_text,
)
from treadle.language.diagnostics import invalid_definition_message
from treadle.store.contract import Conflict, Machine, MachineRevision, MachineType


async def create_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Idempotent: the same name, type, definition and configuration again answer the existing machine (api.md
    section 4); roleArn and tags play no part in that, and are not updated."""
    backend = call.backend
    check_versioning(request)
    arn = call.machine_arn_prefix + check_name(request["name"])
    now = backend.clock.now()
    revision = MachineRevision(
        id=new_id(),
        machine_arn=arn,
        definition=request["definition"],
        role_arn=check_role(request["roleArn"]),
        logging=logging_text(request.get("loggingConfiguration", {})),
        tracing=tracing_text(request.get("tracingConfiguration", {})),
        encryption=encryption_text(request.get("encryptionConfiguration", {})),
        created=now,
    )
    machine = Machine(
        arn=arn,
        name=request["name"],
        type=request.get("type", "STANDARD"),
        status="ACTIVE",
        created=now,
        revision=revision,
        initial=True,
    )
    kept_tags = tags(request.get("tags", []), backend.options.limits.tags)
    async with backend.changes:
        existing = await backend.runtime.machines.get(arn)
        if existing is None:
            check_definition(call, revision.definition, machine.type)
            try:
                await backend.runtime.machines.create(machine, kept_tags)
            except Conflict:  # another node was faster
                existing = await backend.runtime.machines.get(arn)
                if existing is None:
                    raise
            else:
                return _created(machine)
    if existing.status == "DELETING":
        raise machine_is_deleting(arn)
    if not _same(existing, machine):
        raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    return _created(existing)


def _created(machine: Machine) -> dict[str, Any]:
    return {"stateMachineArn": machine.arn, "creationDate": seconds(machine.created)}


def _same(one: Machine, other: Machine) -> bool:
    """Equal in what CreateStateMachine compares. Definitions are compared as text (recorded:
    create_duplicate_definition_format_sm). encryptionConfiguration has but one meaning so far."""
    mine, its = one.revision, other.revision
    return (one.type, mine.definition, mine.logging, mine.tracing) == (
        other.type,
        its.definition,
        its.logging,
        its.tracing,
    )


def check_definition(call: Call, definition: str, machine_type: MachineType) -> None:
    """Raises InvalidDefinition, with all findings in one message."""
    diagnostics = call.backend.runtime.machines.check(definition, machine_type)
    errors = [found for found in diagnostics if found.severity == "ERROR"]
    if errors:
        raise ApiError("InvalidDefinition", invalid_definition_message(errors))


async def describe_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    machine = await call.machine(request["stateMachineArn"])
    answer = {
        "stateMachineArn": machine.arn,
        "name": machine.name,
        "status": machine.status,
        "type": machine.type,
        "creationDate": seconds(machine.created),
        **revision_members(machine.revision, request),
    }
    if not machine.initial:
        answer["revisionId"] = machine.revision.id
    return answer


def revision_members(revision: MachineRevision, request: dict[str, Any]) -> dict[str, Any]:
    """What the answers about a machine and about an execution's machine have in common."""
    answer = {
        "definition": "{}" if request.get("includedData") == "METADATA_ONLY" else revision.definition,
        "roleArn": revision.role_arn,
        "loggingConfiguration": document.decode(revision.logging),
        "tracingConfiguration": document.decode(revision.tracing),
    }
    encryption = document.decode(revision.encryption)
    if encryption:
        answer["encryptionConfiguration"] = encryption
    return answer


_UPDATABLE = (
    "definition",
    "roleArn",
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
)


async def update_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Running executions keep the revision they were started with."""
    backend = call.backend
    arn = check_arn(request["stateMachineArn"], "stateMachine")
    if not any(member in request for member in _UPDATABLE):
        text = (
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration "
            "must be specified"
        )
        raise ApiError("MissingRequiredParameter", text)
    check_versioning(request)
    async with backend.changes:
        machine = await call.active_machine(arn)
        revision = _updated(call, machine, request)
        try:
            await backend.runtime.machines.update(arn, revision)
        except Conflict as error:  # another node deleted it
            raise machine_does_not_exist(arn) from error
    return {"updateDate": seconds(revision.created), "revisionId": revision.id}


def _updated(call: Call, machine: Machine, request: dict[str, Any]) -> MachineRevision:
    before = machine.revision
    definition = request.get("definition", before.definition)
    if "definition" in request:
        check_definition(call, definition, machine.type)
    role, logging = request.get("roleArn"), request.get("loggingConfiguration")
    tracing, encryption = request.get("tracingConfiguration"), request.get("encryptionConfiguration")
    return MachineRevision(
        id=new_id(),
        machine_arn=machine.arn,
        definition=definition,
        role_arn=before.role_arn if role is None else check_role(role),
        logging=before.logging if logging is None else logging_text(logging),
        tracing=before.tracing if tracing is None else tracing_text(tracing),
        encryption=before.encryption if encryption is None else encryption_text(encryption),
        # Later than the one before even within its millisecond: the first revision is known by its time.
        created=max(call.backend.clock.now(), before.created + 1),
    )


async def delete_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deleting what does not exist succeeds (recorded: delete_nonexistent_sm)."""
    arn = check_arn(request["stateMachineArn"], "stateMachine")
    async with call.backend.changes:
        await call.backend.runtime.machines.delete(arn)
    return {}


async def list_state_machines(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By name (recorded: list_sms_pagination)."""
    backend = call.backend
    now = backend.clock.now()
    position = backend.tokens.read(call.listing, request, now)
    after = None if position is None else position[0]
    size = call.page_items(request.get("maxResults"))
    found = await backend.store.machine_list(call.machine_arn_prefix, after, size + 1)
    page = found[:size]
    answer: dict[str, Any] = {
        "stateMachines": [
            {
                "stateMachineArn": machine.arn,
                "name": machine.name,
                "type": machine.type,
                "creationDate": seconds(machine.created),
            }
            for machine in page
        ]
    }
    if len(found) > size:
        answer["nextToken"] = backend.tokens.issue(call.listing, request, [page[-1].arn], now)
    return answer


async def list_tags_for_resource(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    arn = check_arn(request["resourceArn"], "stateMachine", "activity")
    if await call.backend.runtime.machines.get(arn) is None:
        raise ApiError("ResourceNotFound", f"Resource not found: '{arn}'", resourceName=arn)
    kept = await call.backend.store.machine_tags(arn)
    return {"tags": [{"key": key, "value": value} for key, value in kept.items()]}
