"""What a server is built of, stage by stage from the ground up: `compose` reads like a plan of the house.

A stage is a function that builds its parts out of the stages below it. It leaves with `Ground.parts` what is to happen
to each when the server stops; that goes from the top down, so that a part is only ever called while those it needs are
there. A part that has something to clear away although its start failed is left there before it is started.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from msgspec import Struct

from treadle.aws.access_keys import Keyring
from treadle.aws.administrator import Endpoint
from treadle.aws.admission import Admission
from treadle.aws.authentication import Authentication, Defaults
from treadle.aws.door import Door
from treadle.aws.execute_api.apis import RestApis
from treadle.aws.execute_api.door import ApiDoor
from treadle.aws.extension.call import Backend
from treadle.aws.extension.routes import TreadleExtension
from treadle.aws.function_urls.site import FunctionUrlSite
from treadle.aws.functions import service as function_service
from treadle.aws.functions.code_tokens import CodeTokens
from treadle.aws.functions.in_process import FunctionsInProcess
from treadle.aws.job_services.composition import JobRoom
from treadle.aws.job_services.services import JobServices
from treadle.aws.passing import Passing
from treadle.aws.states.call import StatesOptions
from treadle.aws.states.in_process import InProcess
from treadle.aws.states.service import OPERATIONS, StatesService, states_service
from treadle.clock import Clock, SystemClock
from treadle.config import Settings, is_loopback
from treadle.datasets.places import Places
from treadle.deliveries.attempts import Attempts
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.function_logs import FunctionLogs
from treadle.deliveries.invocations import EventIntake, Invocations
from treadle.deliveries.queue import Deliveries
from treadle.deliveries.targets import Targets
from treadle.functions.created import CreatedFunctions
from treadle.functions.local import LocalFunctions
from treadle.functions.options import FunctionOptions
from treadle.functions.runtimes import Runtimes
from treadle.jobs.options import JobOptions
from treadle.jobs.rules import JobsFileError
from treadle.listening import ServerError
from treadle.neighbours.directory import Neighbours
from treadle.neighbours.moto.emulator import Moto, MotoOptions
from treadle.neighbours.web import Web
from treadle.nodes import Shared, share
from treadle.plan import Plan
from treadle.runtime.cluster.node import Node
from treadle.runtime.retention import Retention
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.contract import Store
from treadle.store.opening import OpenCluster, cluster_at, store_at
from treadle.tasks.apigateway_invoke import ApiTasks
from treadle.tasks.dispatch import Dispatch
from treadle.tasks.http_invoke import HttpTasks
from treadle.tasks.kubernetes import Clusters
from treadle.tasks.roles import Roles
from treadle.tasks.service_calls import ServiceCalls

FUNCTION_LOGS = "logs"
FUNCTION_CODE = "code"
"""Folder of the unpacked code of functions that were made through the API; the archives are in the database."""
JOB_LOGS = "jobs"
NEIGHBOUR_LOGS = "neighbours"
"""These two below the folder of the functions' logs."""

_OPEN_DOOR = (
    "nobody would be asked for credentials, and whoever reaches {} could run your functions. Make an access key "
    "(treadle keys create), or listen on 127.0.0.1, or say --insecure-listen if the network around it is closed"
)


class House(Struct, frozen=True):
    """The server, all but its sockets."""

    door: Door
    runtime: Runtime
    own: Endpoint
    """Where it listens for what runs on its own behalf, and with which key."""
    authenticates: bool
    """Whether clients are asked for a signature, as it starts."""
    prepare: Callable[[], None]
    """Makes what the first requests would wait for, which may be done in a thread."""
    hurry: Callable[[], None]
    """To be called before all of it is closed: what waits for room on a full disk is given up."""


async def compose(plan: Plan) -> House:
    """Build the house, and let what is on disk go on. Raises ServerError, StoreUnusable."""
    ground = await _ground(plan)
    functions = await _functions(plan, ground)
    outside = await _outside(plan, ground, functions)
    work = _work(plan, ground, functions, outside)
    workflows = await _workflows(plan, ground, work)
    lambda_ = await _lambda(plan, ground, functions, outside, workflows)
    _connect(plan, work, workflows, lambda_)
    await _begin(plan, ground, functions, outside, work, workflows, lambda_)
    administrator = ground.keyring.own(plan.settings.account_id, "administrator")
    return House(
        door=await _door(plan, ground, functions, outside, work, workflows, lambda_),
        runtime=workflows.runtime,
        own=Endpoint(plan.local_url, administrator.access_key_id, administrator.secret),
        authenticates=ground.authentication.required,
        hurry=ground.store.hurry,
        prepare=workflows.service.prepare,
    )


# -- the ground: store, clock, keys ------------------------------------------------------------------------------


class _Ground(Struct, frozen=True, kw_only=True):
    clock: Clock
    store: Store
    cluster: OpenCluster | None
    """The nodes of which this server is one; None: it has its database for itself."""
    keyring: Keyring
    key_of: Callable[[str], tuple[str, str]]
    """The key (id, secret) that functions, jobs and moto act with in an account: one for each account."""
    defaults: Defaults
    authentication: Authentication


async def _ground(plan: Plan) -> _Ground:
    settings, clock = plan.settings, SystemClock()
    store, cluster = await _open_store(plan, clock)
    keyring = Keyring(store, clock, plan.limits, settings.keys)
    await keyring.open()
    defaults = Defaults(settings.account_id, settings.region)
    authentication = Authentication(keyring, clock, plan.limits, defaults, off=settings.no_authentication)
    if not (authentication.required or settings.insecure_listen or is_loopback(settings.host)):
        raise ServerError(_OPEN_DOOR.format(settings.host))

    @cache
    def key_of(account: str) -> tuple[str, str]:
        key = keyring.own(account)
        return key.access_key_id, key.secret

    return _Ground(
        clock=clock,
        store=store,
        cluster=cluster,
        keyring=keyring,
        key_of=key_of,
        defaults=defaults,
        authentication=authentication,
    )


async def _open_store(plan: Plan, clock: Clock) -> tuple[Store, OpenCluster | None]:
    folder = plan.settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(f"the data folder {folder} cannot be made: {error.strerror}") from error
    if plan.settings.store is not None:
        cluster = cluster_at(plan.settings.store, clock, plan.limits)
        plan.parts.push_async_callback(cluster.close)
        await cluster.open()
        return cluster.store, cluster
    store = store_at(None, plan.settings.database)
    await store.open()
    plan.parts.push_async_callback(store.close)
    return store, None


# -- functions ---------------------------------------------------------------------------------------------------


class _Functions(Struct, frozen=True):
    created: CreatedFunctions
    local: LocalFunctions
    """All that can be invoked: those of the folder, and the created ones."""
    logs: FunctionLogs


async def _functions(plan: Plan, ground: _Ground) -> _Functions:
    settings = plan.settings
    runtimes = Runtimes(settings.node, settings.inherited.get("PATH"), settings.sdk_folder)
    created = CreatedFunctions(ground.store, plan.data / FUNCTION_CODE, plan.limits, runtimes)
    await created.open()
    access_key_id, secret_access_key = ground.key_of(settings.account_id)
    options = FunctionOptions(
        folder=settings.functions_dir.absolute(),
        logs=plan.data / FUNCTION_LOGS,
        endpoint_url=plan.local_url,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        key_of=ground.key_of,
        region=settings.region,
        account=settings.account_id,
        runtimes=runtimes,
        inherited=settings.inherited,
        limits=plan.limits,
    )
    logs = FunctionLogs(plan.limits)
    local = LocalFunctions(options, created, (logs, *plan.sinks))
    await local.start()
    plan.parts.push_async_callback(local.close)
    return _Functions(created, local, logs)


# -- the neighbours, calls to them, and jobs ---------------------------------------------------------------------


class _Outside(Struct, frozen=True):
    neighbours: Neighbours
    services: ServiceCalls
    room: JobRoom
    jobs: JobServices
    """Services of which Treadle serves what is about jobs, and the neighbours the rest."""


async def _outside(plan: Plan, ground: _Ground, functions: _Functions) -> _Outside:
    """Nothing is started before it is asked for. What functions write has somewhere to go from here on."""
    settings = plan.settings
    moto = Moto(
        MotoOptions(
            data=plan.data,
            logs=plan.data / FUNCTION_LOGS / NEIGHBOUR_LOGS,
            account_id=settings.account_id,
            region=settings.region,
            url=plan.local_url,
            key_of=ground.key_of,
            inherited=settings.inherited,
            limits=plan.limits,
        )
    )
    neighbours = Neighbours(moto, plan.elsewhere(), plan.limits)
    plan.parts.push_async_callback(neighbours.close)
    await moto.open()
    services = ServiceCalls(neighbours, plan.limits, plan.own_host)
    functions.logs.connect(services, neighbours)
    # Here rather than with the functions: what it still has to send goes to the neighbours.
    plan.parts.push_async_callback(functions.logs.close)
    room, jobs = await _jobs(plan, ground, services)
    neighbours.connect(jobs)
    return _Outside(neighbours, services, room, jobs)


async def _jobs(plan: Plan, ground: _Ground, services: ServiceCalls) -> tuple[JobRoom, JobServices]:
    """Jobs go on before anything asks for them, unless another node runs them."""
    options = JobOptions(
        rules=plan.settings.jobs.absolute(),
        logs=plan.data / FUNCTION_LOGS / JOB_LOGS,
        endpoint_url=plan.local_url,
        key_of=ground.key_of,
        inherited=plan.settings.inherited,
        limits=plan.limits,
    )
    room = JobRoom(ground.store, ground.clock, options, plan.on_failure)
    plan.parts.push_async_callback(room.close)
    try:
        jobs = await room.open(services, plan.elsewhere())
    except JobsFileError as error:
        raise ServerError(str(error)) from error
    if ground.cluster is None:
        await room.begin()
    return room, jobs


# -- what tasks can call -----------------------------------------------------------------------------------------


class _Work(Struct, frozen=True):
    tasks: Dispatch
    apis: RestApis
    datasets: Places


def _work(plan: Plan, ground: _Ground, functions: _Functions, outside: _Outside) -> _Work:
    settings, limits, services = plan.settings, plan.limits, outside.services
    web = Web(limits, settings.proxies)
    plan.parts.push_async_callback(web.close)
    apis = RestApis(services, functions.local, web, ground.clock, limits, ground.defaults)
    tasks = Dispatch(
        functions.local,
        limits,
        services,
        HttpTasks(web, limits, settings.plain_http),
        ApiTasks(web, apis, limits, plan.own_host, aws_is_elsewhere=not services.emulated("apigateway")),
        Roles(services, execution_roles=settings.assume_roles),
        Clusters(web, limits),
    )
    datasets = Places(services, settings.dataset_folders, limits)
    plan.parts.callback(datasets.close)
    return _Work(tasks, apis, datasets)


# -- executions, and Step Functions' API -------------------------------------------------------------------------


class _Workflows(Struct, frozen=True):
    runtime: Runtime
    service: StatesService
    in_process: InProcess
    """The same API for tasks and deliveries."""


def _runtime(plan: Plan, ground: _Ground, work: _Work) -> Runtime:
    if ground.cluster is not None:
        return Node(
            cluster=ground.cluster,
            tasks=work.tasks,
            datasets=work.datasets,
            clock=ground.clock,
            limits=plan.limits,
            on_failure=plan.on_failure,
        )
    return Runtime(
        store=ground.store,
        tasks=work.tasks,
        datasets=work.datasets,
        clock=ground.clock,
        limits=plan.limits,
        on_failure=plan.on_failure,
    )


async def _workflows(plan: Plan, ground: _Ground, work: _Work) -> _Workflows:
    runtime = _runtime(plan, ground, work)
    service = await states_service(
        runtime=runtime,
        trials=Trials(work.tasks, ground.clock),
        store=ground.store,
        clock=ground.clock,
        options=StatesOptions(limits=plan.limits),
    )
    return _Workflows(runtime, service, InProcess(service, runtime.ends))


# -- Lambda's API, and deliveries --------------------------------------------------------------------------------


class _Lambda(Struct, frozen=True):
    service: function_service.FunctionService
    deliveries: Deliveries
    events: EventIntake
    sources: EventSources


async def _lambda(
    plan: Plan, ground: _Ground, functions: _Functions, outside: _Outside, workflows: _Workflows
) -> _Lambda:
    store, clock, limits = ground.store, ground.clock, plan.limits
    invocations = Invocations(functions.local, functions.created, store, clock, limits)
    attempts = Attempts(invocations, Targets(outside.services, workflows.in_process), clock, limits)
    deliveries = Deliveries(store, attempts, clock, limits)
    events = EventIntake(functions.local, deliveries)
    sources = EventSources(store, functions.local, outside.services, deliveries.post, clock, limits)
    service = await function_service.function_service(
        store=store,
        functions=functions.local,
        created=functions.created,
        sources=sources,
        events=events,
        services=outside.services,
        clock=clock,
        limits=limits,
    )
    return _Lambda(service, deliveries, events, sources)


# -- everything goes on ------------------------------------------------------------------------------------------


def _connect(plan: Plan, work: _Work, workflows: _Workflows, lambda_: _Lambda) -> None:
    """Close the circles: a workflow's task may call Step Functions and Lambda, and so may an API of API Gateway."""
    work.apis.connect(workflows.in_process)
    work.tasks.connect(workflows.in_process, lambda_.events, FunctionsInProcess(lambda_.service, plan.local_url))


async def _begin(
    plan: Plan,
    ground: _Ground,
    functions: _Functions,
    outside: _Outside,
    work: _Work,
    workflows: _Workflows,
    lambda_: _Lambda,
) -> None:
    """What is on disk goes on: executions first, because deliveries may start others."""
    retention = None
    if plan.settings.retention_days:
        retention = Retention(ground.store, ground.clock, plan.settings.retention_days, plan.limits, plan.on_failure)
    # Below the runtime, which cancels its tasks: only then can they be waited for.
    plan.parts.push_async_callback(work.tasks.ended)
    if isinstance(workflows.runtime, Node):
        shared = Shared(
            keyring=ground.keyring,
            created=functions.created,
            upkeep=functions.local.upkeep,
            deliveries=lambda_.deliveries,
            sources=lambda_.sources,
            retention=retention,
            jobs=outside.room,
        )
        share(workflows.runtime, shared)
        plan.parts.push_async_callback(workflows.runtime.close)
        await workflows.runtime.start()
        return
    await workflows.runtime.start()
    plan.parts.push_async_callback(workflows.runtime.close)
    if retention is not None:
        plan.parts.push_async_callback(retention.close)
        retention.start()
    await lambda_.deliveries.start()
    plan.parts.push_async_callback(lambda_.deliveries.close)
    plan.parts.push_async_callback(lambda_.sources.close)
    await lambda_.sources.open()


# -- the door ----------------------------------------------------------------------------------------------------


async def _door(
    plan: Plan,
    ground: _Ground,
    functions: _Functions,
    outside: _Outside,
    work: _Work,
    workflows: _Workflows,
    lambda_: _Lambda,
) -> Door:
    admission = Admission(plan.limits, lambda: workflows.runtime.resident, lambda: ground.store.full)
    behind = await _behind_the_extension(plan, ground, outside, workflows, admission)
    return Door(
        [workflows.service],
        plan.limits,
        ground.authentication,
        TreadleExtension(behind),
        Passing(outside.neighbours, ground.authentication, plan.limits),
        admission,
        rest_services=[lambda_.service],
        sites=[
            FunctionUrlSite(ground.store, functions.local, ground.authentication, ground.clock, plan.limits),
            ApiDoor(work.apis, ground.authentication, plan.limits),
        ],
        jobs=outside.jobs,
        on_failure=plan.on_failure,
    )


async def _behind_the_extension(
    plan: Plan, ground: _Ground, outside: _Outside, workflows: _Workflows, admission: Admission
) -> Backend:
    return Backend(
        runtime=workflows.runtime,
        store=ground.store,
        clock=ground.clock,
        limits=plan.limits,
        keyring=ground.keyring,
        authentication=ground.authentication,
        started=ground.clock.now(),
        storage=lambda: _storage(plan.settings),
        neighbours=outside.neighbours,
        code_tokens=CodeTokens(await ground.store.secret()),
        operations={
            workflows.service.signing_name: tuple(OPERATIONS),
            function_service.SIGNING_NAME: tuple(function_service.OPERATIONS),
        },
        jobs=outside.jobs,
        admission=admission,
    )


def _storage(settings: Settings) -> dict[str, str | int]:
    if settings.store is not None:
        from treadle.store.postgres.address import Address

        return {"kind": "postgresql", "database": Address(settings.store).name}
    database = settings.database.absolute()
    files = (database, database.with_name(f"{database.name}-wal"))
    return {
        "kind": "sqlite",
        "path": str(database),
        "bytes": sum(file.stat().st_size for file in files if file.exists()),
    }
