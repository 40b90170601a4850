"""What an operation of Lambda has at hand, and the look-ups that many operations begin with."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from msgspec import Struct

from treadle.aws.errors import ApiError
from treadle.aws.functions.code_tokens import CodeTokens
from treadle.aws.functions.names import FunctionName, arn_prefix, function_not_found, read_name
from treadle.aws.pages import Pages
from treadle.aws.service import Caller
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.invocations import EventIntake
from treadle.functions.created import CreatedFunctions, version_number
from treadle.functions.local import LocalFunctions
from treadle.functions.upkeep import Upkeep
from treadle.limits import Limits
from treadle.store.contract import Store
from treadle.store.function_contract import FunctionVersion
from treadle.tasks.service_calls import ServiceCalls

_PAGE_ITEMS = 50
"""Items of a listing, if a request does not say (Lambda's documentation), and the most that it gives."""
_PAGE_ITEMS_MOST = 10_000


class Backend(Struct, frozen=True, kw_only=True):
    """What all calls share."""

    store: Store
    functions: LocalFunctions
    created: CreatedFunctions
    sources: EventSources
    events: EventIntake
    clock: Clock
    limits: Limits
    tokens: PageTokens
    code_tokens: CodeTokens
    services: ServiceCalls
    """Where code in S3 is fetched from."""

    @property
    def changes(self) -> asyncio.Lock:
        """Held by whoever changes a function."""
        return self.created.changing

    @property
    def upkeep(self) -> Upkeep:
        assert self.functions.upkeep is not None
        return self.functions.upkeep

    def changed(self, arn: str) -> None:
        """Something of the function with this (unqualified) ARN is not what it was."""
        self.created.changed(arn)
        self.upkeep.changed(arn)


class Call(Pages, Struct, frozen=True):
    """One request."""

    operation: str
    backend: Backend
    caller: Caller

    @property
    def arn_prefix(self) -> str:
        return arn_prefix(self.caller)

    def named(self, request: dict[str, Any]) -> FunctionName:
        """The function of FunctionName and Qualifier. Raises ApiError."""
        return read_name(request["FunctionName"], request.get("Qualifier"), self.caller, self.operation)

    def changeable(self, request: dict[str, Any]) -> FunctionName:
        """The same, if it may be changed over the API. Raises ApiError."""
        named = self.named(request)
        if self.in_folder(named.name):
            text = f"{named.name} is a function of Treadle's functions folder: change it there."
            raise ApiError("ResourceConflictException", text)
        return named

    def in_folder(self, name: str) -> bool:
        return name in self.backend.functions.names_in_folder()

    async def latest(self, named: FunctionName) -> FunctionVersion:
        """Raises ResourceNotFoundException."""
        found = await self.backend.store.function_get(named.arn)
        if found is None:
            raise function_not_found(named.arn)
        return found

    async def version(self, named: FunctionName) -> FunctionVersion:
        """The version that the qualifier leads to; of an alias its first. Raises ResourceNotFoundException."""
        number = version_number(named.qualifier)
        if number is None:
            alias = await self.backend.store.function_alias_get(named.arn, named.qualifier or "")
            number = None if alias is None else alias.version
        found = None if number is None else await self.backend.store.function_get(named.arn, number)
        if found is None:
            raise function_not_found(named.qualified_arn)
        return found

    def page_items(self, request: dict[str, Any]) -> int:
        requested: int = request.get("MaxItems", _PAGE_ITEMS)
        return min(requested, _PAGE_ITEMS_MOST)

    def position(self, request: dict[str, Any]) -> list[Any] | None:
        """Raises InvalidParameterValueException."""
        covered = _covered(request)
        if request.get("Marker"):
            covered["nextToken"] = request["Marker"]
        try:
            return self.backend.tokens.read(self._listing, covered, self.backend.clock.now())
        except ApiError as error:
            text = f"Invalid Marker: '{request['Marker']}'"
            raise ApiError("InvalidParameterValueException", text) from error

    def next_page(self, request: dict[str, Any], position: list[Any]) -> dict[str, str]:
        now = self.backend.clock.now()
        return {"NextMarker": self.backend.tokens.issue(self._listing, _covered(request), position, now)}

    @property
    def _listing(self) -> str:
        return f"{self.operation} {self.arn_prefix}"


def _covered(request: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in ("Marker", "MaxItems")}


def new_revision() -> str:
    return str(uuid4())


def other_revision() -> ApiError:
    text = (
        "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve "
        "the latest RevisionId"
    )
    return ApiError("PreconditionFailedException", text)
