"""Builds what stands behind the services whose jobs Treadle runs, starts it, and ends it."""

from __future__ import annotations

from collections.abc import Callable, Container

from treadle.aws.emr.life import Clusters
from treadle.aws.emr.service import emr_service
from treadle.aws.job_services.services import JobServices
from treadle.aws.tokens import PageTokens
from treadle.clock import Clock
from treadle.jobs.ledger import Ledger
from treadle.jobs.options import JobOptions
from treadle.jobs.runner import Runner
from treadle.store.contract import Store


class JobRoom:
    def __init__(
        self, store: Store, clock: Clock, options: JobOptions, on_failure: Callable[[Exception], None]
    ) -> None:
        self._store = store
        self._runner = Runner(options)
        self._limits = options.limits
        self._ledger = Ledger(store, self._runner, clock, options.limits, on_failure)
        self._clusters = Clusters(store, self._ledger, options.limits)

    async def open(self, elsewhere: Container[str]) -> JobServices:
        """The services, and with them their jobs go on. `elsewhere`: services that an endpoint is set for, by
        botocore's names, which are not served. Raises JobsFileError."""
        self._runner.rules.check()
        tokens = PageTokens(await self._store.secret())
        whole = [service for service in (emr_service(self._clusters, tokens),) if service.name not in elsewhere]
        services = JobServices(whole, [], [], self._limits)
        await self._ledger.recover()
        await self._clusters.recover()
        return services

    async def close(self) -> None:
        await self._clusters.close()
        await self._ledger.close()
