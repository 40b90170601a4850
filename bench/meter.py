"""What a stretch of work took: time, processor time of server and client, and flushes of the disk.

Flushes and the cores that others used are counted for the whole machine: there is nothing finer in Linux. So a figure
says whether it was measured in peace.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path
from types import TracebackType

from bench.machine import cpu_seconds, cpu_seconds_of_machine, flushes, tree

_SAMPLE_SECONDS = 0.05
_QUIET_SECONDS = 1.0
_QUIET_CPU_SECONDS = 0.02
"""Processor time that an idle server may use in a second: two ticks of the kernel's counting."""


class Meter:
    """A context; its figures are there when it has ended. The client is this process, and children that ended in
    the meantime (wrk)."""

    def __init__(self, *pids: int, disk: Path | None = None) -> None:
        """`pids`: the servers, whose children count as theirs. `disk`: a folder on the disk whose flushes count."""
        self._pids = pids
        self._disk = disk
        self.seconds = 0.0
        self.server_cpu = 0.0
        self.client_cpu = 0.0
        self.flushes = 0
        self.others = 0.0
        """Cores that others used on average: other processes, and other guests of the host."""

    def __enter__(self) -> Meter:
        self._machine = cpu_seconds_of_machine()
        self._server = self._of_servers()
        self._client = _of_client()
        self._flushes = self._of_disk()
        self._began = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._began
        self.flushes = self._of_disk() - self._flushes
        self.client_cpu = _of_client() - self._client
        self.server_cpu = self._of_servers() - self._server
        busy = cpu_seconds_of_machine() - self._machine - self.client_cpu - self.server_cpu
        self.others = max(0.0, busy) / self.seconds

    def _of_servers(self) -> float:
        return sum(cpu_seconds(process) for pid in self._pids for process in tree(pid))

    def _of_disk(self) -> int:
        return 0 if self._disk is None else flushes(self._disk)


def quiet_since(pid: int) -> float:
    """Wait until the process has done next to nothing for a second; since when (as `time.perf_counter` says)."""
    used, since = cpu_seconds(pid), time.perf_counter()
    while time.perf_counter() - since < _QUIET_SECONDS:
        time.sleep(_SAMPLE_SECONDS)
        now = cpu_seconds(pid)
        if now - used > _QUIET_CPU_SECONDS:
            used, since = now, time.perf_counter()
    return since


def _of_client() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
