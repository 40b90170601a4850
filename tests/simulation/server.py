"""One process of Treadle: the real runtime and the real operations of the API, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from treadle.aws.errors import ApiError
from treadle.aws.service import Caller
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.in_process import InProcess
from treadle.aws.states.service import StatesService, states_service
from treadle.clock import Clock
from treadle.datasets.contract import Datasets
from treadle.limits import Limits
from treadle.runtime.errors import RuntimeClosed
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.contract import Store, StoreUnusable
from treadle.tasks.contract import ServiceFault

from .loop import SimulatedLoop
from .tasks import SimulatedTasks

ACCOUNT, REGION = "123456789012", "eu-west-1"

Answered = Callable[[dict[str, Any] | ServiceFault | None], None]
"""Told what the server answers. None: nothing, because it stops."""


class MakeRuntime(Protocol):
    def __call__(
        self,
        *,
        store: Store,
        tasks: SimulatedTasks,
        datasets: Datasets,
        clock: Clock,
        limits: Limits,
        on_failure: Callable[[StoreUnusable], None],
    ) -> Runtime: ...


class Server:
    def __init__(
        self,
        *,
        number: int,
        loop: SimulatedLoop,
        store: Any,
        tasks: SimulatedTasks,
        datasets: Datasets,
        clock: Clock,
        limits: Limits,
        make_runtime: MakeRuntime,
        failed: Callable[[], None],
        raised: Callable[[str], None],
    ) -> None:
        """`failed` is told that the store cannot be used, `raised` of exceptions that no request may end with."""
        self.number = number
        self.loop = loop
        self.store = store
        self.tasks = tasks
        self.runtime: Runtime
        self.up = False
        """It takes requests."""
        self._datasets = datasets
        self._clock = clock
        self._limits = limits
        self._make_runtime = make_runtime
        self._failed = failed
        self._raised = raised
        self._service: StatesService
        self._open_requests: dict[int, Answered] = {}
        self._requests = 0

    def begin(self) -> None:
        self.loop.post(lambda: self.loop.create_task(self._guarded(self._begin())))

    async def _begin(self) -> None:
        await self.store.open()
        self.runtime = self._make_runtime(
            store=self.store,
            tasks=self.tasks,
            datasets=self._datasets,
            clock=self._clock,
            limits=self._limits,
            on_failure=lambda error: self._failed(),
        )
        self._service = await states_service(
            runtime=self.runtime,
            trials=Trials(self.tasks, self._clock),
            store=self.store,
            clock=self._clock,
            options=StatesOptions(limits=self._limits),
        )
        self.tasks.connect(InProcess(self._service, self.runtime.ends))
        await self.runtime.start()
        self.up = True

    def stop(self, stopped: Callable[[], None]) -> None:
        """Ask it to stop in peace. `stopped` is told when it has."""

        async def stop() -> None:
            self.up = False
            await self.runtime.close()
            stopped()

        self.loop.post(lambda: self.loop.create_task(self._guarded(stop())))

    def die(self) -> None:
        """It is gone. Nobody who waits hears of it but by a connection that ends."""
        self.up = False
        self.loop.kill()
        waiting, self._open_requests = self._open_requests, {}
        for answered in waiting.values():
            answered(None)

    async def _guarded(self, work: Any) -> None:
        try:
            await work
        except StoreUnusable:
            self._failed()
        except Exception as error:
            self._raised(repr(error))

    # -- requests --------------------------------------------------------------------------------------------

    def serve(
        self, operation: str, request: dict[str, Any], gone: Callable[[Callable[[], None]], None], answered: Answered
    ) -> None:
        """Answer a request. `gone` takes what is to be called when its sender hangs up."""
        self._requests += 1
        number = self._requests
        self._open_requests[number] = answered

        async def serve() -> None:
            answer = await self._answer(operation, request, number, gone)
            self._open_requests.pop(number)(answer)

        self.loop.post(lambda: self.loop.create_task(self._guarded(serve())))

    async def _answer(
        self, operation: str, request: dict[str, Any], number: int, gone: Callable[[Callable[[], None]], None]
    ) -> dict[str, Any] | ServiceFault | None:
        hung_up = self.loop.create_future()
        gone(lambda: self.loop.post(_set, hung_up))

        async def wait_for(future: asyncio.Future[Any]) -> bool:
            await asyncio.wait((future, hung_up), return_when=asyncio.FIRST_COMPLETED)
            return not hung_up.done()

        caller = Caller(ACCOUNT, REGION, f"{self.number}-{number}", wait_for=wait_for)
        try:
            return await self._service.serve(operation, dict(request), caller)
        except ApiError as error:
            return ServiceFault(error.body["__type"], error.body["message"], error.status, caller.request_id)
        except (RuntimeClosed, StoreUnusable):
            return None


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
