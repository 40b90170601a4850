"""Map (distributed): its items are worked on by child executions of their own, which make up a map run.

    MapStateEntered ─ MapStateStarted ─ MapRunStarted ─┬─ MapRunSucceeded ─ MapStateSucceeded ─ MapStateExited
                                                       └─ MapRunFailed ─ MapStateFailed (unless it is tried again)

(Recorded: scenarios--map_state_config_distributed_parameters, map_item_reader_json_no_json_list_object.)

To the engine a map run is like a task: an attempt is opened by MapRunStarted, RunMap asks for it to be carried out,
and its outcome comes as TaskSucceeded, with what is the state's result, or TaskFailed.  Each try is a map run of
its own, whose ARN is made from the execution and the attempt: when it is asked for again after a restart,
what there is of it already is found by that.

A redrive of the execution goes on with the last map run of the state: MapRunRedriven takes the place of
MapStateStarted and MapRunStarted, and opens another attempt for the same run.

The children are executions of another program, the state's processor; they see nothing of this execution but their
input.  A state under test starts none, and is an inline Map in all but name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from treadle.document import Document
from treadle.engine.context import context_object, with_item
from treadle.engine.execution import MapItem, Phase
from treadle.engine.map_children import ItemSource, MapChildren
from treadle.engine.signals import RunMap
from treadle.engine.states.item_reader import ItemReader
from treadle.engine.states.map_state import MapNode
from treadle.engine.states.result_writer import ResultWriter
from treadle.engine.turn import error_details
from treadle.expressions.bindings import Bindings
from treadle.expressions.errors import EvaluationError
from treadle.language.definition import MapState

_BEGUN_ANEW = frozenset({"States.DataLimitExceeded", "States.Runtime", "States.ItemReaderFailed"})
"""After these errors a redrive begins another map run: the first two are AWS's (page "Redriving Map Runs"); the last
one's dataset was not there or not fit to be read, and has to be another one to be of use."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.engine.execution import Branch, Execution
    from treadle.engine.failure import Handlers
    from treadle.engine.fields import FieldCompiler
    from treadle.engine.node import ScopeProgram
    from treadle.engine.turn import Turn


class DistributedMapNode(MapNode):
    def __init__(self, state: MapState, compiler: FieldCompiler, scope: ScopeProgram, handlers: Handlers) -> None:
        super().__init__(state, compiler, scope, handlers)
        self._label = state.label
        self._reader = None if state.item_reader is None else ItemReader(compiler, state.item_reader)
        # An empty one is taken, and says nothing.
        self._writer = None if not state.result_writer else ResultWriter(compiler, state.result_writer)

    # -- going out -----------------------------------------------------------------------------------------

    def execute(self, turn: Turn, branch: Branch) -> None:
        if turn.execution.probe is not None:
            super().execute(turn, branch)
            return
        if branch.map_run is not None:
            self._redrive(turn, branch, branch.map_run)
            return
        data = self._input(turn, branch)
        concurrency = self._concurrency(turn, branch, data)
        items = None if self._reader is not None else self._read_items(turn, branch, data)
        turn.emit(branch, "MapStateStarted", {"length": 0 if items is None else len(items)})
        run = self._run(turn, branch, turn.execution.next_event, data, items, concurrency)
        turn.emit(branch, "MapRunStarted", {"mapRunArn": run.arn})
        turn.open_map_run(branch, run)

    def _redrive(self, turn: Turn, branch: Branch, run: RunMap) -> None:
        redrives = run.redrives + 1
        if redrives > turn.limits.map_run_redrives:
            # AWS's wording is not known.
            cause = f"The map run was redriven {run.redrives} times, which is the maximum."
            turn.fail_state(branch, "States.Runtime", cause, self.failed_type)
            return
        turn.emit(branch, "MapRunRedriven", {"mapRunArn": run.arn, "redriveCount": redrives})
        self.go_on(turn, branch, branch.last_event, redrives)

    def go_on(self, turn: Turn, branch: Branch, attempt: int, redrives: int) -> None:
        """What a MapRunRedriven event with the id `attempt` does."""
        assert branch.map_run is not None
        turn.open_map_run(branch, replace(branch.map_run, attempt=attempt, redrives=redrives))

    def fork_again(self, turn: Turn, branch: Branch) -> None:
        """What the fold does for a MapStateStarted event: MapRunStarted follows, if nothing failed before it."""

    def run_again(self, turn: Turn, branch: Branch, attempt: int) -> RunMap:
        """What the fold does for a MapRunStarted event."""
        # The items were evaluated before the event that came before it: the same place gives the same seed.
        turn.execution.next_event = attempt - 1
        data = self._input(turn, branch)
        concurrency = self._concurrency(turn, branch, data)
        items = None if self._reader is not None else self._read_items(turn, branch, data)
        turn.execution.next_event = attempt
        return self._run(turn, branch, attempt, data, items, concurrency)

    def _run(
        self, turn: Turn, branch: Branch, attempt: int, data: Document, items: list[Any] | None, concurrency: int
    ) -> RunMap:
        """`items`: None if its ItemReader says where they are."""
        execution = turn.execution
        source: list[Any] | ItemSource
        if items is None:
            assert self._reader is not None
            source = self._reader.source(turn, branch, data)
        else:
            source = items
        count, percentage = map(self._tolerated.get, ("toleratedFailureCount", "toleratedFailurePercentage"))
        batches = None if self._batcher is None else self._batcher.batches(turn, branch, data)
        label = self._label or str(uuid5(NAMESPACE_URL, f"{_machine_arn(execution)}/{self.name}"))
        unique = uuid5(NAMESPACE_URL, f"{execution.arn}#{execution.started}#{attempt}")
        return RunMap(
            attempt=attempt,
            arn=f"{_machine_arn(execution).replace(':stateMachine:', ':mapRun:', 1)}/{label}:{unique}",
            machine_arn=f"{_machine_arn(execution)}/{label}",
            state_name=self.name,
            children=MapChildren(
                source, self._selecting(turn, branch, data), batches, execution.program.limits.payload_bytes
            ),
            concurrency=concurrency,
            tolerated_count=0 if count is None else int(count(turn, branch, data)),
            tolerated_percentage=0.0 if percentage is None else percentage(turn, branch, data),
            target=None if self._writer is None else self._writer.target(turn, branch, data),
        )

    def _selecting(self, turn: Turn, branch: Branch, data: Document) -> Callable[[MapItem], Document]:
        """ItemSelector, with what it sees as it is now."""
        selector = self._item_selector
        if selector is None:
            return lambda item: Document(item.value)
        facts = context_object(turn.execution, branch, None)
        seen = branch.input.value if self._jsonata else data.value
        variables, now = branch.variables, turn.now
        seed = f"{turn.execution.arn}#{branch.entered_id}"

        def select(item: MapItem) -> Document:
            bindings = Bindings(seen, lambda: with_item(facts, item), variables, now=now, seed=f"{seed}[{item.index}]")
            return Document(selector(bindings))

        return select

    # -- coming back ---------------------------------------------------------------------------------------

    def task_succeeded(self, turn: Turn, branch: Branch, output: Document) -> None:
        """`output`: the array of the children's outputs, or what a ResultWriter makes of it.

        MapStateExited is linked to MapRunStarted; to MapRunSucceeded where the Map is the execution's first state
        and its language JSONPath.  (Recorded: scenarios--map_state_nested_config_distributed, map_state_label,
        map_item_reader_base_json_max_items_jsonata.  Why, is not known.)
        """
        assert branch.attempt is not None
        started = branch.attempt.id
        close_map_run(turn.execution, branch)
        turn.emit(branch, "MapRunSucceeded", {})
        turn.emit(branch, "MapStateSucceeded", {})
        if self._jsonata or branch.before_entry:
            branch.last_event = started
        branch.phase = Phase.ENTERED
        try:
            turn.leave(branch, self._output(turn, branch, output), self.next)
        except EvaluationError as error:
            turn.fail_evaluation(branch, error)

    def task_failed(self, turn: Turn, branch: Branch, error: str | None, cause: str | None) -> None:
        close_map_run(turn.execution, branch, error)
        turn.emit(branch, "MapRunFailed", error_details(error, cause))
        turn.fail_state(branch, error, cause, self.failed_type)


def close_map_run(execution: Execution, branch: Branch, failed_with: str | None = "States.Runtime") -> None:
    """The branch's map run has succeeded, or failed with this error. One that succeeded is done with: if what the
    state makes of its result fails, the run is begun anew, as after that error."""
    execution.close_attempt(branch)
    if failed_with in _BEGUN_ANEW:
        branch.map_run = None


def _machine_arn(execution: Execution) -> str:
    """Of the machine itself, also where the execution is a child."""
    return execution.machine_arn.partition("/")[0]
