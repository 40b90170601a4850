"""What a seed brings: the machines, the weather, what clients do and what goes wrong, each with its time.

A plan is drawn before anything runs.  An event of it can be left out and the rest stays what it was: that is how a
failing plan is made smaller (shrinking.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from treadle.store.contract import MachineType

from .definitions import ARN, MachinePlan, draw_machine
from .store import Pace

CALM_SECONDS = 400.0
"""From then on nothing goes wrong any more, and whoever is asked answers."""
_BUSY_SECONDS = 200.0
"""Within which clients begin what they do."""
ACTIVITIES = (f"{ARN}activity:pack", f"{ARN}activity:ship")


class Event(Struct, frozen=True, kw_only=True):
    """Something that is to happen."""

    at: float


class StartExecution(Event, frozen=True, kw_only=True):
    """A client starts an execution, and asks again until it has an answer. Others may want the same name."""

    machine: str
    name: str
    input: str
    synchronous: bool = False


class StopExecution(Event, frozen=True, kw_only=True):
    machine: str
    name: str


class RedriveExecution(Event, frozen=True, kw_only=True):
    """A client redrives an execution, as soon as that can be done."""

    machine: str
    name: str
    client_token: str


class DeleteMachine(Event, frozen=True, kw_only=True):
    machine: str


class UpdateMachine(Event, frozen=True, kw_only=True):
    """Give it another definition, which the seed says."""

    machine: str
    type: MachineType
    seed: str


class UpdateMapRuns(Event, frozen=True, kw_only=True):
    """Change how many children may run, of every map run of an execution."""

    machine: str
    name: str
    concurrency: int


class Worker(Event, frozen=True, kw_only=True):
    """Somebody asks for the tasks of an activity from now on."""

    name: str
    activity: str
    seed: str


class Trouble(Event, frozen=True, kw_only=True):
    """Something that goes wrong with a process."""

    node: int = 0
    """With which one, of several nodes."""


class CrashAfterCallbacks(Trouble, frozen=True, kw_only=True):
    """The process that runs then dies behind so many callbacks of its loop."""

    callbacks: int


class CrashAtWrite(Trouble, frozen=True, kw_only=True):
    """The process that runs then dies when so many further writes have taken effect, before it hears of the last."""

    writes: int


class Restart(Trouble, frozen=True):
    """The process is asked to stop, and another one begins."""


class BreakStore(Trouble, frozen=True):
    """The database cannot be used any more, until the process has begun anew."""


class Freeze(Trouble, frozen=True, kw_only=True):
    """The process is stopped for a while, and then goes on."""

    seconds: float


class CutSession(Trouble, frozen=True):
    """The node's connection to the database ends."""


class StopDatabase(Trouble, frozen=True, kw_only=True):
    """The database that the nodes share is gone for a while."""

    seconds: float


class JumpClock(Event, frozen=True, kw_only=True):
    seconds: float
    """Forwards, or backwards if it is negative."""


class Plan(Struct, frozen=True, kw_only=True):
    seed: int
    nodes: int
    """Processes on one database; 1: the database is its process's own."""
    machines: Sequence[MachinePlan]
    pace: Pace
    shuffles: bool
    """Whether callbacks of different origins run in an order of the seed's."""
    look_seconds: float
    """As of the Scheduler."""
    events: Sequence[Event]


def draw_plan(seed: int, nodes: int = 1) -> Plan:
    dice = Random(f"plan {seed}")
    machines: list[MachinePlan] = []
    for number in range(dice.randint(1, 3)):
        machine_type: MachineType = "EXPRESS" if dice.random() < 0.15 else "STANDARD"
        machines.append(draw_machine(dice, f"m{number}", machine_type, machines, ACTIVITIES))
    slowness = dice.choice((0.0002, 0.002, 0.05, 1.0))
    events = [*_starts(dice, machines), *_workers(dice), *_troubles(dice, nodes)]
    return Plan(
        seed=seed,
        nodes=nodes,
        machines=machines,
        pace=Pace(slowness, slowness * dice.choice((0.1, 1, 3)), slowness * dice.choice((0.1, 1))),
        shuffles=dice.random() < 0.5,
        look_seconds=dice.choice((0.0, 0.0, 0.03)),
        events=sorted(events, key=lambda event: event.at),
    )


def _starts(dice: Random, machines: Sequence[MachinePlan]) -> list[Event]:
    events: list[Event] = []
    burst = dice.uniform(0, _BUSY_SECONDS)
    for number in range(dice.randint(2, 8)):
        machine, name = dice.choice(machines), f"e{number}"
        at = burst if dice.random() < 0.4 else dice.uniform(0, _BUSY_SECONDS)
        express = machine.type == "EXPRESS"
        given = '{"xs": [1, 2, 3]}'
        synchronous = express and dice.random() < 0.6
        events.append(StartExecution(at=at, machine=machine.arn, name=name, input=given, synchronous=synchronous))
        if not express:
            events += _of_execution(dice, at, machine.arn, name)
    if dice.random() < 0.2:
        at = dice.uniform(_BUSY_SECONDS / 4, _BUSY_SECONDS)
        events.append(DeleteMachine(at=at, machine=dice.choice(machines).arn))
    if dice.random() < 0.2:
        at = dice.uniform(0, _BUSY_SECONDS)
        machine = dice.choice(machines)
        seed = f"update {dice.random()}"
        events.append(UpdateMachine(at=at, machine=machine.arn, type=machine.type, seed=seed))
    return events


def _of_execution(dice: Random, started: float, machine: str, name: str) -> list[Event]:
    """What else is done to a Standard execution."""
    events: list[Event] = []
    if dice.random() < 0.3:  # the same name again, soon after
        given = dice.choice(('{"xs": [1, 2, 3]}', '{"xs": []}'))
        at = started + dice.choice((0.0, 0.001, 1.0, 50.0))
        events.append(StartExecution(at=at, machine=machine, name=name, input=given))
    if dice.random() < 0.3:
        at = started + dice.choice((0.0, 0.002, 3.0, 40.0, 100.0))
        events += [StopExecution(at=at, machine=machine, name=name) for _ in range(dice.randint(1, 2))]
    for number in range(dice.choice((0, 0, 1, 2))):
        at = started + dice.choice((0.1, 3.0, 40.0, 150.0))
        events.append(RedriveExecution(at=at, machine=machine, name=name, client_token=f"{name}-{number}"))
    if dice.random() < 0.2:
        at = started + dice.choice((0.5, 20.0))
        events.append(UpdateMapRuns(at=at, machine=machine, name=name, concurrency=dice.randint(0, 3)))
    return events


def _workers(dice: Random) -> list[Event]:
    return [
        Worker(at=dice.uniform(0, 60), name=f"w{number}", activity=activity, seed=f"worker {dice.random()}")
        for activity in ACTIVITIES
        for number in range(dice.randint(1, 2))
    ]


def _troubles(dice: Random, nodes: int) -> list[Event]:
    events: list[Event] = []
    for _ in range(dice.choice((0, 1, 1, 2, 3, 5)) * nodes):
        at, node = dice.uniform(0, _BUSY_SECONDS * 1.5), dice.randrange(nodes)
        events.append(_trouble(dice, at, node, alone=nodes == 1))
    for _ in range(dice.choice((0, 0, 0, 1, 3))):
        seconds = dice.choice((-3600.0, -61.0, -1.0, 0.5, 30.0, 61.0, 1000.0))
        events.append(JumpClock(at=dice.uniform(0, _BUSY_SECONDS * 1.5), seconds=seconds))
    return events


def _trouble(dice: Random, at: float, node: int, *, alone: bool) -> Event:
    kind = dice.random() if alone else dice.random() * 1.6
    if kind < 0.35:
        return CrashAfterCallbacks(at=at, node=node, callbacks=int(2 ** dice.uniform(0, 10)))
    if kind < 0.7:
        return CrashAtWrite(at=at, node=node, writes=dice.randint(1, 12))
    if kind < 0.85:
        return Restart(at=at, node=node)
    if kind < 0.95:
        return BreakStore(at=at, node=node)
    if kind < 1.2:
        return Freeze(at=at, node=node, seconds=dice.choice((0.1, 10.0, 100.0)))
    if kind < 1.5:
        return CutSession(at=at, node=node)
    return StopDatabase(at=at, seconds=dice.choice((0.5, 20.0)))
