"""The workload `peers`: all of them in turns, so that what disturbs the machine disturbs all alike."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.peers.environments import NotThere
from bench.peers.measures import Results, Size
from bench.peers.step_functions import Failed
from bench.peers.table import MINISTACK, PEERS, TREADLE, TREADLE_BY_WRK, Run
from bench.rig import Rig
from bench.workloads.functions import functions

CACHE = Path("~/.cache/treadle-bench").expanduser()

_NAMES = {
    "w1.rate": ("W1: chains of 5 steps, 64 clients", "exec/s"),
    "w2.chain": ("W2: one execution of 500 steps", "ms"),
    "w3.map": ("W3: 1,000 steps at once", "ms"),
    "w4.standard.p50": ("W4: start one step and wait for its end, p50", "ms"),
    "w4.standard.p99": ("W4: start one step and wait for its end, p99", "ms"),
    "w4.sync.p50": ("W4: StartSyncExecution, p50", "ms"),
    "w4.sync.p99": ("W4: StartSyncExecution, p99", "ms"),
}


def peers(rig: Rig) -> Iterator[Figure]:
    """Treadle is asked by the same client in Python as the others, which is most of what it takes then. A ratio of 10
    says that Treadle has 10 times the rate, or a tenth of the time."""
    rounds, size = rig.size(3, 1), Size(seconds=rig.size(10, 4), rounds=rig.size(3, 2), requests=rig.size(300, 100))
    ready, missing = _prepared()
    samples: dict[str, Results] = {peer.name: {} for peer in PEERS}
    for _ in range(rounds):
        for name, run in list(ready.items()):
            try:
                with tempfile.TemporaryDirectory(dir=rig.scratch, ignore_cleanup_errors=True) as folder:
                    results = run(rig, Path(folder), size)
            except (NotThere, Failed, OSError, TimeoutError) as error:
                missing[name] = f"{type(error).__name__}: {error}"[:160]
                del ready[name]
                continue
            for key, values in results.items():
                samples[name].setdefault(key, []).extend(values)
    for key, (what, unit) in _NAMES.items():
        yield from _row(key, what, unit, samples, missing)


def functions_of_ministack(rig: Rig) -> Iterator[Figure]:
    """`lambda` for the one peer that runs code without containers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    commands = MINISTACK.install(CACHE)
    with tempfile.TemporaryDirectory(dir=rig.scratch) as folder, MINISTACK.serving(commands, Path(folder)) as port:
        yield from functions(port, "MiniStack", cold=rig.size(15, 5), warm=rig.size(300, 100))


def _prepared() -> tuple[dict[str, Run], dict[str, str]]:
    """Those that can run, and why the others cannot."""
    ready, missing = {}, {}
    CACHE.mkdir(parents=True, exist_ok=True)
    for peer in PEERS:
        try:
            ready[peer.name] = peer.prepare(CACHE)
        except NotThere as error:
            missing[peer.name] = str(error)
    return ready, missing


def _row(key: str, what: str, unit: str, samples: dict[str, Results], missing: dict[str, str]) -> Iterator[Figure]:
    ours = Figure("", unit, samples[TREADLE].get(key, []))
    for peer in PEERS:
        if peer.name == TREADLE_BY_WRK and not key.startswith("w1."):
            continue
        theirs = Figure(
            f"{what}: {peer.name}{'' if peer.durable else ' (in memory)'}",
            unit,
            samples[peer.name].get(key, []),
            key=f"{key}@{peer.name}",
            note=missing.get(peer.name, ""),
        )
        if theirs.samples and ours.samples and peer.name not in {TREADLE, TREADLE_BY_WRK}:
            ratio = ours.median / theirs.median
            times = ratio if unit.endswith("/s") else 1 / ratio
            theirs = Figure(theirs.name, unit, theirs.samples, f"Treadle: {times:.3g} times", theirs.key)
        yield theirs
