"""Lambda's service on a real store and real workers, called without the wire."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.conftest import SettableClock
from tests.aws.wire import check_shape
from tests.functions.conftest import NODE
from tests.functions.zips import handler
from tests.tasks.fake_neighbour import FakeNeighbour
from tests.tasks.fake_step_functions import FakeStepFunctions
from treadle.aws import model
from treadle.aws.errors import ApiError
from treadle.aws.functions.service import FunctionService, function_service
from treadle.aws.service import Caller
from treadle.deliveries.attempts import Attempts
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.invocations import EventIntake, Invocations
from treadle.deliveries.queue import Deliveries
from treadle.deliveries.targets import Targets
from treadle.functions.created import CreatedFunctions
from treadle.functions.local import LocalFunctions
from treadle.functions.options import INHERITED_VARIABLES, FunctionOptions
from treadle.functions.runtimes import Runtimes
from treadle.limits import Limits
from treadle.store.sqlite.store import SqliteStore

ROLE = "arn:aws:iam::123456789012:role/pay"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"
CALLER = Caller("123456789012", "eu-west-1", "8f1b1b1e-0000-4000-8000-000000000001", url="http://treadle")


class Lambda:
    """The service, and the parts of it that tests look at."""

    def __init__(
        self, service: FunctionService, functions: LocalFunctions, created: CreatedFunctions, folder: Path
    ) -> None:
        self.service = service
        self.created = created
        self.functions = functions
        self.folder = folder
        """Of the functions that were not made over the API."""

    async def call(self, operation: str, caller: Caller = CALLER, /, **members: Any) -> Any:
        """The answer, whose members have the model's types."""
        answer = await self.service.serve(operation, members, caller)
        shape = model.load("lambda").operation_model(operation).output_shape
        if shape is not None:
            check_shape(shape, {name: value for name, value in answer.items() if name != "Payload"}, operation)
        return answer

    async def error(self, operation: str, caller: Caller = CALLER, /, **members: Any) -> tuple[str, str]:
        with pytest.raises(ApiError) as raised:
            await self.service.serve(operation, members, caller)
        return raised.value.body["__type"], raised.value.body["message"]

    async def create(self, name: str = "pay", code: bytes | None = None, **members: Any) -> Any:
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": handler() if code is None else code},
        }
        return await self.call("CreateFunction", **{**request, **members})


@pytest.fixture
def neighbour() -> FakeNeighbour:
    """What answers for other services, S3 among them."""
    return FakeNeighbour()


@pytest.fixture
async def aws(
    store: SqliteStore, clock: SettableClock, limits: Limits, tmp_path: Path, neighbour: FakeNeighbour
) -> AsyncIterator[Lambda]:
    created = CreatedFunctions(store, tmp_path / "code", limits, Runtimes(NODE))
    await created.open()
    options = FunctionOptions(
        folder=tmp_path / "functions",
        logs=tmp_path / "logs",
        endpoint_url="http://127.0.0.1:4566",
        inherited={name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ},
        limits=limits,
        rescan_seconds=0,
    )
    functions = LocalFunctions(options, created)
    await functions.start()
    calls = neighbour.calls
    invocations = Invocations(functions, created, store, clock, limits)
    attempts = Attempts(invocations, Targets(calls, FakeStepFunctions()), clock, limits)
    deliveries = Deliveries(store, attempts, clock, limits)
    await deliveries.start()
    sources = EventSources(store, functions, calls, deliveries.post, clock, limits)
    await sources.open()
    service = await function_service(
        store=store,
        functions=functions,
        created=created,
        sources=sources,
        events=EventIntake(functions, deliveries),
        services=calls,
        clock=clock,
        limits=limits,
    )
    yield Lambda(service, functions, created, options.folder)
    await sources.close()
    await deliveries.close()
    await functions.close()
