"""State machines as the runtime needs them: checked, kept in the store, and compiled once per revision."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from treadle.engine.program import Program, compile_definition
from treadle.language.diagnostics import Diagnostic
from treadle.language.resources import Resource
from treadle.limits import Limits
from treadle.store.contract import Machine, MachineRevision, MachineType, Store

_T = TypeVar("_T")


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
        self._machines: _Recent[Machine] = _Recent(limits.machines_cached)
        self._compiled: _Recent[CompiledRevision] = _Recent(limits.programs_cached)
        self._changes = 0
        """Counts changes: what was read while one took place is not remembered."""

    def check(self, definition: str, machine_type: MachineType) -> tuple[Diagnostic, ...]:
        """Everything that is wrong with a definition, and that this server does not run."""
        return compile_definition(definition, machine_type, self._limits, self._refuses).diagnostics

    async def get(self, arn: str) -> Machine | None:
        machine = self._machines.get(arn)
        if machine is None:
            changes = self._changes
            machine = await self._store.machine_get(arn)
            if machine is not None and changes == self._changes:
                self._machines.put(arn, machine)
        return machine

    async def create(self, machine: Machine, tags: Mapping[str, str]) -> None:
        """Raises Conflict if the ARN is taken."""
        try:
            await self._store.machine_create(machine, tags)
        finally:
            self._changed(machine.arn)

    async def update(self, arn: str, revision: MachineRevision) -> None:
        """Raises Conflict if there is no such machine, or it is being deleted."""
        try:
            await self._store.machine_update(arn, revision)
        finally:
            self._changed(arn)

    async def delete(self, arn: str) -> None:
        try:
            await self._store.machine_delete(arn)
        finally:
            self._changed(arn)

    def _changed(self, arn: str) -> None:
        self._changes += 1
        self._machines.discard(arn)

    def program(self, revision: MachineRevision, machine_type: MachineType) -> Program:
        return self._compile(revision, machine_type).program

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
                raise ValueError(f"revision {revision.id} of {revision.machine_arn}: {findings}")
            compiled = CompiledRevision(made.program, revision.role_arn)
            self._compiled.put(revision.id, compiled)
        return compiled


class _Recent(Generic[_T]):
    """What was used last, up to a number of items."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[str, _T] = OrderedDict()

    def get(self, key: str) -> _T | None:
        item = self._items.get(key)
        if item is not None:
            self._items.move_to_end(key)
        return item

    def put(self, key: str, item: _T) -> None:
        self._items[key] = item
        self._items.move_to_end(key)
        if len(self._items) > self._most:
            self._items.popitem(last=False)

    def discard(self, key: str) -> None:
        self._items.pop(key, None)
