"""What a request may be about: the resources of its own account and region.

Every ARN that a request names is looked at before its operation is carried out, in one place, so that no
operation can forget to. An ARN that cannot be read is left to the operation, which refuses it in AWS's words.

Another account's ARN is answered as IAM answers a caller without rights to it. In another region nothing exists.
(The text of the first is AWS's, as users of its SDKs have quoted it; what AWS answers to the second is not known.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from treadle.aws.errors import ApiError
from treadle.aws.service import Caller

_ARN_MEMBERS = frozenset(
    {
        "activityArn",
        "executionArn",
        "mapRunArn",
        "resourceArn",
        "stateMachineAliasArn",
        "stateMachineArn",
        "stateMachineVersionArn",
    }
)
"""Members of requests that name what they are about. (Roles, keys and log groups are named, not looked up.)"""

_ARNS_REMEMBERED = 1_024
"""Of how many ARNs, used last, it is remembered whose they are. They have at most 256 characters each."""

_DOES_NOT_EXIST = {
    "activity": ("ActivityDoesNotExist", "Activity Does Not Exist: '{}'"),
    "execution": ("ExecutionDoesNotExist", "Execution Does Not Exist: '{}'"),
    "express": ("ExecutionDoesNotExist", "Execution Does Not Exist: '{}'"),
    "stateMachine": ("StateMachineDoesNotExist", "State Machine Does Not Exist: '{}'"),
}
_NOT_FOUND = ("ResourceNotFound", "Resource not found: '{}'")


def check_owner(request: dict[str, Any], operation: str, caller: Caller) -> None:
    """Raises AccessDeniedException, or what there is for a resource that does not exist."""
    for arn in _named(request):
        place = _place(arn)
        if place is None:
            continue
        region, account, kind = place
        if account != caller.account:
            text = (
                f"User: arn:aws:iam::{caller.account}:root is not authorized to perform: states:{operation} "
                f"on resource: {arn}"
            )
            raise ApiError("AccessDeniedException", text)
        if region != caller.region:
            name, text = _DOES_NOT_EXIST.get(kind, _NOT_FOUND)
            raise ApiError(name, text.format(arn))


@lru_cache(maxsize=_ARNS_REMEMBERED)
def _place(arn: str) -> tuple[str, str, str] | None:
    """Region, account and type of resource; None: no ARN of Step Functions."""
    parts = arn.split(":", 6)
    if len(parts) < 7 or parts[0] != "arn" or parts[2] != "states":
        return None
    return parts[3], parts[4], parts[5]


def _named(request: dict[str, Any]) -> Iterator[str]:
    for member, value in request.items():
        if member in _ARN_MEMBERS:
            yield value
    for route in request.get("routingConfiguration", ()):
        yield route["stateMachineVersionArn"]
