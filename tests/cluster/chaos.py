"""Nodes under load while everything that may go wrong does, at random: `python -m tests.cluster.chaos --minutes 5`.

Clients start executions at any node, and insist: each start is sent again until it is answered. Workers take tasks
of an activity from any node and answer them at any other; some executions are stopped. Meanwhile nodes are killed,
stand still, leave and come back, PostgreSQL crashes, and connections to it are cut, slow, or swallow what is sent. In
the end everything is mended, and then it must hold that

- every execution whose start was acknowledged is there, and has ended, once;
- every history is whole: ids from 1 without a gap, one beginning, one end;
- the output is what the definition makes of the input, in spite of all that was begun again;
- every answer to a task that was acknowledged is in a history, and no task has two outcomes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.acceptance.server import NoAnswer, Refused
from tests.cluster.nodes import AGAIN, ARN, FUNCTION, Cluster, NodeProcess, problems_of, until

_WORKERS = 6
_CLIENTS = 6
_PAUSE_SECONDS = (2.0, 6.0)
"""Between two troubles."""
_CALM_SECONDS = 240
"""So long executions may take to end, once everything is mended."""


def _machines(activity: str, child: str) -> dict[str, dict[str, Any]]:
    """Each makes an output of its input `{"n": ...}` that says that every state was passed once."""
    inner = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    return {
        "steps": {
            "A": {"Type": "Wait", "Seconds": 1, "Next": "B"},
            "B": {"Type": "Pass", "Next": "C"},
            "C": {"Type": "Wait", "Seconds": 1, "End": True},
        },
        "works": {
            "A": {
                "Type": "Task",
                "Resource": activity,
                "TimeoutSeconds": 30,
                "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 20, "IntervalSeconds": 1}],
                "ResultPath": "$.task",
                "End": True,
            }
        },
        "branches": {
            "P": {
                "Type": "Parallel",
                "Branches": [
                    {
                        "StartAt": f"W{branch}",
                        "States": {f"W{branch}": {"Type": "Wait", "Seconds": branch, "End": True}},
                    }
                    for branch in (1, 2)
                ],
                "OutputPath": "$[0]",
                "End": True,
            }
        },
        "nested": {
            "N": {
                "Type": "Task",
                "Resource": "arn:aws:states:::states:startExecution.sync:2",
                "Parameters": {"StateMachineArn": child, "Input.$": "$"},
                "OutputPath": "$.Output",
                "End": True,
            }
        },
        "calls": {
            "F": {"Type": "Task", "Resource": FUNCTION, "Next": "W"},
            "W": {"Type": "Wait", "Seconds": 1, "Next": "G"},
            "G": {"Type": "Task", "Resource": FUNCTION, "End": True},
        },
        "mapped": {
            "S": {"Type": "Pass", "Parameters": {"n.$": "$.n", "items": [0, 1, 2, 3, 4, 5]}, "Next": "M"},
            "M": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrency": 2,
                "ItemProcessor": {**inner, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}},
                "ResultPath": "$.items",
                "End": True,
            },
        },
    }


def _expected(kind: str, n: int) -> dict[str, Any]:
    return {"n": n, **({"items": [0, 1, 2, 3, 4, 5]} if kind == "mapped" else {})}


class Load:
    """What clients and workers have been told."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.cluster = cluster
        self.over = False
        """No more is started."""
        self.started: dict[str, tuple[str, int]] = {}
        """Acknowledged starts: the execution's ARN, its machine and the number in its input."""
        self.stopped: set[str] = set()
        """Executions that somebody wanted to stop."""
        self.answered: dict[str, str] = {}
        """Tasks whose answers were acknowledged: what was answered, and the execution."""
        self.problems: list[str] = []
        """Refusals that should not be."""
        self.refused: Counter[str] = Counter()
        self._chance = chance
        self._machines: dict[str, str] = {}
        self._activity = ""
        self._numbers = iter(range(10**9))

    async def prepare(self) -> None:
        activity = await self.cluster.insist(None, "CreateActivity", name="work")
        self._activity = activity["activityArn"]
        child = await self.cluster.machine("child", {"C": {"Type": "Wait", "Seconds": 1, "End": True}})
        for name, states in _machines(self._activity, child).items():
            self._machines[name] = await self.cluster.machine(name, states)

    async def client(self) -> None:
        while not self.over:
            kind, n = self._chance.choice(list(self._machines)), next(self._numbers)
            arn = f"{ARN}:execution:{kind}:{kind}-{n}"
            if await self._start(kind, n):
                self.started[arn] = (kind, n)
                if self._chance.random() < 0.05:
                    self.stopped.add(arn)
                    await self.cluster.insist(None, "StopExecution", executionArn=arn, error="Stopped")
            await asyncio.sleep(self._chance.random() * 0.3)

    async def _start(self, kind: str, n: int) -> bool:
        request = {"stateMachineArn": self._machines[kind], "name": f"{kind}-{n}", "input": json.dumps({"n": n})}
        try:
            await self.cluster.insist(None, "StartExecution", **request)
        except Refused as error:
            if error.type != "ExecutionAlreadyExists":
                self.problems.append(f"{kind}-{n} cannot be started: {error!r}")
                return False
            # An earlier try, whose answer was lost, has begun it, and it has ended meanwhile.
        except NoAnswer:
            return False
        return True

    async def worker(self) -> None:
        while True:
            try:
                task = await self.cluster.call(None, "GetActivityTask", activityArn=self._activity, workerName="w")
                if task.get("taskToken"):
                    await self._work(task["taskToken"], json.loads(task["input"]))
            except (NoAnswer, Refused) as error:
                self.refused[error.type if isinstance(error, Refused) else "no answer"] += 1
                await asyncio.sleep(0.2)

    async def _work(self, token: str, given: dict[str, Any]) -> None:
        """Insist on an answer. What is not known to have arrived may have."""
        arn, answer = f"{ARN}:execution:works:works-{given['n']}", f"done-{self._chance.randrange(10**12)}"
        unsure = False
        for _ in range(100):
            try:
                await self.cluster.call(None, "SendTaskSuccess", taskToken=token, output=json.dumps(answer))
            except Refused as error:
                if error.type == "TaskTimedOut":  # It was too late, or was taken before its answer was lost.
                    self.refused["late" if unsure else error.type] += 1
                    return
                if error.type not in AGAIN:
                    self.problems.append(f"a token is refused: {error!r}")
                    return
                unsure = True
            except NoAnswer:
                unsure = True
            else:
                self.answered[answer] = arn
                return
            await asyncio.sleep(0.3)


class Trouble:
    """What goes wrong."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self.made: Counter[str] = Counter()
        self._cluster = cluster
        self._chance = chance
        self._postgres = asyncio.Lock()
        """Held while PostgreSQL is not there."""
        self._table: list[Callable[[NodeProcess], Awaitable[None]]] = [
            self.killed,
            self.frozen,
            self.left,
            self.cut,
            self.swallowed,
            self.slow,
            self.crashed,
        ]

    async def make(self, until_: float) -> None:
        under_way: dict[NodeProcess, asyncio.Task[None]] = {}
        while time.monotonic() < until_:
            await asyncio.sleep(self._chance.uniform(*_PAUSE_SECONDS))
            under_way = {node: task for node, task in under_way.items() if not task.done()}
            free = [node for node in self._cluster.nodes if node not in under_way]
            if free and len(under_way) < len(self._cluster.nodes) - 1:
                node, kind = self._chance.choice(free), self._chance.choice(self._table)
                print(f"{time.strftime('%H:%M:%S')} node {node.number} {kind.__name__}", flush=True)
                self.made[kind.__name__] += 1
                under_way[node] = asyncio.create_task(_carried_out(kind(node)))
        await asyncio.gather(*under_way.values())

    async def _pause(self, longest: float) -> None:
        await asyncio.sleep(self._chance.uniform(0, longest))

    async def killed(self, node: NodeProcess) -> None:
        await node.kill()
        await self._pause(5)
        await self._start(node)

    async def left(self, node: NodeProcess) -> None:
        status = await node.stop()
        if status != 0:
            print(f"node {node.number} ended with {status}", flush=True)
            self.made["ended badly"] += 1
        await self._start(node)

    async def _start(self, node: NodeProcess) -> None:
        """PostgreSQL may not be there at the moment."""

        async def started() -> bool | None:
            try:
                await node.start()
            except NoAnswer:
                await node.kill()
                return None
            return True

        await until(started)

    async def frozen(self, node: NodeProcess) -> None:
        node.freeze()
        await self._pause(25)
        node.wake()

    async def cut(self, node: NodeProcess) -> None:
        node.proxy.cut(refuse=self._chance.random() < 0.5)
        await self._pause(10)
        node.proxy.mend()

    async def swallowed(self, node: NodeProcess) -> None:
        node.proxy.swallow()
        await self._pause(20)
        node.proxy.mend()

    async def slow(self, node: NodeProcess) -> None:
        node.proxy.delay_seconds = self._chance.uniform(0.02, 0.3)
        await self._pause(15)
        node.proxy.mend()

    async def crashed(self, node: NodeProcess) -> None:
        async with self._postgres:
            await asyncio.to_thread(self._cluster.postgres.crash)
            await self._pause(2)
            await asyncio.to_thread(self._cluster.postgres.start)


async def _carried_out(trouble: Awaitable[None]) -> None:
    await trouble


async def check(load: Load) -> list[str]:
    """What does not hold."""
    found = load.problems
    outputs: Counter[str] = Counter()
    gate = asyncio.Semaphore(8)

    async def one(arn: str, kind: str, n: int) -> None:
        async with gate:
            try:
                shown = await until(lambda: _ended(load.cluster, arn), _CALM_SECONDS)
            except (Refused, TimeoutError) as error:
                found.append(f"{arn}: {error!r}")
                return
            events = await load.cluster.history(arn)
        found.extend(f"{arn}: {problem}" for problem in problems_of(events))
        for event in events:
            if event["type"] == "ActivitySucceeded":
                outputs[json.loads(event["activitySucceededEventDetails"]["output"])] += 1
        if shown["status"] == "ABORTED" and arn in load.stopped:
            return
        given = json.loads(shown.get("output", "null"))
        if kind == "works" and isinstance(given, dict):
            given.pop("task", None)
        if shown["status"] != "SUCCEEDED" or given != _expected(kind, n):
            found.append(f"{arn}: {shown['status']} {shown.get('error')} {shown.get('cause')} {given}")

    await asyncio.gather(*(one(arn, kind, n) for arn, (kind, n) in load.started.items()))
    found += [
        f"{arn}: the answer {answer} stands {outputs[answer]} times in its history"
        for answer, arn in load.answered.items()
        if outputs[answer] != 1
    ]
    return found


async def _ended(cluster: Cluster, arn: str) -> dict[str, Any] | None:
    answer = await cluster.insist(None, "DescribeExecution", executionArn=arn)
    return None if answer["status"] == "RUNNING" else answer


async def chaos(minutes: float, nodes: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    async with Cluster(nodes, "TREADLE_LIMIT_NODE_SILENCE_SECONDS=5", durable=True) as cluster:
        load, trouble = Load(cluster, chance), Trouble(cluster, chance)
        await load.prepare()
        clients = [asyncio.create_task(load.client()) for _ in range(_CLIENTS)]
        workers = [asyncio.create_task(load.worker()) for _ in range(_WORKERS)]
        await trouble.make(time.monotonic() + minutes * 60)
        load.over = True
        await asyncio.gather(*clients)
        print("everything is mended", flush=True)
        found = await check(load)
        for worker in workers:
            worker.cancel()
        bugs = [line for node in cluster.nodes for line in node.log().splitlines() if "bug" in line.lower()]
        kinds = Counter(kind for kind, _ in load.started.values())
        print(f"{len(load.started)} starts acknowledged, each looked at: {dict(kinds)}")
        print(f"{len(load.answered)} answers to tasks acknowledged; refused: {dict(load.refused)}")
        print(f"{len(load.stopped)} asked to stop; trouble: {dict(trouble.made)}")
        return [*found, *bugs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed} (of what goes wrong when; the rest is up to the machine)", flush=True)
    found = asyncio.run(chaos(arguments.minutes, arguments.nodes, arguments.seed))
    print("\n".join(found) or "all of it holds")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
