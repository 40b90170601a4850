"""Bugs, made on purpose: what the simulation must find, and by which invariant.

Each is a change of the real runtime, engine or store such as somebody could make by mistake.  A simulation that lets
one of them pass proves nothing about the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

from msgspec import Struct
from msgspec.structs import replace

from treadle.document import Document
from treadle.engine import advance
from treadle.engine.execution import Branch, Execution, Fork
from treadle.engine.signals import Signal, TaskSucceeded
from treadle.engine.states.task_state import TaskNode
from treadle.engine.turn import Turn
from treadle.runtime import resident as resident_module
from treadle.runtime import shell as shell_module
from treadle.runtime.activities import Activities, Offer
from treadle.runtime.calls import TaskCalls
from treadle.runtime.cluster.node import Node
from treadle.runtime.committer import Change
from treadle.runtime.errors import TaskOver
from treadle.runtime.map_run import Run
from treadle.runtime.resident import Resident, Step
from treadle.runtime.runtime import Runtime
from treadle.runtime.sleepers import Scans
from treadle.runtime.timers import Timers
from treadle.store.cluster_contract import shard_of
from treadle.store.contract import Commit, StoreUnavailable

from .cluster import NodeStore
from .disk import Disk
from .server import MakeRuntime
from .store import SimulatedStore

UNCHANGED = "none"


class Patch(Struct, frozen=True):
    """What is put in place of something."""

    owner: Any
    name: str
    value: Any


class Mutation(Struct, frozen=True):
    invariants: frozenset[str]
    """Any of which finds it."""
    patches: Sequence[Patch] = ()
    make_runtime: MakeRuntime | None = None
    """None: the real one."""
    nodes: int = 1
    """On how many it shows."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self.patches:
                stack.enter_context(patch.object(each.owner, each.name, each.value))
            yield


# -- the runtime -------------------------------------------------------------------------------------------------


def _step_of(change: Change) -> Step:
    assert isinstance(change.done, partial)
    step: Step = change.done.args[0]
    return step


class _CarriesOutFirst(Runtime):
    def _take_turn(self, resident: Resident, now: int) -> Change | None:
        change = super()._take_turn(resident, now)
        if change is not None:
            for command in _step_of(change).commands:
                self._carry_out(resident, command)
        return change


class _AnswersFirst(Runtime):
    def _take_turn(self, resident: Resident, now: int) -> Change | None:
        change = super()._take_turn(resident, now)
        if change is not None:
            step = _step_of(change)
            if resident.begun is not None:
                resident.begun.set_result(step.row)
                resident.begun = None
            for received, in_time in step.received:
                self._tell(resident, received, in_time)
        return change


class _LosesOutcomes(Runtime):
    """Of executions that are being committed."""

    def _signal(self, resident: Resident, signal: Signal) -> None:
        if not (resident.busy and isinstance(signal, TaskSucceeded)):
            super()._signal(resident, signal)


class _TakesAnyAnswer(Runtime):
    async def answer_task(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().answer_task(*args, **kwargs)
        except TaskOver:
            return


_step_commit = Step.commit


def _commit_without_row(step: Step) -> Commit | None:
    """What executions wait for is not written."""
    commit = _step_commit(step)
    return commit if commit is None or commit.created else replace(commit, row_unchanged=step.row.status == "RUNNING")


class _DropsTooMuch(Runtime):
    """Whoever has a timer leaves memory, and nobody is told to wake him."""

    def _settle(self, resident: Resident) -> None:
        if resident.stored and not resident.signals and resident_module.may_sleep(resident.loaded):
            self._drop(resident)
        else:
            super()._settle(resident)


class _Keeps(Runtime):
    def _drop(self, resident: Resident) -> None:
        self._timers.discard(resident.row.id)


# -- parts of it -------------------------------------------------------------------------------------------------

_set_timer = Timers.set


def _set_early(timers: Timers, key: int, due: int, callback: Callable[[], None]) -> None:
    _set_timer(timers, key, due - 3_000, callback)


def _set_sometimes(timers: Timers, key: int, due: int, callback: Callable[[], None]) -> None:
    if due % 3:
        _set_timer(timers, key, due, callback)


def _due_too_soon(turn: Turn) -> list[Branch] | None:
    now, turn.now = turn.now, turn.now + 3_000
    due = _due_branches(turn)
    turn.now = now
    return due


_due_branches = advance._due_branches
_take_step = resident_module.take_step


def _take_step_ahead(resident: Resident, now: int, *args: Any, **kwargs: Any) -> Step:
    return _take_step(resident, now + 3_000, *args, **kwargs)


async def _load_nothing(scans: Scans, shards: Any) -> None:
    """Whoever has a task in flight is left where he is."""


def _cancel_nothing(calls: TaskCalls, resident: Resident, attempt: int) -> None:
    resident.running.discard(attempt)


def _offer_first(activities: Activities, queue: Any) -> Offer | None:
    """Without taking it off the queue."""
    return next(iter(queue._offers.values()), None)


def _take_again(node: TaskNode, turn: Turn, branch: Branch, worker_name: str | None) -> bool:
    """Whoever has it already."""
    assert branch.attempt is not None
    branch.attempt.started = None
    return _task_started(node, turn, branch, worker_name)


_task_started = TaskNode.task_started


# -- nodes -------------------------------------------------------------------------------------------------------


class _TakesUpNothing(Node):
    def take_up(self, shards: Collection[int]) -> None:
        """Whatever was in them is left where it is."""


class _KeepsEverything(Node):
    def leave(self, shards: Collection[int], error: StoreUnavailable) -> None:
        """It goes on with executions that are another node's now."""


async def _write_anyway(store: NodeStore, commits: Sequence[Commit]) -> None:
    """Although the session may be gone, and with it the locks."""
    if not store.held.issuperset(shard_of(commit.execution.id) for commit in commits):
        raise StoreUnavailable("the execution has moved to another node; try again")
    session = store.session
    await SimulatedStore._write(store, lambda: store._database.commit(session, commits))


async def _commit_anyway(store: NodeStore, commits: Sequence[Commit]) -> None:
    session = store.session
    await store._write(lambda: store._database.commit(session, commits))


# -- the engine --------------------------------------------------------------------------------------------------


def _in_order_of_arrival(execution: Execution, fork: Fork, child: Branch, output: Document) -> None:
    _close_child(execution, fork, child, output)
    if len(fork.results) == fork.length:
        fork.results = dict(enumerate(fork.results.values()))


_close_child = Execution.close_child


def _output_of_another(node: TaskNode, turn: Turn, branch: Branch, output: Document) -> None:
    _task_succeeded(node, turn, branch, Document({"made": "up"}))


_task_succeeded = TaskNode.task_succeeded


# -- the store ---------------------------------------------------------------------------------------------------

_commit = Disk.commit
_lost = count(1)


def _lose_entries(disk: Disk, commits: Sequence[Commit]) -> None:
    """One in eight."""
    _commit(disk, [commit if next(_lost) % 8 else replace(commit, entry=None) for commit in commits])


def _note_wrongly(disk: Disk, arn: str, note: bytes) -> None:
    disk._notes[arn] = [note + b" or another"]


def _write_twice(disk: Disk, commits: Sequence[Commit]) -> None:
    _commit(disk, commits)
    if next(_lost) % 8 == 0:
        _commit(disk, [replace(commit, created=False, redrive=None) for commit in commits])


_write = SimulatedStore._write


async def _answer_before_effect(store: SimulatedStore, write: Callable[[], Any]) -> Any:
    work = store._loop.create_task(_write(store, write))
    await store._loop.create_task(_nothing())
    return True if not work.done() else work.result()


async def _nothing() -> None: ...


_HISTORY = frozenset({"ids", "one start", "one end", "row", "fold", "transitions", "attempts", "commit first"})

MUTATIONS: Mapping[str, Mutation] = {
    UNCHANGED: Mutation(frozenset()),
    "commands are carried out before the commit": Mutation(frozenset({"commit first"}), make_runtime=_CarriesOutFirst),
    "callers are answered before the commit": Mutation(frozenset({"commit first"}), make_runtime=_AnswersFirst),
    "the store answers before it has written": Mutation(
        frozenset({"commit first", "no bugs"}), [Patch(SimulatedStore, "_write", _answer_before_effect)]
    ),
    "a journal entry is lost": Mutation(_HISTORY, [Patch(Disk, "commit", _lose_entries)]),
    "a row that has changed is not written": Mutation(frozenset({"row"}), [Patch(Step, "commit", _commit_without_row)]),
    "a journal entry is written twice": Mutation(_HISTORY, [Patch(Disk, "commit", _write_twice)]),
    "timers fire early": Mutation(
        frozenset({"early timer"}),
        [Patch(Timers, "set", _set_early), Patch(advance, "_due_branches", _due_too_soon)],
    ),
    "the engine's time is ahead of the clock": Mutation(
        frozenset({"time"}), [Patch(shell_module, "take_step", _take_step_ahead)]
    ),
    "timers are lost": Mutation(frozenset({"late timer", "ended"}), [Patch(Timers, "set", _set_sometimes)]),
    "nobody wakes who sleeps": Mutation(frozenset({"late timer", "ended"}), make_runtime=_DropsTooMuch),
    "a restart forgets what was in flight": Mutation(
        frozenset({"ended", "late timer"}), [Patch(Scans, "load_in_flight", _load_nothing)]
    ),
    "outcomes are lost while a commit is under way": Mutation(frozenset({"lost outcome"}), make_runtime=_LosesOutcomes),
    "an outcome is not what the task answered": Mutation(
        frozenset({"outcomes"}), [Patch(TaskNode, "task_succeeded", _output_of_another)]
    ),
    "a token is good twice": Mutation(frozenset({"exactly once", "commit first"}), make_runtime=_TakesAnyAnswer),
    "two workers get one task": Mutation(
        frozenset({"attempts", "exactly once"}),
        [Patch(Activities, "_first", _offer_first), Patch(TaskNode, "task_started", _take_again)],
    ),
    "tasks are never cancelled": Mutation(frozenset({"cancelled"}), [Patch(TaskCalls, "cancel", _cancel_nothing)]),
    "results are joined in the order of their arrival": Mutation(
        frozenset({"joins"}), [Patch(Execution, "close_child", _in_order_of_arrival)]
    ),
    "a map run begins children that are there": Mutation(
        frozenset({"no bugs", "map runs"}), [Patch(Run, "is_taken", lambda run, number: False)]
    ),
    "a node writes although its session is gone": Mutation(
        frozenset({"ownership"}), [Patch(NodeStore, "commit", _write_anyway)], nodes=3
    ),
    "a node goes on with what it has let go of": Mutation(
        frozenset({"ownership", "no bugs", "commit first", "ids", "one end"}),
        [Patch(NodeStore, "commit", _commit_anyway)],
        make_runtime=_KeepsEverything,
        nodes=3,
    ),
    "nobody goes on with what another node had": Mutation(frozenset({"ended"}), make_runtime=_TakesUpNothing, nodes=3),
    "the notes of a dataset are not those of what was read": Mutation(
        frozenset({"map runs"}), [Patch(Disk, "map_run_note_add", _note_wrongly)]
    ),
    "executions that have ended stay in memory": Mutation(frozenset({"leftovers", "ended"}), make_runtime=_Keeps),
}
"""By what goes wrong."""
