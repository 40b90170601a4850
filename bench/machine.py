"""What the figures depend on: the processor, the Python and the disk; and what /proc says of a process."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

_PROBE_WRITES = 200
_PROBE_BYTES = 4_096
_PROBE_RUNS = 9
_PROBE_STEPS = 100_000
_FLUSHES = 15
"""Which field of a disk's statistics counts them (Linux: Documentation/block/stat.rst)."""
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_MIB_PER_PAGE = os.sysconf("SC_PAGE_SIZE") / 1_048_576


def facts(folder: Path) -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "python_probe_ms": round(_python_probe() * 1e3, 1),
        "file_system": _file_system(folder),
        "fsync_median_us": round(_fsync_median(folder) * 1e6, 1),
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _python_probe() -> float:
    """Processor seconds of a fixed piece of Python: by how fast the processor is just now, and how the interpreter was
    built."""
    return statistics.median(_python_steps() for _ in range(_PROBE_RUNS))


def _python_steps() -> float:
    began = time.process_time()
    counts: dict[tuple[str, int], int] = {}
    for step in range(_PROBE_STEPS):
        key = "step", step % 100
        counts[key] = counts.get(key, 0) + len(str(step))
    return time.process_time() - began


def _file_system(folder: Path) -> str:
    """Type of the file system that holds `folder`: a memory file system would make every figure meaningless."""
    best = ("", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount) and len(mount) > len(best[0]):
            best = (mount, kind)
    return best[1]


def _fsync_median(folder: Path) -> float:
    """Seconds that one appended page takes to be on disk."""
    probe = folder / "fsync-probe"
    seconds = []
    with probe.open("wb", buffering=0) as file:
        for _ in range(_PROBE_WRITES):
            began = time.perf_counter()
            file.write(b"x" * _PROBE_BYTES)
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    probe.unlink()
    return statistics.median(seconds)


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _MIB_PER_PAGE


def peak_mib(pid: int) -> float:
    """The most resident memory that the process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def cpu_seconds(pid: int) -> float:
    """Processor time that one process has used, in all its threads; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def cpu_seconds_of_machine() -> float:
    """Processor time that everybody together has used, in user and system mode and for interrupts; and what the host of
    a virtual machine gave to others, which is as far away."""
    user, nice, system, _, _, interrupts, soft_interrupts, stolen, *_ = map(
        int, Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    )
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS_PER_SECOND


def flushes(folder: Path) -> int:
    """Cache flushes that the disk of this folder has completed; 0 where the system does not count them."""
    device = folder.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if (block / "partition").exists():
        block = block.resolve().parent
    try:
        counters = (block / "stat").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(counters[_FLUSHES]) if len(counters) > _FLUSHES else 0


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended since the listing
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found.extend(child for child, its_parent in parents.items() if its_parent == parent)
    return found
