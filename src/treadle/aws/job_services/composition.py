"""Builds what stands behind the services whose jobs Treadle runs, starts it, and ends it."""

from __future__ import annotations

from collections.abc import Callable, Container

from treadle.aws.emr.life import Clusters
from treadle.aws.emr.service import emr_service
from treadle.aws.job_services import batch, codebuild, ecs, glue, plain
from treadle.aws.job_services.call import Backend, Call
from treadle.aws.job_services.kinds import KINDS
from treadle.aws.job_services.rest import RestPart
from treadle.aws.job_services.services import JobServices
from treadle.aws.table_service import Operation, TableService
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.jobs.ledger import Ledger
from treadle.jobs.options import JobOptions
from treadle.jobs.runner import Runner
from treadle.neighbours.catalogue import catalogue
from treadle.store.contract import Store
from treadle.tasks.service_calls import ServiceCalls

PARTS: dict[str, dict[str, Operation[Call]]] = {
    "batch": batch.OPERATIONS,
    "codebuild": codebuild.OPERATIONS,
    "ecs": ecs.OPERATIONS,
    "glue": glue.OPERATIONS,
    **{
        name: plain.operations([kind for kind in KINDS if kind.service == name])
        for name in dict.fromkeys(kind.service for kind in KINDS)
    },
}
"""What is served of services that are served in part, by botocore's names."""

_JOBS = (batch.KIND, codebuild.KIND, ecs.KIND, glue.KIND, *(kind.id for kind in KINDS))


class JobRoom:
    def __init__(
        self, store: Store, clock: Clock, options: JobOptions, on_failure: Callable[[Exception], None]
    ) -> None:
        self._store = store
        self._runner = Runner(options)
        self._limits = options.limits
        self._ledger = Ledger(store, self._runner, clock, options.limits, on_failure)
        self._services: JobServices
        self._clusters = Clusters(store, self._ledger, options.limits)
        for kind in _JOBS:
            self._ledger.register(kind)

    async def open(self, calls: ServiceCalls, elsewhere: Container[str]) -> JobServices:
        """The services. `elsewhere`: services that an endpoint is set for, by botocore's names, which are not served.
        Raises JobsFileError."""
        self._runner.rules.check()
        tokens = PageTokens(await self._store.secret())
        backend = Backend(ledger=self._ledger, calls=calls)
        parts: list[TableService[Call]] = []
        rest: list[RestPart[Call]] = []
        for name, operations in PARTS.items():
            if name in elsewhere:
                continue
            if catalogue().services[name].target_prefix:
                parts.append(TableService(name, operations, lambda caller: Call(backend, caller)))
            else:
                rest.append(RestPart(name, operations, lambda caller: Call(backend, caller), self._limits))
        whole = [] if "emr" in elsewhere else [emr_service(self._clusters, tokens)]
        self._services = JobServices(whole, parts, rest, self._limits)
        return self._services

    async def begin(self) -> None:
        """Let jobs go on, and take requests."""
        await self._ledger.recover()
        await self._clusters.recover()
        self._services.at_work = True

    async def end(self) -> None:
        """Run no jobs any more: those that ran are run again by whoever begins next."""
        self._services.at_work = False
        await self._clusters.close()
        await self._ledger.halt()

    async def close(self) -> None:
        await self._clusters.close()
        await self._ledger.close()
