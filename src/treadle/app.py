"""The composition root: builds every part from the settings, wires them, and serves them.

Start goes bottom-up and close goes top-down, so that a part is only ever called while those it needs are
there.  The socket is bound first of all, because functions must be told the port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import cache
from urllib.parse import urlsplit

from treadle.aws import administrator
from treadle.aws.access_keys import Keyring
from treadle.aws.administrator import Endpoint
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
from treadle.aws.states.service import OPERATIONS, states_service
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
from treadle.functions.logs import LogSink
from treadle.functions.options import FunctionOptions
from treadle.functions.runtimes import Runtimes
from treadle.jobs.options import JobOptions
from treadle.jobs.rules import JobsFileError
from treadle.listening import Server, ServerError, listening, open_as_many_files_as_allowed, tls_of, url_of
from treadle.neighbours.directory import Neighbours
from treadle.neighbours.moto.emulator import Moto, MotoOptions
from treadle.neighbours.web import Web
from treadle.runtime.runtime import Runtime
from treadle.runtime.trials import Trials
from treadle.store.contract import Store, StoreUnusable
from treadle.store.sqlite.store import SqliteStore
from treadle.tasks.apigateway_invoke import ApiTasks
from treadle.tasks.dispatch import Dispatch
from treadle.tasks.http_invoke import HttpTasks
from treadle.tasks.kubernetes import Clusters
from treadle.tasks.roles import Roles
from treadle.tasks.service_calls import ServiceCalls

DATABASE = "treadle.db"
FUNCTION_LOGS = "logs"
FUNCTION_CODE = "code"
"""Folder of the unpacked code of functions that were made through the API; the archives are in the database."""
JOB_LOGS = "jobs"
NEIGHBOUR_LOGS = "neighbours"
"""These two below the folder of the functions' logs."""
LOOPBACK = "127.0.0.1"

_STACK_LEVELS = 10_000
"""JSON is read and written with a level of Python's stack for each level of nesting: the depth that is let in, ten
times over, because a workflow may nest its own data deeper still."""

_OPEN_DOOR = (
    "nobody would be asked for credentials, and whoever reaches {} could run your functions. Make an access key "
    "(treadle keys create), or listen on 127.0.0.1, or say --insecure-listen if the network around it is closed"
)


class App:
    """One server. `start`, then `failure` tells of what ends it, then `close` (also after a failed start)."""

    def __init__(self, settings: Settings, sinks: Sequence[LogSink] = ()) -> None:
        """`sinks`: where the output of functions goes besides the files and CloudWatch Logs."""
        self._settings = settings
        self._function_logs = FunctionLogs(settings.limits)
        self._sinks = (self._function_logs, *sinks)
        self._parts = AsyncExitStack()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = ""
        """Where it listens, once started."""
        self.own = Endpoint("", "", "")
        """Where it listens for what runs on its own behalf, and with which key; once started."""
        self.authenticates = False
        """Whether clients are asked for a signature, as it starts."""

    async def start(self) -> None:
        """Ready for requests when this returns. Raises ServerError."""
        open_as_many_files_as_allowed()
        sys.setrecursionlimit(max(sys.getrecursionlimit(), _STACK_LEVELS))
        settings = self._settings
        listener = self._parts.enter_context(listening(settings.host, settings.port))
        listeners = [(listener, tls_of(settings))]
        self.url = local_url = url_of(listener, "http" if listeners[0][1] is None else "https")
        if listeners[0][1] is not None:
            # Functions and our own commands need not know who signed the certificate, and for which name.
            local = self._parts.enter_context(listening(LOOPBACK, 0))
            listeners.append((local, None))
            local_url = url_of(local, "http")
        try:
            door = await self._build(local_url)
            self._announce()
        except StoreUnusable as error:
            raise ServerError(str(error)) from error
        for socket_, tls in listeners:
            server = Server(door, tls)
            await server.start(socket_)
            self._parts.push_async_callback(server.stop)
        # Before the servers wait for those whose answer may take long.
        self._parts.callback(self._runtime.watchers.close)
        self._parts.callback(self._runtime.activities.close)

    async def failure(self) -> None:
        """Wait until the server cannot go on, and raise why: ServerError."""
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Stop taking requests, finish commits, end the workers, close the store."""
        await self._parts.aclose()
        self._failure.cancel()

    async def _build(self, local_url: str) -> Door:
        settings = self._settings
        clock = SystemClock()
        store = await self._open_store()
        keyring = await self._open_keyring(store, clock)
        defaults = Defaults(settings.account_id, settings.region)
        authentication = Authentication(keyring, clock, settings.limits, defaults, off=settings.no_authentication)
        self.authenticates = authentication.required
        if not (self.authenticates or settings.insecure_listen or is_loopback(settings.host)):
            raise ServerError(_OPEN_DOOR.format(settings.host))
        administrators = keyring.own(settings.account_id, "administrator")
        self.own = Endpoint(local_url, administrators.access_key_id, administrators.secret)
        runtimes = Runtimes(settings.node, settings.inherited.get("PATH"), settings.sdk_folder)
        created = CreatedFunctions(store, settings.data_dir.absolute() / FUNCTION_CODE, settings.limits, runtimes)
        await created.open()
        functions = await self._open_functions(local_url, keyring, created)
        neighbours = await self._open_neighbours(local_url, keyring)
        own_host = urlsplit(local_url).netloc
        services = ServiceCalls(neighbours, settings.limits, own_host)
        self._function_logs.connect(services, neighbours)
        self._parts.push_async_callback(self._function_logs.close)
        jobs = await self._open_jobs(store, clock, neighbours, services, local_url, keyring)
        web = Web(settings.limits, settings.proxies)
        self._parts.push_async_callback(web.close)
        apis = RestApis(services, functions, web, clock, settings.limits, defaults)
        tasks = Dispatch(
            functions,
            settings.limits,
            services,
            HttpTasks(web, settings.limits, settings.plain_http),
            ApiTasks(web, apis, settings.limits, own_host, aws_is_elsewhere=not services.emulated("apigateway")),
            Roles(services, execution_roles=settings.assume_roles),
            Clusters(web, settings.limits),
        )
        runtime = Runtime(
            store=store,
            tasks=tasks,
            datasets=self._open_datasets(services),
            clock=clock,
            limits=settings.limits,
            on_failure=self._failed,
        )
        self._runtime = runtime
        service = await states_service(
            runtime=runtime,
            trials=Trials(tasks, clock),
            store=store,
            clock=clock,
            options=StatesOptions(limits=settings.limits),
        )
        step_functions = InProcess(service, runtime.ends)
        deliveries = self._deliveries(store, clock, functions, created, Targets(services, step_functions))
        events = EventIntake(functions, deliveries)
        sources = EventSources(store, functions, services, settings.limits)
        lambda_service = await function_service.function_service(
            store=store,
            functions=functions,
            created=created,
            sources=sources,
            events=events,
            services=services,
            clock=clock,
            limits=settings.limits,
        )
        apis.connect(step_functions)
        tasks.connect(step_functions, events, FunctionsInProcess(lambda_service, local_url))
        self._parts.push_async_callback(tasks.ended)
        await runtime.start()
        self._parts.push_async_callback(runtime.close)
        await deliveries.start()
        self._parts.push_async_callback(deliveries.close)
        extension = TreadleExtension(
            Backend(
                runtime=runtime,
                store=store,
                clock=clock,
                limits=settings.limits,
                keyring=keyring,
                authentication=authentication,
                started=clock.now(),
                storage=self._storage,
                neighbours=neighbours,
                code_tokens=CodeTokens(await store.secret()),
                operations={
                    service.signing_name: tuple(OPERATIONS),
                    function_service.SIGNING_NAME: tuple(function_service.OPERATIONS),
                },
                jobs=jobs,
            )
        )
        self._parts.push_async_callback(sources.close)
        await sources.open()
        return Door(
            [service],
            settings.limits,
            authentication,
            extension,
            Passing(neighbours, authentication, settings.limits),
            rest_services=[lambda_service],
            sites=[
                FunctionUrlSite(store, functions, authentication, clock, settings.limits),
                ApiDoor(apis, authentication, settings.limits),
            ],
            jobs=jobs,
            on_failure=self._failed,
        )

    def _deliveries(
        self, store: Store, clock: Clock, functions: LocalFunctions, created: CreatedFunctions, targets: Targets
    ) -> Deliveries:
        limits = self._settings.limits
        invocations = Invocations(functions, created, store, clock, limits)
        return Deliveries(store, Attempts(invocations, targets, clock, limits), clock, limits)

    async def _open_store(self) -> Store:
        folder = self._settings.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServerError(f"the data folder {folder} cannot be made: {error.strerror}") from error
        store = SqliteStore(folder / DATABASE)
        await store.open()
        self._parts.push_async_callback(store.close)
        return store

    async def _open_keyring(self, store: Store, clock: Clock) -> Keyring:
        keyring = Keyring(store, clock, self._settings.limits, self._settings.keys)
        await keyring.open()
        return keyring

    async def _open_functions(self, local_url: str, keyring: Keyring, created: CreatedFunctions) -> LocalFunctions:
        settings = self._settings

        @cache
        def key_of(account: str) -> tuple[str, str]:
            key = keyring.own(account)
            return key.access_key_id, key.secret

        access_key_id, secret_access_key = key_of(settings.account_id)
        functions = LocalFunctions(
            FunctionOptions(
                folder=settings.functions_dir.absolute(),
                logs=settings.data_dir.absolute() / FUNCTION_LOGS,
                endpoint_url=local_url,
                access_key_id=access_key_id,
                secret_access_key=secret_access_key,
                key_of=key_of,
                region=settings.region,
                account=settings.account_id,
                runtimes=created.runtimes,
                inherited=settings.inherited,
                limits=settings.limits,
            ),
            created,
            self._sinks,
        )
        await functions.start()
        self._parts.push_async_callback(functions.close)
        return functions

    async def _open_neighbours(self, local_url: str, keyring: Keyring) -> Neighbours:
        """Nothing is started before it is asked for."""
        settings = self._settings

        @cache
        def key_of(account: str) -> tuple[str, str]:
            key = keyring.own(account)
            return key.access_key_id, key.secret

        moto = Moto(
            MotoOptions(
                data=settings.data_dir.absolute(),
                logs=settings.data_dir.absolute() / FUNCTION_LOGS / NEIGHBOUR_LOGS,
                account_id=settings.account_id,
                region=settings.region,
                url=local_url,
                key_of=key_of,
                inherited=settings.inherited,
                limits=settings.limits,
            )
        )
        # Whoever has set such a variable for clients of this server, and starts it in the same shell, means no circle.
        elsewhere = {name: url for name, url in settings.endpoints.items() if not self._is_own(url)}
        neighbours = Neighbours(moto, elsewhere, settings.limits)
        self._parts.push_async_callback(neighbours.close)
        await moto.open()
        return neighbours

    def _open_datasets(self, services: ServiceCalls) -> Places:
        places = Places(services, self._settings.dataset_folders, self._settings.limits)
        self._parts.callback(places.close)
        return places

    async def _open_jobs(
        self,
        store: Store,
        clock: Clock,
        neighbours: Neighbours,
        calls: ServiceCalls,
        local_url: str,
        keyring: Keyring,
    ) -> JobServices:
        """Jobs go on before anything asks for them."""
        settings = self._settings

        @cache
        def key_of(account: str) -> tuple[str, str]:
            key = keyring.own(account)
            return key.access_key_id, key.secret

        options = JobOptions(
            rules=settings.jobs.absolute(),
            logs=settings.data_dir.absolute() / FUNCTION_LOGS / JOB_LOGS,
            endpoint_url=local_url,
            key_of=key_of,
            inherited=settings.inherited,
            limits=settings.limits,
        )
        room = JobRoom(store, clock, options, self._failed)
        self._parts.push_async_callback(room.close)
        try:
            elsewhere = {name for name, url in settings.endpoints.items() if not self._is_own(url)}
            jobs = await room.open(calls, elsewhere)
        except JobsFileError as error:
            raise ServerError(str(error)) from error
        neighbours.connect(jobs)
        return jobs

    def _is_own(self, url: str) -> bool:
        theirs, ours = urlsplit(url), urlsplit(self.url)
        host = theirs.hostname or ""
        return theirs.port == ours.port and (host == ours.hostname or is_loopback(host))

    def _announce(self) -> None:
        """Tell whoever may read the data folder how to administer this server."""
        folder = self._settings.data_dir
        try:
            administrator.publish(folder, self.own)
        except OSError as error:
            raise ServerError(f"the data folder {folder} cannot be written to: {error.strerror}") from error
        self._parts.callback(administrator.withdraw, folder)

    def _storage(self) -> dict[str, str | int]:
        path = (self._settings.data_dir / DATABASE).absolute()
        files = (path, path.with_name(f"{DATABASE}-wal"))
        return {
            "kind": "sqlite",
            "path": str(path),
            "bytes": sum(file.stat().st_size for file in files if file.exists()),
        }

    def _failed(self, error: Exception) -> None:
        if not self._failure.done():
            self._failure.set_exception(ServerError(str(error)))
