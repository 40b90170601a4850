"""The invariants: what must hold at every commit, at every answer, and when everything is over.

invariant        what it says
ids              events count from 1 without a gap, and follow earlier ones
one start        an execution starts once
one end          it ends once for each time that it began, and nothing happens to it in between
time             a history does not go backwards, and is not ahead of the clock
transitions      a branch leaves a state before it enters another, and goes where the definition leads
joins            the output of a Map or Parallel is those of its children, in order
attempts         a scheduled task ends once
outcomes         an outcome in a history is one that somebody gave
early timer      nothing that is due happens before that
late timer       nothing that is due waits although the server is well
row              the row of an execution says what its journal says
fold             the fold of a journal gives what its row says
commit first     nothing is carried out and nothing answered that is not on disk
acknowledged     what was answered is so, and stays so
exactly once     a token is used once, a task is given to one worker
lost outcome     what a task reports to a server that goes on takes effect
map runs         a map run ends when its children have, and has one for each place
ended            when the world is calm, everything ends
leftovers        when everything has ended, nothing is in memory, and no task at work
no bugs          nothing raises that nobody expects
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from treadle.document import Document
from treadle.engine.fold import fold
from treadle.engine.history import HistoryEvent, decode_events
from treadle.engine.program import Program, compile_definition
from treadle.limits import Limits
from treadle.runtime.resident import new_execution, row_of
from treadle.runtime.tokens import NamedTask
from treadle.store.contract import Commit, ExecutionRow
from treadle.store.map_run_contract import MapRun
from treadle.tasks.contract import TaskOutcome, TaskRequest

from .datasets import Shelf, item
from .disk import Disk, changed
from .histories import Attempt, Complain, History, Rules, rules_of
from .tasks import Call, Services

_TOKEN_MILLISECONDS = 15 * 60 * 1_000
"""How long a redrive is known by its client's token (AWS, RedriveExecution)."""


class Checks:
    def __init__(self, disk: Disk, services: Services, shelf: Shelf, limits: Limits, complain: Complain) -> None:
        self._disk = disk
        self._shelf = shelf
        self._services = services
        self._limits = limits
        self._complain = complain
        self._histories: dict[int, History] = {}
        self._rules: dict[tuple[str, str | None], Rules] = {}
        self._programs: dict[str, Program] = {}
        self._used: Counter[str] = Counter()
        self._taken: Counter[str] = Counter()
        self._started: dict[str, float] = {}
        """By ARN: when the start was answered to be."""
        self.now = 0
        """The latest that any clock has shown, in milliseconds."""
        self.undisturbed_since = 0
        """From this time of the clock on the server was there, and the clock went on evenly."""

    # -- at every commit -------------------------------------------------------------------------------------

    def committed(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            if commit.execution.id in self._disk.entries:
                self._add(commit)

    def _add(self, commit: Commit) -> None:
        row = self._disk.executions[commit.execution.id]
        history = self._histories.get(row.id)
        if history is None:
            history = self._histories[row.id] = History(row.arn, row.started, self._rules_of(row), self._complain)
        if commit.row_unchanged and changed(row, commit.execution) != row:
            self._complain("row", f"{row.arn}: it was not written that its row has changed to {commit.execution}")
        events = [] if commit.entry is None else decode_events(commit.entry.events)
        for event in events:
            self._check_late(history, event)
            history.add(event, self.now, self._given(history, row, event), self._children(history, event))
        numbers = [event.id for event in events if event.id]
        if commit.entry is not None and numbers:
            told = (commit.entry.first_event, commit.entry.last_event)
            if told != (numbers[0], numbers[-1]):
                self._complain("row", f"{row.arn}: the entry of events {numbers} says {told}")
        self._check_row(row, history)

    def _rules_of(self, row: ExecutionRow) -> Rules:
        state = None if row.map_run is None else self._disk.map_runs[row.map_run].state
        found = self._rules.get((row.revision_id, state))
        if found is None:
            definition = json.loads(self._disk.revisions[row.revision_id].definition)
            if state is not None:
                definition = _processor_of(definition, state)
            found = self._rules[(row.revision_id, state)] = rules_of(definition)
        return found

    def _given(self, history: History, row: ExecutionRow, event: HistoryEvent) -> Sequence[TaskOutcome]:
        attempt = history.attempt_of(event.branch)
        return () if attempt is None else self._services.given.get((row.arn, attempt.id), ())

    def _children(self, history: History, event: HistoryEvent) -> Sequence[ExecutionRow]:
        arn = history.map_run_of(event.branch)
        if arn is None or arn not in self._disk.map_runs:
            return ()
        rows = [self._disk.executions[number] for _, number in sorted(self._disk.children[arn].items())]
        if event.type in ("MapRunSucceeded", "MapRunFailed"):
            run = self._disk.map_runs[arn]
            if run.status == "RUNNING" or any(row.status == "RUNNING" for row in rows):
                self._complain("map runs", f"{arn} is said to have ended, and has not, or not with all its children")
            if run.status == "SUCCEEDED" and run.children != len(rows):
                self._complain("map runs", f"{arn} has {len(rows)} children, not {run.children}")
            if run.results_written:
                self._check_files(run, rows)
        return rows

    def _check_files(self, run: MapRun, rows: Sequence[ExecutionRow]) -> None:
        """Every child that has succeeded is in the files once, in order."""
        folder = run.arn.rpartition(":")[2]
        manifest = json.loads(self._shelf.files.get(f"{folder}/manifest.json", b"null"))
        if manifest is None:
            self._complain("map runs", f"{run.arn} says that its results are written, and there is no manifest")
            return
        files = [self._shelf.files.get(file["Key"], b"[]") for file in manifest["ResultFiles"]["SUCCEEDED"]]
        written = [result["ExecutionArn"] for file in files for result in json.loads(file)]
        if written != [row.arn for row in rows if row.status == "SUCCEEDED"]:
            self._complain("map runs", f"{run.arn} has written the results of {written}")

    def _check_items(self, run: MapRun) -> None:
        """The children of a dataset work on the items of one version of it, which is the one of the note."""
        notes = self._disk.map_run_notes(run.arn)
        if notes:
            for place, number in self._disk.children[run.arn].items():
                row = self._disk.executions[number]
                if json.loads(row.input) != item(notes[0].decode(), place):
                    self._complain("map runs", f"{row.arn} works on {row.input}, at place {place} of {notes[0]!r}")

    def _check_late(self, history: History, event: HistoryEvent) -> None:
        """Nobody sleeps through his time and is then taken for overdue."""
        if event.type == "ExecutionTimedOut":
            patience = 2 * 60 * 1_000
            for due in history.overdue(event.timestamp - patience):
                if due > self.undisturbed_since:
                    late = event.timestamp - due
                    self._complain("late timer", f"{history.arn} timed out while a wait was {late} ms overdue")

    def _check_row(self, row: ExecutionRow, history: History) -> None:
        ended = history.ended
        expected: tuple[Any, ...] = ("RUNNING", None, None)
        if ended is not None:
            status = ended.type.removeprefix("Execution").upper().replace("TIMEDOUT", "TIMED_OUT")
            expected = (status, ended.timestamp, ended.details.get("output"))
        if (row.status, row.stopped, row.output) != expected or row.redrives != history.redrives:
            self._complain("row", f"{row.arn}: {row.status} at {row.stopped}, not {expected}; {row.redrives} redrives")

    # -- what the server does --------------------------------------------------------------------------------

    def task_begun(self, named: NamedTask, *, is_open: bool) -> None:
        """The runtime has given out a task, which must be on disk and, if `is_open`, must not have ended."""
        attempt = self._attempt(named)
        if ":express:" not in named.execution_arn and (attempt is None or (is_open and attempt.closed is not None)):
            text = f"{named.execution_arn}: attempt {named.attempt} is carried out, and not open"
            self._complain("commit first", text)

    def _attempt(self, named: NamedTask) -> Attempt | None:
        history = self._histories.get(named.execution_id)
        return None if history is None else history.attempts.get(named.attempt)

    def _is_open(self, named: NamedTask) -> bool:
        attempt = self._attempt(named)
        return attempt is not None and attempt.closed is None

    def outcome_taken(self, request: TaskRequest, named: NamedTask, outcome: TaskOutcome) -> None:
        """An outcome was reported a while ago, and the server has been well since then."""
        attempt = self._attempt(named)
        if attempt is None or attempt.closed is not None:
            return  # Of an Express execution there is no history.
        answered = request.resource.answered_by_token and outcome.output is not None
        if not (attempt.submitted and (outcome.submitted or answered)):
            self._complain("lost outcome", f"{named.execution_arn}: attempt {named.attempt} has never heard of it")

    def answered(self, operation: str, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """The server has made this answer to a request. What it says must be on disk."""
        check = {
            "StartExecution": self._check_start,
            "StopExecution": self._check_stop,
            "RedriveExecution": self._check_redrive,
            "DeleteStateMachine": self._check_delete,
            "GetActivityTask": self._check_taken,
            "SendTaskSuccess": self._check_used,
            "SendTaskFailure": self._check_used,
        }.get(operation)
        if check is not None:
            check(request, answer)

    def _check_start(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        arn = answer["executionArn"]
        if ":express:" in arn:
            return
        row = self._disk.execution_get(arn)
        if row is None or row.id not in self._histories:
            self._complain("commit first", f"the start of {arn} is answered, and not on disk")
        elif row.input != request["input"]:
            self._complain("acknowledged", f"{arn} was started with another input")
        elif self._started.setdefault(arn, answer["startDate"]) != answer["startDate"]:
            self._complain("exactly once", f"{arn} has started at {self._started[arn]} and at {answer['startDate']}")

    def _check_stop(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        row = self._disk.execution_get(request["executionArn"])
        if row is None or not self._histories[row.id].ends:
            self._complain("commit first", f"the stop of {request['executionArn']} is answered, and not on disk")

    def _check_redrive(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        row = self._disk.execution_get(request["executionArn"])
        records = [] if row is None else self._disk.redrives(row.id, 100)
        times = [record.redriven for record in records if record.client_token == request["clientToken"]]
        if not times:
            self._complain("commit first", f"the redrive of {request['executionArn']} is answered, and not on disk")
        if any(later - earlier < _TOKEN_MILLISECONDS for later, earlier in pairwise(times)):
            self._complain("exactly once", f"{request['executionArn']} was redriven twice at one request")

    def _check_delete(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        machine = self._disk.machine_get(request["stateMachineArn"])
        if machine is not None and machine.status == "ACTIVE":
            self._complain("commit first", f"the deletion of {machine.arn} is answered, and not on disk")

    def _check_taken(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        if "taskToken" not in answer:
            return
        named = self._services.named(answer["taskToken"])
        attempt = self._attempt(named)
        if attempt is None or not (attempt.taken or self._is_full(attempt)):
            self._complain("commit first", f"a worker gets {named}, which is not on disk")
        self._taken[answer["taskToken"]] += 1
        if self._taken[answer["taskToken"]] > 1:
            self._complain("exactly once", f"two workers have {named}")

    def _check_used(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        named = self._services.named(request["taskToken"])
        attempt = self._attempt(named)
        closed = None if attempt is None else attempt.closed
        field = "output" if "output" in request else "error"
        if (
            attempt is None
            or closed is None
            or (closed.details.get(field) != request[field] and not self._is_full(attempt))
        ):
            self._complain("commit first", f"an answer to {named} is acknowledged, and not on disk")
        self._used[request["taskToken"]] += 1
        if self._used[request["taskToken"]] > 1:
            self._complain("exactly once", f"two answers to {named} are acknowledged")

    def _is_full(self, attempt: Attempt) -> bool:
        """Whether there was no room in the history any more for what happened to the attempt."""
        return attempt.closed is not None and attempt.closed.id == self._limits.history_events

    def refused(self, operation: str, request: dict[str, Any], code: str) -> None:
        """The server has refused a request."""
        if operation.startswith("SendTask"):
            named = self._services.named(request["taskToken"])
            if code != "TaskTimedOut" or ":express:" in named.execution_arn:
                self._complain("acknowledged", f"{operation} for {named} is refused with {code}")
            elif self._is_open(named):
                self._complain("acknowledged", f"{named} is said to be over, and is open on disk")

    # -- in the end ------------------------------------------------------------------------------------------

    def open_things(self) -> list[str]:
        """What has not ended yet."""
        return [
            *(row.arn for row in self._disk.executions.values() if row.status == "RUNNING"),
            *(run.arn for run in self._disk.map_runs_running()),
            *self._disk.machines_deleting(),
        ]

    def finally_(self, at_work: Iterable[Call]) -> None:
        """Everything is over. `at_work`: tasks that have neither reported nor been cancelled."""
        for call in at_work:
            if not self._is_answered(call.named):
                self._complain("cancelled", f"{call.named.execution_arn}: nobody has cancelled {call.named.attempt}")
        for row in self._disk.executions.values():
            if ":express:" not in row.arn:
                self._check_fold(row)
        for arn, taken in self._disk.children.items():
            self._check_items(self._disk.map_runs[arn])
            if self._disk.map_runs[arn].redrives == 0 and any(
                self._disk.executions[number].awaits_redrive for number in taken.values()
            ):
                self._complain("map runs", f"children of {arn} await a redrive that nobody has asked for")
            if sorted(taken) != list(range(len(taken))) and self._disk.map_runs[arn].status == "SUCCEEDED":
                self._complain("map runs", f"{arn} has children at the places {sorted(taken)}")

    def _is_answered(self, named: NamedTask) -> bool:
        """Whether somebody has who had its token: what the task does then is its own business."""
        attempt = self._attempt(named)
        closed = None if attempt is None else attempt.closed
        return closed is not None and closed.type.endswith(("Succeeded", "Failed"))

    def _check_fold(self, row: ExecutionRow) -> None:
        events = [event for entry in self._disk.journal(row.id) for event in decode_events(entry.events)]
        program = self._program(row)
        execution = new_execution(row, program, "role", Document(text=row.input), _Nobody())
        try:
            fold(execution, events)
        except Exception as error:
            self._complain("fold", f"{row.arn}: {error!r}")
            return
        folded = row_of(row, execution, more=False)
        if folded != row or execution.attempts:
            self._complain("fold", f"{row.arn}: {folded} is not {row}")

    def _program(self, row: ExecutionRow) -> Program:
        program = self._programs.get(row.revision_id)
        if program is None:
            definition = self._disk.revisions[row.revision_id].definition
            made = compile_definition(definition, "STANDARD", self._limits, lambda resource: None)
            assert made.program is not None, made.diagnostics
            program = self._programs[row.revision_id] = made.program
        return program if row.map_run is None else program.children[self._disk.map_runs[row.map_run].state]


class _Nobody:
    """Implements `engine.execution.Outside` for a fold, which asks for no more than the tokens that it finds."""

    def task_token(self, attempt: int) -> str:
        return ""

    def activity_exists(self, arn: str) -> bool:
        return True

    def unusable(self, resource: Any, parameters: Document) -> str | None:
        return None


def _processor_of(definition: dict[str, Any], state: str) -> dict[str, Any]:
    """What the Map state of this name runs for its items."""
    waiting = [definition]
    while waiting:
        scope = waiting.pop()
        for name, found in scope["States"].items():
            if name == state:
                processor: dict[str, Any] = found["ItemProcessor"]
                return processor
            waiting += found.get("Branches", ())
            waiting += [found["ItemProcessor"]] if "ItemProcessor" in found else []
    raise LookupError(state)
