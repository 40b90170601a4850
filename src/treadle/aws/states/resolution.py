"""What an operation that takes any ARN of a state machine is about: the machine itself, a version or an alias."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from treadle.aws.arns import check_arn, split_machine_arn, version_number
from treadle.aws.errors import ApiError
from treadle.aws.states.aliases import drawn_version
from treadle.aws.states.call import Call, machine_does_not_exist
from treadle.runtime.resident import DIRECTLY, Through
from treadle.store.contract import Machine, Version

_ARNS_REMEMBERED = 1_024
"""Of how many ARNs, used last, it is remembered what they are made of."""


class Resolved(Struct, frozen=True):
    machine: Machine
    """With the revision that the ARN leads to."""
    through: Through = DIRECTLY
    version: Version | None = None


@lru_cache(maxsize=_ARNS_REMEMBERED)
def _parts(arn: str) -> tuple[str, str | None, str | None]:
    """Raises InvalidArn."""
    return split_machine_arn(check_arn(arn, "stateMachine"))


async def resolve(call: Call, arn: str) -> Resolved:
    """Where `arn` leads; an alias leads to one of its versions by chance, as their weights say. Raises
    InvalidArn, ValidationException (for the ARN of a Map state), StateMachineDoesNotExist."""
    machine_arn, qualifier, label = _parts(arn)
    if label is not None:
        raise labels_not_supported(call, arn)
    machine = await call.backend.runtime.machines.get(machine_arn)
    if machine is None:
        raise machine_does_not_exist(arn)
    if qualifier is None:
        return Resolved(machine)
    number = version_number(qualifier)
    alias = None
    if number is None:
        alias = await call.backend.runtime.machines.alias(machine_arn, qualifier)
        number = 0 if alias is None else drawn_version(alias)
    version = await call.backend.runtime.machines.version(machine_arn, number)
    if version is None:
        raise machine_does_not_exist(arn)
    through = Through(number, None if alias is None else alias.name)
    return Resolved(replace(machine, revision=version.revision), through, version)


def labels_not_supported(call: Call, arn: str) -> ApiError:
    text = f"{call.operation} does not support the ARN of a labelled Map state: '{arn}'"
    return ApiError("ValidationException", text, reason="API_DOES_NOT_SUPPORT_LABELED_ARNS")
