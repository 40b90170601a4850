"""The life of clusters: what they do by themselves, as steps come, run and end.

    STARTING ─▶ BOOTSTRAPPING ─▶ RUNNING ◀──▶ WAITING
                                    │            │       no steps left, and not kept alive;
                                    └─────┬──────┘       TerminateJobFlows; a step whose failure ends the cluster
                                          ▼
                                    TERMINATING ─▶ TERMINATED, TERMINATED_WITH_ERRORS

`advance` is all of it: it looks at a cluster and its steps and does what is due, until nothing is. It is called when
something has happened: a cluster was made, steps were added, a step has ended, an end was asked for, the server is
back. Every state is on disk before the next one begins, so that a restart goes on wherever it was.

Steps are jobs of the ledger, listed under their cluster. They start in the order in which they were added, as many at
once as StepConcurrencyLevel says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from treadle.aws.emr.cluster import KIND, Cluster, cluster_of, record_of
from treadle.jobs.contract import Job
from treadle.jobs.ledger import Ledger
from treadle.limits import Limits
from treadle.store.job_contract import JobStore

STEP_KIND = "emr.step"

_TERMINATING_ACTIONS = frozenset({"TERMINATE_CLUSTER", "TERMINATE_JOB_FLOW"})
INTERRUPTED = "The cluster was terminated while the step ran"
"""Why a step was stopped: it shows as INTERRUPTED then, not as CANCELLED."""
_CLUSTER_GONE = "Job terminated"
_EARLIER_FAILED = "Cancelled because an earlier step failed"


class Clusters:
    def __init__(self, store: JobStore, ledger: Ledger, limits: Limits) -> None:
        self.store = store
        self.ledger = ledger
        self.limits = limits
        self.changes = asyncio.Lock()
        """Held by whoever changes a cluster: what it read still holds when it writes."""
        self._advancing: set[asyncio.Task[None]] = set()
        self._closed = False
        ledger.register(STEP_KIND, self._step_ended)

    async def recover(self) -> None:
        """Once the ledger has taken up what ran."""
        self._closed = False
        for record in await self.store.job_records_open(KIND):
            await self.advance(record.id)

    async def close(self) -> None:
        """What is due from now on is done when the server is back."""
        self._closed = True
        for task in self._advancing:
            task.cancel()
        await asyncio.gather(*self._advancing, return_exceptions=True)

    async def steps(self, cluster_id: str) -> list[Job]:
        """In the order in which they were added."""
        return [job for _, job in reversed(await self.ledger.page(STEP_KIND, cluster_id))]

    def advance_soon(self, cluster_id: str) -> None:
        """Behind the answer of whoever asks."""
        if self._closed:
            return
        task = asyncio.get_running_loop().create_task(self.advance(cluster_id))
        self._advancing.add(task)
        task.add_done_callback(lambda done: self._advanced(cluster_id, done))

    def _advanced(self, cluster_id: str, task: asyncio.Task[None]) -> None:
        self._advancing.discard(task)
        self.ledger.ended_badly(f"the cluster {cluster_id} stands still", task)

    async def advance(self, cluster_id: str) -> None:
        """Do what is due."""
        async with self.changes:
            record = await self.store.job_record_get(cluster_id)
            if record is None:
                return
            before, cluster = None, cluster_of(record)
            while cluster != before and cluster.open:
                before = cluster
                cluster = await self._next(cluster)
                if cluster != before:
                    await self.store.job_records_write([], [record_of(cluster)])

    async def _next(self, cluster: Cluster) -> Cluster:
        """What the cluster is next; the same, if there is nothing to do."""
        now = self.ledger.now()
        if cluster.state == "STARTING":
            return replace(cluster, state="BOOTSTRAPPING")
        if cluster.state == "BOOTSTRAPPING":
            return replace(cluster, state="RUNNING", ready=now)
        steps = await self.steps(cluster.id)
        running = [step for step in steps if step.state == "RUNNING"]
        pending = [step for step in steps if step.state == "PENDING"]
        if cluster.state == "TERMINATING":
            for step in pending:
                await self.ledger.stop(step.id, _CLUSTER_GONE)
            for step in running:
                await self.ledger.stop(step.id, INTERRUPTED, 0)
            if running or pending:
                return cluster
            return replace(cluster, state="TERMINATED_WITH_ERRORS" if cluster.failed else "TERMINATED", ended=now)
        cluster, pending = await self._after_failures(cluster, steps, pending)
        if cluster.state == "TERMINATING":
            return cluster
        for step in pending[: max(0, cluster.concurrency - len(running))]:
            await self.ledger.start(step.id)
        if running or pending:
            return replace(cluster, state="RUNNING")
        if cluster.keep_alive:
            return replace(cluster, state="WAITING")
        return replace(cluster, state="TERMINATING", reason_code="ALL_STEPS_COMPLETED", reason="Steps completed")

    async def _after_failures(
        self, cluster: Cluster, steps: Sequence[Job], pending: Sequence[Job]
    ) -> tuple[Cluster, list[Job]]:
        """What steps that have failed do to the cluster, each once; and the steps that wait still."""
        for step in steps:
            if step.state not in ("FAILED", "TIMED_OUT") or step.id in cluster.failures:
                continue
            action = step.detail["action"]
            # With several steps at once, neither the cluster nor other steps end (API reference, StepConfig).
            if action != "CONTINUE" and cluster.concurrency == 1:
                for each in pending:
                    await self.ledger.stop(each.id, _EARLIER_FAILED)
                pending = []
                # A cluster that is protected stays, without the steps that were to come.
                if action in _TERMINATING_ACTIONS and not cluster.protected:
                    text = "Shut down as step failed"
                    cluster = replace(
                        cluster, state="TERMINATING", failed=True, reason_code="STEP_FAILURE", reason=text
                    )
            cluster = replace(cluster, failures=[*cluster.failures, step.id])
        return cluster, list(pending)

    async def _step_ended(self, step: Job) -> None:
        # Not from within the step's own run, which may be waited for.
        self.advance_soon(step.parent)
