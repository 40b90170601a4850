"""What an endpoint of the extension has at hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from treadle.aws.access_keys import Keyring
from treadle.aws.admission import Admission
from treadle.aws.arns import check_arn
from treadle.aws.authentication import Authentication, Identity
from treadle.aws.errors import ApiError
from treadle.aws.functions.code_tokens import CodeTokens
from treadle.aws.job_services.services import JobServices
from treadle.aws.messages import Request
from treadle.clock import Clock
from treadle.limits import Limits
from treadle.neighbours.directory import Neighbours
from treadle.runtime.runtime import Runtime
from treadle.store.contract import ExecutionRow, Store


class Backend(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    runtime: Runtime
    store: Store
    clock: Clock
    limits: Limits
    keyring: Keyring
    authentication: Authentication
    started: int
    """When the server did: milliseconds since the epoch."""
    storage: Callable[[], Mapping[str, Any]]
    """Where and how much, for `info`."""
    neighbours: Neighbours
    """Those who answer for services that are not served here."""
    code_tokens: CodeTokens
    """What URLs of code are made of."""
    operations: Mapping[str, tuple[str, ...]]
    """What is served, by the signing name of the service."""
    jobs: JobServices
    """Services of which Treadle serves what is about jobs."""
    admission: Admission


class Call(Struct, frozen=True):
    """One request."""

    backend: Backend
    request: Request
    identity: Identity
    path: re.Match[str]
    """The request's path, matched against that of its route."""
    body: bytes

    async def execution(self) -> ExecutionRow:
        """The execution that the path names. An anonymous request (curl does not sign) counts for the account and
        region of the ARN. Raises InvalidArn (Express executions have no history), ExecutionDoesNotExist."""
        arn = check_arn(self.path["arn"], "execution")
        identity = self.identity
        mine = identity.anonymous or arn.split(":")[3:5] == [identity.region, identity.account]
        row = await self.backend.store.execution_get(arn) if mine else None
        if row is None:
            raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", status=404)
        return row
