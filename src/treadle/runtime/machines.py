"""State machines as the runtime needs them: checked, kept in the store, and compiled once per revision."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

from msgspec import Struct

from treadle.engine.program import Program, compile_definition
from treadle.language.diagnostics import Diagnostic
from treadle.language.resources import Resource
from treadle.limits import Limits
from treadle.store.contract import Alias, Machine, MachineRevision, MachineType, Publication, Store, Version
from treadle.tasks.objections import objections

_K = TypeVar("_K")
_T = TypeVar("_T")


class DefinitionRefused(Exception):
    """A definition was accepted when it came, by rules that were not as strict as those of this server."""


class CompiledRevision(Struct, frozen=True):
    """A revision, ready to run."""

    program: Program
    role_arn: str


class Machines:
    """Whatever changes a state machine goes through here, because what was read is remembered."""

    def __init__(self, store: Store, limits: Limits, refuses: Callable[[Resource], str | None]) -> None:
        self._store = store
        self._limits = limits
        self._refuses = refuses
        self._machines: _Recent[str, Machine] = _Recent(limits.machines_cached)
        self._versions: _Recent[tuple[str, int], Version] = _Recent(limits.machines_cached)
        self._aliases: _Recent[tuple[str, str], Alias] = _Recent(limits.machines_cached)
        self._compiled: _Recent[str, CompiledRevision] = _Recent(limits.programs_cached)
        self._changes = 0
        """Counts changes: what was read while one took place is not remembered."""

    async def check(self, definition: str, machine_type: MachineType) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with a definition, and that this server does not run.

        Checking a large one takes seconds, in which the executions of others go on.
        """
        check = partial(
            compile_definition, definition, machine_type, self._limits, self._refuses, objections=objections
        )
        large = len(definition) > self._limits.definition_characters_at_once
        return (await asyncio.to_thread(check) if large else check()).diagnostics

    async def get(self, arn: str) -> Machine | None:
        return await self._remembered(self._machines, arn, lambda: self._store.machine_get(arn))

    async def version(self, machine_arn: str, number: int) -> Version | None:
        read = partial(self._store.version_get, machine_arn, number)
        return await self._remembered(self._versions, (machine_arn, number), read)

    async def alias(self, machine_arn: str, name: str) -> Alias | None:
        read = partial(self._store.alias_get, machine_arn, name)
        return await self._remembered(self._aliases, (machine_arn, name), read)

    async def _remembered(self, cache: _Recent[_K, _T], key: _K, read: Callable[[], Awaitable[_T | None]]) -> _T | None:
        found = cache.get(key)
        if found is None:
            changes = self._changes
            found = await read()
            if found is not None and changes == self._changes:
                cache.put(key, found)
        return found

    async def create(self, machine: Machine, tags: Mapping[str, str], publish: Publication | None = None) -> None:
        """With version 1, if `publish`. Raises Conflict if the ARN is taken."""
        with self._changing(self._machines, machine.arn):
            await self._store.machine_create(machine, tags, publish)

    async def update(self, arn: str, revision: MachineRevision, publish: Publication | None = None) -> int | None:
        """The number of the version, if `publish`. Raises Conflict if there is no such machine, or it is being
        deleted."""
        with self._changing(self._machines, arn):
            return await self._store.machine_update(arn, revision, publish)

    async def delete(self, arn: str) -> None:
        """Make it DELETING. `Deletions` sees to the rest."""
        with self._changing(self._machines, arn):
            await self._store.machine_delete(arn)

    async def remove(self, arn: str) -> bool:
        """Remove a machine that is DELETING. False if its executions still run."""
        with self._changing(self._machines, arn):
            removed = await self._store.machine_remove(arn)
        if removed:
            self._versions.clear()
            self._aliases.clear()
        return removed

    def forget(self, arn: str | None = None) -> None:
        """Another node has changed the machine, or a version or an alias of it (None: whichever there are)."""
        self._changes += 1
        if arn is None:
            self._machines.clear()
        else:
            self._machines.discard(arn)
        self._versions.clear()
        self._aliases.clear()

    async def deleting(self) -> Sequence[str]:
        """The ARNs of the machines that are DELETING."""
        return await self._store.machines_deleting()

    async def delete_version(self, machine_arn: str, number: int) -> None:
        """Raises Conflict if an alias leads to it."""
        with self._changing(self._versions, (machine_arn, number)):
            await self._store.version_delete(machine_arn, number)

    async def update_alias(self, alias: Alias) -> None:
        """Raises Conflict if it does not exist, or a version that it leads to."""
        with self._changing(self._aliases, (alias.machine_arn, alias.name)):
            await self._store.alias_update(alias)

    async def delete_alias(self, machine_arn: str, name: str) -> bool:
        """Whether there was one."""
        with self._changing(self._aliases, (machine_arn, name)):
            return await self._store.alias_delete(machine_arn, name)

    @contextmanager
    def _changing(self, cache: _Recent[_K, _T], key: _K) -> Iterator[None]:
        """What is remembered under `key` does not hold any more, whether the change succeeds or not."""
        try:
            yield
        finally:
            self._changes += 1
            cache.discard(key)

    def program(self, revision: MachineRevision, machine_type: MachineType) -> Program:
        """What executions of the revision run. Raises DefinitionRefused."""
        return self._compile(revision, machine_type).program

    def remember(self, revision: MachineRevision) -> None:
        """Make a revision known that is not in the store yet. Raises DefinitionRefused."""
        self._compile(revision, "STANDARD")

    async def revision(self, revision_id: str) -> CompiledRevision:
        """The revision that a stored execution was started with."""
        compiled = self._compiled.get(revision_id)
        if compiled is None:
            revision = await self._store.revision_get(revision_id)
            if revision is None:
                raise LookupError(f"revision {revision_id} is not in the store")
            compiled = self._compile(revision, "STANDARD")
        return compiled

    def _compile(self, revision: MachineRevision, machine_type: MachineType) -> CompiledRevision:
        compiled = self._compiled.get(revision.id)
        if compiled is None:
            # The definition was checked when it came. If this server does not run some task of it any more,
            # then it is that task that fails when its time comes, not the execution as a whole.
            made = compile_definition(revision.definition, machine_type, self._limits, lambda _: None)
            if made.program is None:
                findings = ", ".join(map(str, made.diagnostics))
                raise DefinitionRefused(f"its definition is not accepted any more ({findings})")
            compiled = CompiledRevision(made.program, revision.role_arn)
            self._compiled.put(revision.id, compiled)
        return compiled


class _Recent(Generic[_K, _T]):
    """What was used last, up to a number of items."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[_K, _T] = OrderedDict()

    def get(self, key: _K) -> _T | None:
        item = self._items.get(key)
        if item is not None:
            self._items.move_to_end(key)
        return item

    def put(self, key: _K, item: _T) -> None:
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._most:
            self._items.popitem(last=False)

    def discard(self, key: _K) -> None:
        self._items.pop(key, None)

    def clear(self) -> None:
        self._items.clear()
