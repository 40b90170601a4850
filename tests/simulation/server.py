"""One process of Treadle: the real runtime and the real operations of the API, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

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
from treadle.store.contract import Store, StoreUnavailable, StoreUnusable
from treadle.tasks.contract import ServiceFault

from .cluster import SimulatedCluster
from .loop import SimulatedLoop
from .store import SimulatedStore
from .tasks import SimulatedTasks

ACCOUNT, REGION = "123456789012", "eu-west-1"

Answered = Callable[[dict[str, Any] | ServiceFault | None], None]
"""Told what the server answers. None: nothing, because it stops."""


MakeRuntime = Callable[..., Runtime]
"""Takes what Runtime takes; of a node, what Node takes."""


class Server:
    def __init__(
        self,
        *,
        number: int,
        place: int,
        loop: SimulatedLoop,
        store: SimulatedStore,
        cluster: SimulatedCluster | None,
        tasks: SimulatedTasks,
        datasets: Datasets,
        clock: Clock,
        limits: Limits,
        make_runtime: MakeRuntime,
        failed: Callable[[], None],
        raised: Callable[[str], None],
    ) -> None:
        """`cluster`: what the store of one of several nodes belongs to. `failed` is told that the store cannot be
        used, `raised` of exceptions that no request may end with."""
        self.number = number
        self.place = place
        self.cluster = cluster
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
        database = {"store": self.store} if self.cluster is None else {"cluster": self.cluster}
        self.runtime = self._make_runtime(
            **database,
            tasks=self.tasks,
            datasets=self._datasets,
            clock=self._clock,
            limits=self._limits,
            on_failure=lambda error: self._failed(),
        )
        self._service = await states_service(
            runtime=self.runtime,
            trials=Trials(self.tasks, self._clock),
            store=cast("Store", self.store),
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
        except (StoreUnavailable, StoreUnusable):
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
        except (RuntimeClosed, StoreUnavailable, StoreUnusable):
            return None


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
