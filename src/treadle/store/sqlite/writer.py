"""Group commit: all that is written goes through one connection, in order, many jobs to a transaction.

Theory of operation. A job is a callable that writes rows; jobs wait in a queue. A round takes jobs from it,
runs them in one transaction, commits, and answers those who wait. While one round commits, the queue fills
for the next, so the slower the disk, the larger the groups.

The rows are written on the event loop's thread; only COMMIT, which waits for the disk, has its own thread.
That is deliberate. Python's sqlite3 lets go of the interpreter lock for each row and then has to get it
back from a busy event loop, which can take milliseconds each time: measured on a busy loop, a hundred rows
took seconds from another thread. Written here, a row takes a few microseconds. A job that writes megabytes (an archive
with code takes tenths of a second) is the exception: it gets a round of its own, all of it on the writer's thread.

Each job has a savepoint, so one that fails (a Conflict, a bug in it) leaves no trace and does not hurt the
others of its group. It is told only after the commit: the row that it ran into may belong to the same group.
Trouble with the file ends the writer: that round and all that is queued fail, and nothing more is taken.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from treadle.store.contract import StoreUnusable
from treadle.store.sql.session import LARGE
from treadle.store.sqlite.database import Database
from treadle.store.sqlite.errors import is_busy, translate

ConnectionJob = Callable[[sqlite3.Connection], object]
_Outcome = tuple[asyncio.Future[None], Exception | None]

_ROUND_ROWS = 2_000
"""Executions that one round writes before it commits: bounds how long the event loop is kept."""

_BUSY_ATTEMPTS = 500
_BUSY_PAUSE_SECONDS = 0.01
"""How often, and after which pause, to ask again for a lock that another program holds for a moment."""


class GroupWriter:
    """Writes jobs in the order in which they come. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="treadle-commit")
        self._queue: deque[tuple[ConnectionJob, int, asyncio.Future[None]]] = deque()
        self._writing = False

    def submit(self, job: ConnectionJob, rows: int = 1) -> asyncio.Future[None]:
        """Queue `job`, which writes for about `rows` executions (LARGE: megabytes); done once what it wrote is on
        disk."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queue.append((job, rows, future))
        if not self._writing:
            # What else is submitted in this turn of the event loop joins the round.
            self._writing = True
            self._loop.call_soon(self._round, 0)
        return future

    def stop(self) -> None:
        """Let the thread end. The queue must be empty."""
        self._thread.shutdown()

    def _round(self, attempt: int) -> None:
        connection = self._database.writer
        group: list[_Outcome] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_busy(error) and attempt < _BUSY_ATTEMPTS:
                self._loop.call_later(_BUSY_PAUSE_SECONDS, self._round, attempt + 1)
            else:
                self._end(group, error)
            return
        rows = 0
        if self._queue and self._queue[0][1] == LARGE:
            job, _, future = self._queue.popleft()
            written = self._loop.run_in_executor(self._thread, self._run_and_commit, job)
            written.add_done_callback(lambda done: self._end_large(future, done))
            return
        while self._queue and rows < _ROUND_ROWS and self._queue[0][1] != LARGE:
            job, weight, future = self._queue.popleft()
            rows += weight
            failure = self._run(job)
            group.append((future, failure))
            if isinstance(failure, StoreUnusable):
                self._end(group, failure)
                return
        committed = self._loop.run_in_executor(self._thread, self._commit)
        committed.add_done_callback(lambda done: self._end(group, done.exception()))

    def _run(self, job: ConnectionJob) -> Exception | None:
        connection = self._database.writer
        try:
            connection.execute("SAVEPOINT job")
            try:
                job(connection)
            except BaseException:
                # A full disk has rolled the whole transaction back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO job")
                raise
            finally:
                if connection.in_transaction:
                    connection.execute("RELEASE job")
        except Exception as error:
            return translate(error, self._database.path)
        return None

    def _run_and_commit(self, job: ConnectionJob) -> Exception | None:
        failure = self._run(job)
        if not isinstance(failure, StoreUnusable):
            self._commit()
        return failure

    def _end_large(self, future: asyncio.Future[None], done: asyncio.Future[Exception | None]) -> None:
        trouble = done.exception()
        failure = None if trouble is not None else done.result()
        self._end([(future, failure)], failure if isinstance(failure, StoreUnusable) else trouble)

    def _commit(self) -> None:
        self._database.check_in_place()
        self._database.writer.execute("COMMIT")

    def _end(self, group: Sequence[_Outcome], trouble: BaseException | None) -> None:
        """Answer the group and begin the next round; or, if nothing can be written any more, refuse all."""
        if trouble is None:
            for future, error in group:
                _answer(future, error)
            self._writing = bool(self._queue)
            if self._writing:
                self._round(0)
            return
        reason = str(self._database.fail(trouble))
        refused = [future for future, _ in group] + [future for _, _, future in self._queue]
        self._queue.clear()
        self._writing = False
        for future in refused:
            _answer(future, StoreUnusable(reason))


def _answer(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():  # Its caller was cancelled. What it wrote stands.
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
