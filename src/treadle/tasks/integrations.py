"""What an optimised integration is, as data: which operation is asked, and what becomes of its answer.

Everything here is in the spelling of workflows: names in Pascal case.  Where Step Functions' parameters or results are
not those of the operation, a JMESPath expression makes the one of the other, and so it is with jobs:

    in              out of                                             makes
    sends           the task's parameters                              those of the operation
    answers         the operation's answer                             the result
    Job.of          {request: the parameters, answer: the result}      the parameters of `describe`
    Job.state       the answer of `describe`                           the word in `succeeded` or `failed`, or any other
    Job.result      the answer of `describe`                           the result; if the job has failed, the cause
    Job.cancel_of   as Job.of                                          the parameters of `cancel`

Which patterns an integration has stands in `language/integrations.py`, because a definition is checked for them.
`integration_table.py` has a line for each integration.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from treadle.tasks.contract import TaskRequest
from treadle.tasks.sdk_v1_services import Service
from treadle.tasks.service_models import load

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from jmespath.parser import ParsedResult

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""An operation of the service with these parameters, to its answer. Raises ServiceFault, NeighbourUnavailable."""
Excuse = Callable[[Ask, dict[str, Any]], Awaitable[bool]]
"""Is given the answer of `describe`."""


class Job(Struct, frozen=True, kw_only=True):
    """What a task with the pattern .sync waits for."""

    describe: str
    """The operation that is asked again and again."""
    of: str
    state: str
    succeeded: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    """Other states are those of a job that goes on."""
    result: str = "@"
    excuse: Excuse | None = None
    """Asked of a job that looks failed: whether it has succeeded for all that."""
    ends_gone: bool = False
    """Whether it has succeeded when it is not there any more; the result is then that of the request."""
    cancel: str | None = None
    """The operation that ends it early."""
    cancel_of: str = ""


class Refusal(Struct, frozen=True, kw_only=True):
    """An answer that makes the task fail although the service has not refused the request."""

    found: str
    """JMESPath: true of such a result."""
    error: str
    patterns: tuple[str, ...]


class Lookup(Struct, frozen=True, kw_only=True):
    """A part of a cluster that the task names, where the operation wants its id."""

    listing: str
    """The operation that lists them."""
    of: str
    among: str
    """The list in its answer."""
    named: str
    """The parameter that holds the name."""
    described: str
    """The parameter that gets the id, as a member `id_member`."""
    id_member: str


class Integration(Struct, frozen=True, kw_only=True):
    service: Service
    operation: str
    left_out: frozenset[str] = frozenset()
    """Members of the request that Step Functions does not know."""
    parameters: tuple[str, ...] = ()
    """With `sends`: those of the task. Without, they are the members of the request."""
    sends: str | None = None
    answers: str | None = None
    headers: tuple[str, ...] | None = None
    """Of the answer, where they are not those of the service."""
    adds: Callable[[dict[str, Any], TaskRequest], None] | None = None
    """Puts into the request what Step Functions adds to it. By the names of the service's model."""
    refusal: Refusal | None = None
    lookup: Lookup | None = None
    job: Job | None = None

    @property
    def model(self) -> OperationModel:
        return self.operation_model(self.operation)

    def operation_model(self, operation: str) -> OperationModel:
        return load(self.service.client).operation_model(operation)


@lru_cache(maxsize=512)
def _compiled(expression: str) -> ParsedResult:
    import jmespath  # which most servers do without

    return jmespath.compile(expression)


def evaluate(expression: str, value: Any) -> Any:
    """What the JMESPath expression makes of a JSON value."""
    return _compiled(expression).search(value)
