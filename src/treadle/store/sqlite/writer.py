"""Group commit: all that is written goes through one connection, in order, many jobs to a transaction.

Theory of operation. A job is a callable that writes rows; jobs wait in a queue. A round takes jobs from it,
runs them in one transaction, commits, and answers those who wait. While one round commits, the queue fills
for the next, so the slower the disk, the larger the groups.

The rows are written on the event loop's thread; only COMMIT, which waits for the disk, has its own thread.
That is deliberate. Python's sqlite3 lets go of the interpreter lock for each row and then has to get it
back from a busy event loop, which can take milliseconds each time: measured on a busy loop, a hundred rows
took seconds from another thread. Written here, a row takes a few microseconds. A job that writes megabytes (an archive
with code takes tenths of a second) is the exception: it gets a round of its own, all of it on the writer's thread.

A job that fails (a Conflict, a bug in it) leaves no trace and does not hurt the others of its group. Few ever do, and
a savepoint for each job costs a third of what the rows cost, because SQLite then copies every page before it is
changed. So a group is run without savepoints first. If a job fails, all of it is rolled back, and the same jobs are
run anew, each behind a savepoint. Nothing but its outcome may come of a job, therefore: it is called twice at times.
It is answered only after the commit: the row that it ran into may belong to the same group.

Trouble with the file ends the writer: that round and all that is queued fail, and nothing more is taken. A full disk
does not, because SQLite has written nothing then that counts: the jobs of the round go back to the head of the queue,
and are tried again every second until there is room. So nobody is told that something failed which is still to be
done, and who comes in the meantime can see that the disk is `full`. An fsync that fails is another matter: what is on
the disk is not known then.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

from treadle.store.contract import StoreUnusable
from treadle.store.sql.session import LARGE
from treadle.store.sqlite.database import Database
from treadle.store.sqlite.errors import DiskFull, is_busy, translate

_log = logging.getLogger(__name__)

ConnectionJob = Callable[[sqlite3.Connection], Any]

_ROUND_ROWS = 2_000
"""Executions that one round writes before it commits: bounds how long the event loop is kept."""

_BUSY_ATTEMPTS = 500
_BUSY_PAUSE_SECONDS = 0.01
"""How often, and after which pause, to ask again for a lock that another program holds for a moment."""

_ROOM_PAUSE_SECONDS = 1.0
"""After which pause it is tried again whether there is room on a full disk."""


class _Queued:
    """A job in the queue, and then what came of it."""

    __slots__ = ("apart", "failure", "future", "job", "result", "rows")

    def __init__(self, job: ConnectionJob, rows: int, future: asyncio.Future[Any]) -> None:
        self.job = job
        self.rows = rows
        self.future = future
        self.apart = False
        """One of its group has failed: it is run behind a savepoint."""
        self.result: Any = None
        self.failure: Exception | None = None

    def answer(self) -> None:
        if self.future.done():  # Its caller was cancelled. What it wrote stands.
            return
        if self.failure is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.failure)


class GroupWriter:
    """Writes jobs in the order in which they come. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._thread = _CommitThread(self._loop)
        self._queue: deque[_Queued] = deque()
        self._writing = False
        self._may_wait = True
        self.full = False
        """Whether what is queued waits for room on the disk."""

    def submit(self, job: ConnectionJob, rows: int = 1) -> asyncio.Future[Any]:
        """Queue `job`, which writes for about `rows` executions (LARGE: megabytes); done with its result once what it
        wrote is on disk."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.append(_Queued(job, rows, future))
        if not self._writing:
            # What else is submitted in this turn of the event loop joins the round.
            self._writing = True
            self._loop.call_soon(self._round, 0)
        return future

    def hurry(self) -> None:
        """Wait for room on the disk no more: a full one is trouble like any other from now on."""
        self._may_wait = False

    def stop(self) -> None:
        """Let the thread end. The queue must be empty."""
        self._thread.stop()

    def _round(self, attempt: int) -> None:
        try:
            self._database.writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if is_busy(error) and attempt < _BUSY_ATTEMPTS:
                self._loop.call_later(_BUSY_PAUSE_SECONDS, self._round, attempt + 1)
            else:
                self._end((), error)
            return
        group = self._next_group()
        if len(group) == 1 and group[0].rows == LARGE:
            self._thread.carry_out(lambda: self._write_and_commit(group), lambda error: self._end(group, error))
            return
        try:
            written = self._write(group)
            self._database.check_in_place()
        except Exception as error:
            self._end(group, error)
            return
        if written:
            self._thread.carry_out(self._commit, lambda error: self._end(group, error))
        else:
            self._queue.extendleft(reversed(group))
            self._round(0)

    def _next_group(self) -> list[_Queued]:
        queue, rows = self._queue, 0
        group: list[_Queued] = []
        while queue and rows < _ROUND_ROWS and (not group or queue[0].rows != LARGE):
            group.append(queue.popleft())
            rows += group[-1].rows
            if group[-1].rows == LARGE:
                break
        return group

    def _write(self, group: Sequence[_Queued]) -> bool:
        """Run the jobs. False: one failed, none of it is written, and they are to be run apart. Raises
        StoreUnusable."""
        connection = self._database.writer
        try:
            for each in group:
                if each.apart:
                    self._write_apart(each)
                else:
                    each.result = each.job(connection)
        except BaseException as error:
            # A full disk has rolled it back already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not isinstance(error, Exception):
                raise
            known = translate(error, self._database.path)
            if isinstance(known, StoreUnusable):
                raise known from error
            for each in group:
                each.apart = True
            return False
        return True

    def _write_apart(self, each: _Queued) -> None:
        """Raises StoreUnusable."""
        connection = self._database.writer
        connection.execute("SAVEPOINT job")
        try:
            each.result = each.job(connection)
        except Exception as error:
            known = translate(error, self._database.path)
            if isinstance(known, StoreUnusable):
                raise known from error
            connection.execute("ROLLBACK TO job")
            each.failure = known
        connection.execute("RELEASE job")

    def _write_and_commit(self, group: Sequence[_Queued]) -> None:
        """On the writer's thread, a single job."""
        for each in group:
            each.apart = True
        self._write(group)
        self._database.check_in_place()
        self._commit()

    def _commit(self) -> None:
        """In one call, which has to wait for the interpreter lock once, when it is done: to execute the statement
        takes several, and each of them keeps the event loop busy with handing over the lock."""
        self._database.writer.commit()

    def _end(self, group: Sequence[_Queued], trouble: BaseException | None) -> None:
        """Answer the group and begin the next round; or, if nothing can be written any more, refuse all."""
        if trouble is None:
            if self.full and group:
                self.full = False
                _log.warning("There is room on the disk of %s again: what waited goes on", self._database.path)
            for each in group:
                each.answer()
            self._writing = bool(self._queue)
            if self._writing:
                self._round(0)
            return
        if self._may_wait and isinstance(trouble, Exception):
            known = translate(trouble, self._database.path)
            if isinstance(known, DiskFull):
                self._wait_for_room(group, known)
                return
        reason = str(self._database.fail(trouble))
        refused = [*group, *self._queue]
        self._queue.clear()
        self._writing = False
        for each in refused:
            each.failure = StoreUnusable(reason)
            each.answer()

    def _wait_for_room(self, group: Sequence[_Queued], trouble: DiskFull) -> None:
        connection = self._database.writer
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if not self.full:
            self.full = True
            _log.error("%s. What is to be written waits until there is room", trouble)
        for each in group:
            each.failure = None  # What it ran into was not committed either.
        self._queue.extendleft(reversed(group))
        self._loop.call_later(_ROOM_PAUSE_SECONDS, self._round, 0)


class _CommitThread:
    """One thread that does what it is told, one thing after another, and tells the event loop of each. An executor
    takes three times as long to hand a thing over and back."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._work: SimpleQueue[tuple[Callable[[], object], Callable[[BaseException | None], None]] | None]
        self._work = SimpleQueue()
        self._thread = Thread(target=self._run, name="treadle-commit", daemon=True)
        self._thread.start()

    def carry_out(self, work: Callable[[], object], done: Callable[[BaseException | None], None]) -> None:
        """`done` is called on the event loop, with what `work` raised."""
        self._work.put((work, done))

    def stop(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (next_one := self._work.get()) is not None:
            work, done = next_one
            failure: BaseException | None = None
            try:
                work()
            except BaseException as error:
                failure = error
            self._loop.call_soon_threadsafe(done, failure)
