"""Operations on state machines: create, describe, update, delete, list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from treadle import document
from treadle.aws.arns import check_arn, check_name, check_role, qualified_arn, split_machine_arn
from treadle.aws.errors import ApiError
from treadle.aws.random_ids import random_id
from treadle.aws.states.call import (
    Call,
    machine_does_not_exist,
    machine_is_deleting,
    seconds,
)
from treadle.aws.states.configuration import (
    DEFAULT_ENCRYPTION,
    encryption_text,
    logging_text,
    tracing_text,
    warn_of_what_is_not_delivered,
)
from treadle.aws.states.resolution import labels_not_supported, resolve
from treadle.aws.states.tags import check_count, read_tags
from treadle.aws.states.versions import check_room, publication, published
from treadle.language.diagnostics import invalid_definition_message
from treadle.runtime.machines import DefinitionRefused
from treadle.store.contract import Conflict, Machine, MachineRevision, MachineType, Publication, Version


async def create_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Idempotent: the same name, type, definition, configuration, publish and versionDescription again answer the
    existing machine (api.md section 4); roleArn and tags play no part in that, and are not updated."""
    backend = call.backend
    now = backend.clock.now()
    publish = publication(request, now)
    machine = _wanted(call, request, now)
    arn = machine.arn
    tags = read_tags(request.get("tags", []))
    check_count(call, arn, tags)
    checked = await backend.runtime.machines.get(arn) is None
    if checked:  # Before it is its turn, because it may take long.
        await check_definition(call, machine.revision.definition, machine.type)
    async with backend.changes:
        existing = await backend.runtime.machines.get(arn)
        if existing is None:
            if not checked:
                await check_definition(call, machine.revision.definition, machine.type)
            await _check_room(call)
            try:
                await backend.runtime.machines.create(machine, tags, publish)
            except Conflict:  # another node was faster
                existing = await backend.runtime.machines.get(arn)
                if existing is None:
                    raise
            else:
                warn_of_what_is_not_delivered(machine.revision)
                return _created(machine, publish)
    if existing.status == "DELETING":
        raise machine_is_deleting(arn)
    if not _same(existing, machine) or not _same_publication(await _published_at_creation(call, existing), publish):
        raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    return _created(existing, publish)


def _wanted(call: Call, request: dict[str, Any], now: int) -> Machine:
    """The machine that a CreateStateMachine request describes."""
    arn = call.machine_arn_prefix + check_name(request["name"])
    revision = MachineRevision(
        id=random_id(),
        machine_arn=arn,
        definition=request["definition"],
        role_arn=check_role(request["roleArn"]),
        logging=logging_text(request.get("loggingConfiguration", {})),
        tracing=tracing_text(request.get("tracingConfiguration", {})),
        encryption=encryption_text(request.get("encryptionConfiguration", {})),
        created=now,
        initial=True,
    )
    return Machine(
        arn=arn,
        name=request["name"],
        type=request.get("type", "STANDARD"),
        status="ACTIVE",
        created=now,
        revision=revision,
    )


async def _check_room(call: Call) -> None:
    """Raises StateMachineLimitExceeded."""
    most = call.backend.options.limits.machines
    if await call.backend.store.machine_count(call.machine_arn_prefix) >= most:
        text = f"The maximum number of state machines has been reached: {most}. Delete some before creating more."
        raise ApiError("StateMachineLimitExceeded", text)


def _created(machine: Machine, publish: Publication | None) -> dict[str, Any]:
    answer = {"stateMachineArn": machine.arn, "creationDate": seconds(machine.created)}
    if publish is not None:
        answer["stateMachineVersionArn"] = qualified_arn(machine.arn, 1)
    return answer


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


async def _published_at_creation(call: Call, machine: Machine) -> Version | None:
    """Version 1, if it is as old as the machine."""
    first = await call.backend.runtime.machines.version(machine.arn, 1)
    return first if first is not None and first.created == machine.created else None


def _same_publication(version: Version | None, publish: Publication | None) -> bool:
    if version is None or publish is None:
        return version is None and publish is None
    return version.description == publish.description


async def check_definition(call: Call, definition: str, machine_type: MachineType) -> None:
    """Raises InvalidDefinition, with all findings in one message."""
    diagnostics = await call.backend.runtime.machines.check(definition, machine_type)
    errors = [found for found in diagnostics if found.severity == "ERROR"]
    if errors:
        raise ApiError("InvalidDefinition", invalid_definition_message(errors))


async def describe_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """A version is shown as it was published; what an alias leads to, under the ARN of the alias (AWS's answer for
    an alias is not known)."""
    found = await resolve(call, request["stateMachineArn"])
    machine, version = found.machine, found.version
    answer = {
        "stateMachineArn": request["stateMachineArn"],
        "name": machine.name,
        "status": machine.status,
        "type": machine.type,
        "creationDate": seconds(machine.created if version is None else version.created),
        **revision_members(call, machine.revision, machine.type, request),
    }
    if version is not None and version.description is not None:
        answer["description"] = version.description
    return answer


def revision_members(
    call: Call, revision: MachineRevision, machine_type: MachineType, request: dict[str, Any]
) -> dict[str, Any]:
    """What the answers about a machine and about an execution's machine have in common.

    AWS shows encryptionConfiguration since the middle of 2024: none of the recorded answers before has it, and all
    since have it, which are of machines that assign variables. Treadle shows it to those, and to whoever set it.
    """
    metadata_only = request.get("includedData") == "METADATA_ONLY"
    answer = {
        "definition": "{}" if metadata_only else revision.definition,
        "roleArn": revision.role_arn,
        "loggingConfiguration": document.decode(revision.logging),
        "tracingConfiguration": document.decode(revision.tracing),
    }
    if not revision.initial:
        answer["revisionId"] = revision.id
    assigns_variables, references = _variables(call, revision, machine_type)
    encryption = document.decode(revision.encryption)
    if encryption or assigns_variables:
        answer["encryptionConfiguration"] = encryption or DEFAULT_ENCRYPTION
    if references and not metadata_only:
        answer["variableReferences"] = references
    return answer


def _variables(
    call: Call, revision: MachineRevision, machine_type: MachineType
) -> tuple[bool, Mapping[str, Sequence[str]]]:
    """Whether a revision assigns variables, and which ones its states read."""
    try:
        program = call.backend.runtime.machines.program(revision, machine_type)
    except DefinitionRefused:  # it can be looked at all the same, and updated
        return False, {}
    return program.assigns_variables, program.variable_references


_UPDATABLE = (
    "definition",
    "roleArn",
    "loggingConfiguration",
    "tracingConfiguration",
    "encryptionConfiguration",
)


async def update_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Running executions keep the revision they were started with. What changes nothing makes no new revision
    (recorded: update_logging_configuration), and no second version of the one there is."""
    backend = call.backend
    arn = _unlabelled(call, request["stateMachineArn"])
    if not any(member in request for member in _UPDATABLE):
        text = (
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration "
            "must be specified"
        )
        raise ApiError("MissingRequiredParameter", text)
    publish = publication(request, backend.clock.now())
    async with backend.changes:
        machine = await call.active_machine(arn)
        revision = await _updated(call, machine, request)
        number = await _save(call, machine, revision, publish)
    answer: dict[str, Any] = {"updateDate": seconds(revision.created)}
    if not revision.initial:
        answer["revisionId"] = revision.id
    if number is not None:
        answer["stateMachineVersionArn"] = qualified_arn(arn, number)
    return answer


async def _save(call: Call, machine: Machine, revision: MachineRevision, publish: Publication | None) -> int | None:
    """Make `revision` the current one if it is new; the number of its version, if it is to be published."""
    if revision is machine.revision:
        return None if publish is None else (await published(call, machine, publish)).number
    if publish is not None:
        await check_room(call, machine.arn)
        publish = replace(publish, created=revision.created)
    try:
        number = await call.backend.runtime.machines.update(machine.arn, revision, publish)
    except Conflict as error:  # another node deleted it
        raise machine_does_not_exist(machine.arn) from error
    warn_of_what_is_not_delivered(revision, machine.revision)
    return number


async def _updated(call: Call, machine: Machine, request: dict[str, Any]) -> MachineRevision:
    """The machine's revision after the update: the one it has, if nothing changes."""
    before = machine.revision
    role, logging = request.get("roleArn"), request.get("loggingConfiguration")
    tracing, encryption = request.get("tracingConfiguration"), request.get("encryptionConfiguration")
    after = replace(
        before,
        definition=request.get("definition", before.definition),
        role_arn=before.role_arn if role is None else check_role(role),
        logging=before.logging if logging is None else logging_text(logging),
        tracing=before.tracing if tracing is None else tracing_text(tracing),
        encryption=before.encryption if encryption is None else encryption_text(encryption),
    )
    if after.definition != before.definition:
        await check_definition(call, after.definition, machine.type)
    if after == before:
        return before
    return replace(after, id=random_id(), created=max(call.backend.clock.now(), before.created + 1), initial=False)


def _unlabelled(call: Call, arn: str) -> str:
    """Raises InvalidArn; ValidationException for the ARN of a labelled Map state."""
    if split_machine_arn(check_arn(arn, "stateMachine"))[2] is not None:
        raise labels_not_supported(call, arn)
    return arn


async def delete_state_machine(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """Deleting what does not exist succeeds (recorded: delete_nonexistent_sm). While executions run, the machine
    is DELETING; versions and aliases go with it."""
    arn = _unlabelled(call, request["stateMachineArn"])
    if split_machine_arn(arn)[1] is not None:
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
    async with call.backend.changes:
        await call.backend.runtime.deletions.delete(arn)
    return {}


async def list_state_machines(call: Call, request: dict[str, Any]) -> dict[str, Any]:
    """By name (recorded: list_sms_pagination)."""
    backend = call.backend
    after, size = call.after(request), call.page_items(request)
    found = await backend.store.machine_list(call.machine_arn_prefix, after, size + 1)
    return call.page(
        request,
        "stateMachines",
        found,
        lambda machine: {
            "stateMachineArn": machine.arn,
            "name": machine.name,
            "type": machine.type,
            "creationDate": seconds(machine.created),
        },
        lambda machine: [machine.arn],
    )
