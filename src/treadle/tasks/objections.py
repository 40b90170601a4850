"""What AWS has against a task of a definition, as far as it follows from its catalogue of services.

    of the Task state       refused are
    Resource                `aws-sdk:` with a service or an action that there is not, or that the developer guide lists
                            as unsupported; and what streams events, which no result can hold
    Parameters, Arguments   names that the operation does not know (how AWS words that, and where it says it is, is
                            not recorded: here as with a required one that is missing)

The language itself knows the optimised integrations by name (`language/integrations.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from treadle.language.integrations import unrecognized
from treadle.language.resources import Resource
from treadle.tasks import apigateway_invoke, http_request, invoke_model, lambda_invoke, start_execution
from treadle.tasks.kubernetes import CALL
from treadle.tasks.kubernetes_jobs import RUN_JOB
from treadle.tasks.optimised import integration_of
from treadle.tasks.parameters import unsupported
from treadle.tasks.sdk_call import operation_of
from treadle.tasks.sdk_names import spellings

if TYPE_CHECKING:
    from botocore.model import OperationModel

_DEPRECATED_IN = frozenset(
    {
        "codedeploy",
        "comprehendmedical",
        "directconnect",
        "discovery",
        "efs",
        "emr",
        "iot",
        "lambda",
        "mediapackage",
        "rds-data",
        "shield",
    }
)
"""Services of which the developer guide lists unsupported actions (as of 2022): those that the models of these
services mark as deprecated, as far as the list is published."""
_UNSUPPORTED = frozenset({("sts", "AssumeRole"), ("sts", "AssumeRoleWithSAML"), ("sts", "AssumeRoleWithWebIdentity")})
_PARAMETERS: Mapping[tuple[str, str], Callable[[], Collection[str]]] = {
    ("apigateway", "invoke"): lambda: apigateway_invoke.FIELDS,
    ("bedrock", "invokeModel"): invoke_model.parameter_names,
    ("eks", "call"): lambda: CALL,
    ("eks", "runJob"): lambda: RUN_JOB,
    ("http", "invoke"): lambda: http_request.FIELDS,
    ("lambda", "invoke"): lambda: lambda_invoke.PARAMETERS,
    ("states", "startExecution"): lambda: start_execution.PARAMETERS,
}
"""By resourceType and action: the parameters of integrations that are more, or less, than an operation of a model."""


def objections(resource: Resource, fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is wrong, each with the field of the Task state: `Resource` or `Parameters`. `fields`: the names of its
    parameters."""
    if resource.kind != "integration":
        return
    if resource.resource_type.startswith("aws-sdk:") and not _supported(operation_of(resource)):
        yield "Resource", unrecognized(resource.arn)
        return
    known = _known(resource)
    if known is not None:
        for field in fields:
            if field not in known:
                yield "Parameters", unsupported(field)


def _supported(operation: OperationModel | None) -> bool:
    if operation is None or operation.has_event_stream_input or operation.has_event_stream_output:
        return False
    service = operation.service_model.service_name
    return not (operation.deprecated and service in _DEPRECATED_IN) and (service, operation.name) not in _UNSUPPORTED


@lru_cache(maxsize=1_024)
def _known(resource: Resource) -> Collection[str] | None:
    """The names of all parameters; None if that is not known."""
    own = _PARAMETERS.get((resource.resource_type, resource.name))
    if own is not None:
        return own()
    integration = integration_of(resource)
    if integration is not None and integration.sends is not None:
        return integration.parameters
    operation = operation_of(resource) if integration is None else integration.model
    if operation is None:
        return None
    members = [] if operation.input_shape is None else operation.input_shape.members
    left_out = frozenset() if integration is None else integration.left_out
    return frozenset(name for member in members if member not in left_out for name in spellings(member))
