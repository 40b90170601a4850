"""What makes a server one of several on the same database: what it forgets when others change something, and what only
one of them does at a time (docs/POSTGRESQL.md)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from treadle.aws.access_keys import Keyring
from treadle.aws.job_services.composition import JobRoom
from treadle.deliveries.event_sources import EventSources
from treadle.deliveries.queue import Deliveries
from treadle.functions.created import CreatedFunctions
from treadle.functions.upkeep import Upkeep
from treadle.runtime.cluster.node import Node
from treadle.runtime.retention import Retention
from treadle.store.cluster_contract import Notice


class Shared(Struct, frozen=True, kw_only=True):
    """The parts of a server that must know of other nodes."""

    keyring: Keyring
    created: CreatedFunctions
    upkeep: Upkeep | None
    deliveries: Deliveries
    sources: EventSources
    retention: Retention | None
    jobs: JobRoom


def share(node: Node, parts: Shared) -> None:
    """Connect the parts with the node. Before it starts."""
    _follow_changes(node, parts)
    _take_turns(node, parts)


def _follow_changes(node: Node, parts: Shared) -> None:
    async def key_changed(key_id: str) -> None:
        await parts.keyring.open()

    async def function_changed(arn: str) -> None:
        parts.created.changed(arn)
        await parts.created.read_reserved()
        if parts.upkeep is not None:
            parts.upkeep.changed(arn)

    async def functions_missed() -> None:
        parts.created.all_changed()
        await parts.created.read_reserved()

    async def delivery_waits(target: str) -> None:
        await parts.deliveries.look()

    node.news.read("access_key", key_changed, parts.keyring.open)
    node.news.read("function", function_changed, functions_missed)
    node.news.read("event_source", parts.sources.changed, parts.sources.look)
    node.news.read("delivery", delivery_waits, parts.deliveries.look)


def _take_turns(node: Node, parts: Shared) -> None:
    """What one node does for all."""

    def wake_elsewhere(targets: Sequence[str]) -> None:
        node.publish([Notice("delivery", target) for target in targets])

    async def begin_retention() -> None:
        if parts.retention is not None:
            parts.retention.start()

    async def end_retention() -> None:
        if parts.retention is not None:
            await parts.retention.close()

    parts.deliveries.wake_elsewhere = wake_elsewhere
    parts.sources.at_work = False  # ... until it is this node's turn.
    node.duties.add(parts.jobs.begin, parts.jobs.end)
    node.duties.add(parts.deliveries.start, parts.deliveries.close)
    node.duties.add(parts.sources.open, parts.sources.close)
    node.duties.add(begin_retention, end_retention)
    node.every_look(parts.deliveries.look)
