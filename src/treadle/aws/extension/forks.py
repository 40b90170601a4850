"""Fork: a new execution that goes on from a past event of another one, with another input or definition."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec.structs import replace

from treadle.aws.arns import check_name, execution_arn
from treadle.aws.errors import ApiError
from treadle.aws.extension.call import Call
from treadle.aws.messages import Answer, Request, decoded, json_answer
from treadle.aws.random_ids import random_id
from treadle.aws.states.call import machine_does_not_exist, machine_is_deleting, parse_json, too_many_executions
from treadle.engine.offshoot import CannotFork
from treadle.language.diagnostics import invalid_definition_message
from treadle.limits import Limits
from treadle.runtime.errors import ExecutionExists, TooManyExecutions
from treadle.runtime.machines import DefinitionRefused
from treadle.store.contract import Conflict, ExecutionRow, MachineRevision

_CONTENT_TYPE = "application/json"


class Fork(msgspec.Struct, forbid_unknown_fields=True):
    """The request for one."""

    at: Annotated[int, msgspec.Meta(ge=1)]
    """The id of the event."""
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)] | None = None
    input: str | None = None
    definition: str | None = None


async def fork_execution(call: Call) -> Answer:
    """Raises InvalidArn, ExecutionDoesNotExist, InvalidName, InvalidExecutionInput, InvalidDefinition,
    ValidationException, ExecutionAlreadyExists, ExecutionLimitExceeded, StateMachineDeleting,
    StateMachineDoesNotExist."""
    _check_content_type(call.request)
    source = await call.execution()
    try:
        wanted = msgspec.convert(decoded(call.body), Fork)
    except msgspec.ValidationError as error:
        raise ApiError("ValidationException", str(error)) from error
    name = random_id() if wanted.name is None else check_name(wanted.name)
    arn = execution_arn(source.machine_arn, name)
    if wanted.input is not None:
        _check_input(wanted.input, call.backend.limits)
    runtime = call.backend.runtime
    try:
        async with runtime.open_executions:
            row = await runtime.offshoots.fork(
                source,
                at=wanted.at,
                arn=arn,
                name=name,
                input=wanted.input,
                revision=await _revision(call, source, wanted.definition),
            )
    except TooManyExecutions as error:
        raise too_many_executions() from error
    except (CannotFork, DefinitionRefused) as error:
        raise ApiError("ValidationException", str(error)) from error
    except ExecutionExists as error:
        raise ApiError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'") from error
    except Conflict as error:  # deleted since it was looked up
        raise machine_does_not_exist(source.machine_arn) from error
    return json_answer({"executionArn": row.arn, "startDate": row.started / 1_000}, status=201)


def _check_content_type(request: Request) -> None:
    """A web page cannot make a browser send this one without asking, and nobody answers a browser that asks."""
    given = request.header(b"content-type").decode("latin-1")
    if given.partition(";")[0].strip().lower() != _CONTENT_TYPE:
        raise ApiError("ValidationException", f"The content type must be {_CONTENT_TYPE}, not '{given}'.")


def _check_input(text: str, limits: Limits) -> None:
    if len(text.encode()) > limits.payload_bytes:
        reason = f"Invalid State Machine Execution Input: it is larger than {limits.payload_bytes} bytes"
        raise ApiError("InvalidExecutionInput", reason)
    parse_json(text, limits, "InvalidExecutionInput", "Invalid State Machine Execution Input")


async def _revision(call: Call, source: ExecutionRow, definition: str | None) -> MachineRevision | None:
    """The revision to run, where it is not that of the source. It never is the current one of its machine."""
    backend = call.backend
    if source.map_run is not None:
        raise ApiError("ValidationException", "An execution that a map run started cannot be forked.")
    machine = await backend.runtime.machines.get(source.machine_arn)
    if machine is None:
        raise machine_does_not_exist(source.machine_arn)
    if machine.status == "DELETING":
        raise machine_is_deleting(source.machine_arn)
    if definition is None:
        return None
    if len(definition.encode()) > backend.limits.definition_bytes:
        raise ApiError("ValidationException", f"The definition is larger than {backend.limits.definition_bytes} bytes.")
    findings = await backend.runtime.machines.check(definition, "STANDARD")
    errors = [found for found in findings if found.severity == "ERROR"]
    if errors:
        raise ApiError("InvalidDefinition", invalid_definition_message(errors))
    old = await backend.store.revision_get(source.revision_id)
    if old is None:
        raise LookupError(f"revision {source.revision_id} of {source.arn} is not in the store")
    return replace(old, id=random_id(), definition=definition, created=backend.clock.now(), initial=False)
