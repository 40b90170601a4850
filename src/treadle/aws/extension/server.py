"""About the server: is it alive, is it ready, what is it."""

from __future__ import annotations

from treadle import __version__
from treadle.aws.extension.call import Call
from treadle.aws.messages import Answer, json_answer
from treadle.store.contract import StoreUnavailable


async def health(call: Call) -> Answer:
    """The process answers: whoever asks need not restart it. Looks at nothing else."""
    return json_answer({"status": "running", "version": __version__})


async def ready(call: Call) -> Answer:
    """It takes work: the database answers, and can be written. Raises StoreUnusable and StoreUnavailable, which the
    door answers with 503."""
    store = call.backend.store
    if store.full:
        raise StoreUnavailable("The disk of the server is full.")
    if call.backend.runtime.shards == 0:
        raise StoreUnavailable("This node holds no shard: it cannot start executions.")
    await store.executions_open()
    return json_answer({"status": "ready"})


async def info(call: Call) -> Answer:
    """The server as a whole, whoever asks."""
    backend = call.backend
    return json_answer(
        {
            "version": __version__,
            "uptimeSeconds": (backend.clock.now() - backend.started) / 1_000,
            "account": call.identity.account,
            "region": call.identity.region,
            "authentication": "required" if backend.authentication.required else "off",
            "storage": backend.storage(),
            "recovering": backend.runtime.recovering,
            **({} if backend.runtime.shards is None else {"shards": backend.runtime.shards}),
            "counts": {
                "stateMachines": await backend.store.machine_count("arn:"),
                "activities": await backend.store.activity_count("arn:"),
                "runningExecutions": await backend.store.executions_open(),
                "executionsInMemory": backend.runtime.resident,
                "throttledRequests": backend.admission.refused,
                "eventStreams": len(backend.runtime.watchers),
                "deliveries": await backend.store.delivery_count(),
            },
            "services": {name: list(operations) for name, operations in backend.operations.items()},
        }
    )
