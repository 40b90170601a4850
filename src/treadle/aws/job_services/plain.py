"""Jobs of services about which Treadle knows no more than that they begin, run and end: a table of kinds.

What such a job does is what jobs.toml says: a command, or an outcome. Its description is what was asked for, how it
stands, and what the rule in jobs.toml adds as `answer`. Everything else of these services is the neighbour's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct

from treadle.aws import model
from treadle.aws.errors import ApiError
from treadle.aws.job_services.call import Call, refused
from treadle.aws.table_service import Operation
from treadle.jobs.contract import Job, JobState, Part, Work

Members = dict[str, Any]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of job of one service."""

    service: str
    """botocore's name."""
    submit: str
    describe: str
    stop: str
    key: tuple[str, ...]
    """Members of the requests of `describe` and `stop` that name a job."""
    own: Callable[[Members, str], Members]
    """These members of a new job, by the request that makes it and a new id."""
    name: Callable[[Members], str]
    """What jobs.toml calls it, by that request."""
    answer: Callable[[Job, Members], Members]
    """To that request, by the job and its key's members."""
    shown: Callable[[Job, Members], Members]
    """As `describe` shows it, by its key's members."""
    stopped: Callable[[Members], Members] = lambda key: {}
    """The answer of `stop`, by its key's members."""
    builtin: Callable[[Members], tuple[str, ...]] = lambda request: ()
    """What Treadle itself runs for it; empty: nothing."""
    requires: tuple[str, str, str] | None = None
    """What has to be there: the neighbour's operation, its member, and that of the request; None: nothing is asked."""
    token: str | None = None
    """The member by which clients let a request count once."""
    unknown: str
    """The error of a job that is not there."""
    taken: str | None = None
    """The error of a name that is taken; None: names are made."""
    refused: tuple[str, ...] = ()
    """Operations that are about such jobs, too, and are not served: the neighbour, who knows none, must not answer."""

    @property
    def id(self) -> str:
        return f"{self.service}.{self.submit}"


def operations(kinds: Sequence[Kind]) -> dict[str, Operation[Call]]:
    """The table of the operations of one service."""
    served = {name: operation for kind in kinds for name, operation in _operations(kind)}
    return {**served, **refused(kinds[0].service, *(name for kind in kinds for name in kind.refused))}


def _operations(kind: Kind) -> Iterator[tuple[str, Operation[Call]]]:
    async def submit(call: Call, request: Members) -> Members:
        token = call.token(None if kind.token is None else request.get(kind.token))
        before = await call.ledger.of_token(kind.id, token)
        if before:
            job = before[0]
        else:
            if kind.requires is not None:
                operation, member, given = kind.requires
                await call.ask(kind.service, operation, {member: request[given]})
            made = _made(kind, call, request)
            if kind.taken is not None and await call.ledger.get(made.id) is not None:
                raise ApiError(kind.taken, f"{made.parts[0].name} exists already.", status=400)
            (job,) = await call.ledger.begin([made], token)
        return kind.answer(job, job.detail["key"])

    async def describe(call: Call, request: Members) -> Members:
        job = await _found(kind, call, request)
        return _known_members(kind, kind.shown(job, job.detail["key"]))

    async def stop(call: Call, request: Members) -> Members:
        job = await _found(kind, call, request)
        await call.ledger.stop(job.id, "Stopped by user")
        return kind.stopped(job.detail["key"])

    yield kind.submit, submit
    yield kind.describe, describe
    yield kind.stop, stop


def _made(kind: Kind, call: Call, request: Members) -> Job:
    key = kind.own(request, str(uuid4()))
    name = kind.name(request)
    work = Work(
        service=kind.service,
        name=name,
        account=call.caller.account,
        region=call.caller.region,
        builtin=kind.builtin(request),
        facts={"job": name, "operation": kind.submit, **{f"key_{each.lower()}": key[each] for each in kind.key}},
    )
    return Job(
        id=_id(kind, call, key),
        kind=kind.id,
        parent=f"{call.place}/{kind.id}",
        created=call.ledger.now(),
        parts=(Part(name=name, work=work),),
        detail={"place": call.place, "account": call.caller.account, "request": request, "key": key},
    )


def _id(kind: Kind, call: Call, key: Members) -> str:
    return "/".join((call.place, kind.id, *(key[each].rpartition("/")[2] for each in kind.key)))


async def _found(kind: Kind, call: Call, request: Members) -> Job:
    """A job may be named by its ARN where it may by its name."""
    job = await call.job(kind.id, _id(kind, call, request))
    if job is None:
        named = ", ".join(f"{each} {request[each]}" for each in kind.key)
        raise ApiError(kind.unknown, f"There is no job with {named}.", status=404 if _is_rest(kind) else 400)
    return job


def _is_rest(kind: Kind) -> bool:
    return str(model.load(kind.service).metadata["protocol"]) == "rest-json"


def _known_members(kind: Kind, shown: Members) -> Members:
    """Without what was asked for and is not described, and without what there is not."""
    known = model.load(kind.service).operation_model(kind.describe).output_shape.members
    return {name: value for name, value in shown.items() if name in known and value is not None}


def state_of(kind_states: Mapping[JobState, str], job: Job, stopping: str | None = None) -> str:
    """As the service calls it. `stopping`: of a job that has been asked to end."""
    if job.open and job.stop_reason is not None and stopping is not None:
        return stopping
    return kind_states[job.state]


def why(job: Job) -> str | None:
    """Why it has failed."""
    return job.outcome.message if job.state in ("FAILED", "TIMED_OUT") and job.outcome is not None else None


def added(job: Job) -> Members:
    """What jobs.toml adds to the description of a job that has ended."""
    return {} if job.outcome is None else job.outcome.answer
