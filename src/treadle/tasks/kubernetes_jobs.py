"""`arn:aws:states:::eks:runJob`: a Kubernetes Job, with `.sync` to its end and, if wanted, with what it wrote.

    parameter              what it may be
    ClusterName, CertificateAuthority, Endpoint   as of `eks:call`
    Job                    required; a Job of batch/v1, as JSON or as text
    Namespace              `default` if there is none
    LogOptions             {RetrieveLogs, RawLogs, LogParameters}, for `.sync`

The result is the cluster's answer, {ResponseBody, StatusCode, StatusText}: to the request, or with `.sync` the last one
about the Job, with `logs` beside it: {pods: {POD: {containers: {CONTAINER: {log}}}}}, or {error, cause} in place of a
log that could not be read.  A Job that failed is States.TaskFailed, with that as the cause.

A Job whose metadata give `generateName` is named after the task's token here, so that a request that comes again after
a restart finds its own Job: the name is taken then, by one that was made since the attempt was scheduled.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from urllib.parse import quote

from treadle.document import decode
from treadle.neighbours.contract import NeighbourUnavailable
from treadle.tasks.contract import TaskOutcome
from treadle.tasks.jobs import JobMissing, JobTask, Unsubmitted, failed, run_job, succeeded
from treadle.tasks.kubernetes import ClusterFault, Clusters, cluster_problem, is_query, unavailable
from treadle.tasks.parameters import malformed, missing, unsupported
from treadle.tasks.service_calls import ServiceCalls

RUN_JOB = frozenset({"ClusterName", "CertificateAuthority", "Endpoint", "Namespace", "Job", "LogOptions"})
_LOG_OPTIONS = frozenset({"RetrieveLogs", "RawLogs", "LogParameters"})
_CONFLICT, _NOT_FOUND, _TOO_MANY = 409, 404, 429


def run_job_problem(parameters: Any) -> str | None:
    """What Step Functions has against the parameters of `eks:runJob`, or None."""
    wrong = cluster_problem(parameters, RUN_JOB, ())
    if wrong is not None:
        return wrong
    if parameters.get("Job") is None:
        return missing("Job")
    if _job_of(parameters) is None:
        return malformed("Job")
    if not isinstance(parameters.get("Namespace") or "", str):
        return malformed("Namespace")
    options = parameters.get("LogOptions") or {}
    if not isinstance(options, dict):
        return malformed("LogOptions")
    if not is_query(options.get("LogParameters")):
        return malformed("LogParameters")
    return next((unsupported(field) for field in options if field not in _LOG_OPTIONS), None)


def _job_of(parameters: dict[str, Any]) -> dict[str, Any] | None:
    job = parameters["Job"]
    if isinstance(job, str):
        try:
            job = decode(job)
        except ValueError:
            return None
    return job if isinstance(job, dict) and isinstance(job.get("metadata", {}), dict) else None


async def run_kubernetes_job(task: JobTask, clusters: Clusters, calls: ServiceCalls) -> TaskOutcome:
    """The parameters have no `run_job_problem`."""
    work = KubernetesJob(task, clusters, calls)
    if task.request.resource.pattern == "sync":
        return await run_job(task, work)
    try:
        return succeeded(task, await work.submit())
    except Unsubmitted as refusal:
        return refusal.outcome


class KubernetesJob:
    """Implements `jobs.Work`."""

    def __init__(self, task: JobTask, clusters: Clusters, calls: ServiceCalls) -> None:
        self._task = task
        self._clusters = clusters
        self._calls = calls
        given = task.request.input.value
        self._job = _named(_job_of(given) or {}, task.request.token)
        self._options = given.get("LogOptions") or {}
        self._namespace = f"namespaces/{quote(given.get('Namespace') or 'default', safe='')}"
        self._jobs = f"/apis/batch/v1/{self._namespace}/jobs"

    async def submit(self) -> dict[str, Any]:
        try:
            return await self._ask("POST", self._jobs, body=self._job)
        except ClusterFault as fault:
            own = await self._made_before() if fault.answer["StatusCode"] == _CONFLICT else None
            if own is None:
                raise Unsubmitted(fault.outcome) from fault
            return own
        except NeighbourUnavailable as error:
            raise Unsubmitted(unavailable(error)) from error

    async def _made_before(self) -> dict[str, Any] | None:
        """The Job that this task made before the server was restarted, if it did."""
        since = self._task.request.again_since
        if since is None:
            return None
        try:
            own = await self._ask("GET", f"{self._jobs}/{quote(self._job['metadata']['name'], safe='')}")
            made = datetime.fromisoformat(own["ResponseBody"]["metadata"]["creationTimestamp"])
        except (ClusterFault, NeighbourUnavailable, LookupError, TypeError, ValueError):
            return None
        # Kubernetes tells seconds.
        return own if made.timestamp() * 1_000 >= since // 1_000 * 1_000 else None

    async def look(self, answer: Any) -> TaskOutcome | None:
        try:
            shown = await self._ask("GET", self._path_of(answer))
        except ClusterFault as fault:
            if fault.answer["StatusCode"] >= 500 or fault.answer["StatusCode"] == _TOO_MANY:
                raise NeighbourUnavailable(str(fault)) from fault
            raise JobMissing(fault.outcome) from fault
        ended = _ended(shown["ResponseBody"])
        if ended is None:
            return None
        if self._options.get("RetrieveLogs"):
            shown["logs"] = await self._logs(answer["ResponseBody"]["metadata"]["name"])
        return succeeded(self._task, shown) if ended == "Complete" else failed(self._task, shown)

    async def cancel(self, answer: Any) -> None:
        try:
            await self._ask("DELETE", self._path_of(answer), {"propagationPolicy": ["Background"]})
        except ClusterFault as fault:
            if fault.answer["StatusCode"] != _NOT_FOUND:
                raise JobMissing(fault.outcome) from fault

    def _path_of(self, answer: Any) -> str:
        """Raises JobMissing if the cluster's answer names no Job."""
        try:
            return f"{self._jobs}/{quote(answer['ResponseBody']['metadata']['name'], safe='')}"
        except (LookupError, TypeError) as error:
            raise JobMissing(failed(self._task, answer)) from error

    async def _logs(self, name: str) -> dict[str, Any]:
        """As far as they can be read."""
        pods = f"/api/v1/{self._namespace}/pods"
        try:
            found = await self._ask("GET", pods, {"labelSelector": [f"job-name={name}"]})
            items = {item["metadata"]["name"]: item["spec"]["containers"] for item in found["ResponseBody"]["items"]}
            names = {pod: [container["name"] for container in containers] for pod, containers in items.items()}
        except (ClusterFault, NeighbourUnavailable, LookupError, TypeError) as error:
            return {"error": type(error).__name__, "cause": str(error)}
        return {
            "pods": {
                pod: {"containers": {each: await self._log(f"{pods}/{quote(pod, safe='')}/log", each) for each in of}}
                for pod, of in names.items()
            }
        }

    async def _log(self, path: str, container: str) -> dict[str, Any]:
        query = {**(self._options.get("LogParameters") or {}), "container": [container]}
        try:
            log = (await self._ask("GET", path, query, raw=bool(self._options.get("RawLogs"))))["ResponseBody"]
        except ClusterFault as fault:
            return {"error": str(fault), "cause": fault.outcome.cause}
        except NeighbourUnavailable as error:
            return {"error": unavailable(error).error, "cause": unavailable(error).cause}
        return {"log": log}

    async def _ask(
        self, method: str, path: str, query: dict[str, list[str]] | None = None, body: Any = None, *, raw: bool = False
    ) -> dict[str, Any]:
        return await self._clusters.ask(self._task.request, self._calls, method, path, query, body, raw=raw)


def _named(job: dict[str, Any], token: str) -> dict[str, Any]:
    metadata = dict(job.get("metadata", {}))
    prefix = metadata.get("generateName")
    if "name" not in metadata and isinstance(prefix, str):
        del metadata["generateName"]
        metadata["name"] = prefix + hashlib.sha256(token.encode()).hexdigest()[:10]
    return {**job, "metadata": metadata}


def _ended(job: Any) -> str | None:
    """`Complete` or `Failed`, or None of a Job that goes on."""
    status = job.get("status") if isinstance(job, dict) else None
    conditions = status.get("conditions") if isinstance(status, dict) else None
    for condition in conditions if isinstance(conditions, list) else []:
        holds = isinstance(condition, dict) and condition.get("status") == "True"
        if holds and condition.get("type") in ("Complete", "Failed"):
            return str(condition["type"])
    return None
