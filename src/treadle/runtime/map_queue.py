"""Map runs that wait, because as many of their account are open as may be.

AWS has such a backlog, too, behind the MapRunStarted event (AWS, "Monitoring Step Functions metrics using Amazon
CloudWatch", ApproximateMapRunBacklogSize).
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque

from treadle.runtime.map_run import Run


class MapQueue:
    def __init__(self, most: int) -> None:
        """`most`: map runs of one account that are open at once."""
        self._most = most
        self._open: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Run]] = defaultdict(deque)

    def enter(self, run: Run) -> bool:
        """Whether it may go on; else it waits, until `leave` gives it. One that is only to be stopped may always."""
        account = run.owner.account
        if self._open[account] >= self._most and not run.given_up:
            self._waiting[account].append(run)
            return False
        self._open[account] += 1
        run.counted = True
        return True

    def withdraw(self, run: Run) -> bool:
        """It does not wait any more. False: it did not."""
        waiting = self._waiting[run.owner.account]
        if run not in waiting:
            return False
        waiting.remove(run)
        return True

    def leave(self, run: Run) -> Run | None:
        """It has ended: which one may go on, if any."""
        if not run.counted:
            return None
        account = run.owner.account
        run.counted = False
        self._open[account] -= 1
        waiting = self._waiting[account]
        if not waiting or self._open[account] >= self._most:
            return None
        following = waiting.popleft()
        self.enter(following)
        return following
