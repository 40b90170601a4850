"""Map (distributed): its items are worked on by child executions of their own, which make up a map run.

    MapStateEntered ─ MapStateStarted ─ MapRunStarted ─┬─ MapRunSucceeded ─ MapStateSucceeded ─ MapStateExited
                                                       └─ MapRunFailed ─ MapStateFailed (unless it is tried again)

(Recorded: scenarios--map_state_config_distributed_parameters, map_item_reader_json_no_json_list_object.)

To the engine a map run is like a task: an attempt is opened by MapRunStarted, RunMap asks for it to be carried out,
and its outcome comes as TaskSucceeded, with what is the state's result, or TaskFailed.  Each attempt is a map run of
its own, whose ARN is made from the execution and the attempt: when it is asked for again after a restart,
what there is of it already is found by that.

The children are executions of another program, the state's processor; they see nothing of this execution but their
input.  A state under test starts none, and is an inline Map in all but name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

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
        data = self._input(turn, branch)
        concurrency = self._concurrency(turn, branch, data)
        items = None if self._reader is not None else self._read_items(turn, branch, data)
        turn.emit(branch, "MapStateStarted", {"length": 0 if items is None else len(items)})
        run = self._run(turn, branch, turn.execution.next_event, data, items, concurrency)
        turn.emit(branch, "MapRunStarted", {"mapRunArn": run.arn})
        turn.open_map_run(branch, run)

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
        turn.execution.close_attempt(branch)
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
        turn.execution.close_attempt(branch)
        turn.emit(branch, "MapRunFailed", error_details(error, cause))
        turn.fail_state(branch, error, cause, self.failed_type)


def _machine_arn(execution: Execution) -> str:
    """Of the machine itself, also where the execution is a child."""
    return execution.machine_arn.partition("/")[0]
