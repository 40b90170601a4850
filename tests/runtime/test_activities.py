"""Activities: one task goes to one worker, in order, whoever comes and goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from treadle.document import Document
from treadle.engine.signals import TaskSucceeded
from treadle.limits import DEFAULT_LIMITS
from treadle.runtime.activities import Activities, Answers, Offer, TakenTask
from treadle.runtime.errors import ActivityMissing, TooManyWorkers
from treadle.runtime.virtual import VirtualClock
from treadle.store.contract import Activity, ExecutionRow

from .world import ARN, World

ACTIVITY = f"{ARN}activity:work"


async def stays(future: asyncio.Future[Any]) -> bool:
    """How a worker waits who does not go away."""
    await asyncio.wait((future,))
    return True


class Leaver:
    """A worker who hangs up when told to."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def wait(self, future: asyncio.Future[Any]) -> bool:
        await self.gone.wait()
        return False


async def opened(world: World, **fields: Any) -> None:
    await world.runtime.activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=0), {})
    await world.machine({"Work": {"Type": "Task", "Resource": ACTIVITY, "End": True, **fields}})


async def begin(world: World, name: str) -> ExecutionRow:
    """An execution with this name and input, a millisecond after the one before."""
    due = world.clock.now() + 1
    world.clock.call_at(due, lambda: None)
    await world.run(until=lambda: world.clock.now() >= due)
    machine = await world.runtime.machines.get(f"{ARN}stateMachine:m")
    assert machine is not None
    execution = await world.begin(machine, name, name)
    await world.runtime.idle()
    return execution


def taking(world: World, name: str | None = "worker", wait: Any = stays) -> asyncio.Task[TakenTask | None]:
    return asyncio.create_task(world.runtime.activities.take(ACTIVITY, name, wait))


async def at_work(task: asyncio.Task[TakenTask | None]) -> TakenTask:
    taken = await task
    assert taken is not None
    return taken


async def succeed(world: World, taken: TakenTask) -> None:
    await world.runtime.answer_task(taken.token, lambda attempt: TaskSucceeded(attempt, Document(taken.input)))


# -- giving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker_first", [True, False])
async def test_a_task_is_started_on_disk_when_its_worker_gets_it(world: World, worker_first: bool) -> None:
    await opened(world)
    if worker_first:
        task = taking(world)
        execution = await begin(world, "a")
    else:
        execution = await begin(world, "a")
        task = taking(world)
    taken = await at_work(task)
    assert taken.input == '"a"'
    event = (await world.events(execution))[-1]
    assert (event.type, event.details) == ("ActivityStarted", {"workerName": "worker"})
    await succeed(world, taken)
    assert (await world.row(execution)).status == "SUCCEEDED"


async def test_tasks_wait_in_order_also_over_a_restart(world: World) -> None:
    await opened(world)
    for name in "abcd":
        await begin(world, name)
    assert (await at_work(taking(world))).input == '"a"'
    await world.restart()
    assert [(await at_work(taking(world))).input for _ in "bcd"] == ['"b"', '"c"', '"d"']


async def test_workers_are_served_in_order(world: World) -> None:
    await opened(world)
    workers = [taking(world, str(number)) for number in range(3)]
    for name in "abc":
        await begin(world, name)
    assert [(await at_work(worker)).input for worker in workers] == ['"a"', '"b"', '"c"']


async def test_each_task_goes_to_one_worker(world: World) -> None:
    await opened(world)
    workers = [taking(world) for _ in range(30)]
    for number in range(20):
        await begin(world, f"e{number}")
    workers += [taking(world) for _ in range(30)]
    for number in range(20, 50):
        await begin(world, f"e{number}")
    await world.run(until=lambda: world.runtime.resident == 0)
    taken = await asyncio.gather(*workers[:50])
    assert {task.input for task in taken if task is not None} == {f'"e{number}"' for number in range(50)}
    await world.run()
    assert [await worker for worker in workers[50:]] == [None] * 10


async def test_an_activity_that_nobody_serves_waits_for_ever(world: World) -> None:
    await opened(world, TimeoutSeconds=5, HeartbeatSeconds=2)
    execution = await begin(world, "a")
    due = world.clock.now() + 3_600_000
    world.clock.call_at(due, lambda: None)
    await world.run(until=lambda: world.clock.now() >= due)
    assert (await world.row(execution)).status == "RUNNING"
    taken = await at_work(taking(world))
    started = world.clock.now()
    await world.run()
    assert (await world.row(execution)).stopped == started + 2_000
    assert taken.input == '"a"'


# -- leaving -----------------------------------------------------------------------------------------------


async def test_a_worker_waits_for_a_minute(world: World) -> None:
    await opened(world)
    before = world.clock.now()
    worker = taking(world)
    await asyncio.sleep(0)  # so that it waits
    await world.run()
    assert await worker is None
    assert world.clock.now() == before + 60_000
    execution = await begin(world, "a")
    assert (await world.events(execution))[-1].type == "ActivityScheduled"


async def test_who_hangs_up_is_passed_over(world: World) -> None:
    await opened(world)
    leaver = Leaver()
    left, waits = taking(world, wait=leaver.wait), taking(world)
    await asyncio.sleep(0)
    leaver.gone.set()
    assert await left is None
    await begin(world, "a")
    assert (await at_work(waits)).input == '"a"'


async def test_a_task_that_was_meant_for_someone_who_hangs_up_goes_to_the_next(world: World) -> None:
    await opened(world)
    leaver = Leaver()
    left, waits = taking(world, wait=leaver.wait), taking(world)
    await asyncio.sleep(0)
    for name in "ab":
        await begin(world, name)
    assert (await at_work(waits)).input == '"b"'
    leaver.gone.set()
    assert await left is None
    assert (await at_work(taking(world))).input == '"a"'


async def test_a_worker_whose_request_is_cancelled_gives_its_task_back(world: World) -> None:
    await opened(world)
    cancelled = taking(world, wait=Leaver().wait)
    await asyncio.sleep(0)
    await begin(world, "a")
    cancelled.cancel()
    assert (await at_work(taking(world))).input == '"a"'


async def test_a_task_that_ends_is_offered_no_more(world: World) -> None:
    await opened(world)
    stopped, other = await begin(world, "a"), await begin(world, "b")
    await world.runtime.stop_execution(stopped, error=None, cause=None)
    assert (await at_work(taking(world))).input == '"b"'
    assert (await world.row(other)).status == "RUNNING"


async def test_a_task_that_ends_while_it_is_given_away(world: World) -> None:
    """The worker waits on."""
    await opened(world)
    stopped = await begin(world, "a")
    stop = asyncio.create_task(world.runtime.stop_execution(stopped, error=None, cause=None))
    worker = taking(world)
    await stop
    await begin(world, "b")
    assert (await at_work(worker)).input == '"b"'


# -- restart -----------------------------------------------------------------------------------------------


async def test_what_was_taken_is_not_offered_again_and_its_token_holds(world: World) -> None:
    await opened(world)
    execution = await begin(world, "a")
    taken = await at_work(taking(world))
    await world.restart()
    worker = taking(world)
    await asyncio.sleep(0)
    await succeed(world, taken)
    assert (await world.row(execution)).status == "SUCCEEDED"
    await world.run()
    assert await worker is None


async def test_which_activities_there_are_is_known_after_a_restart(world: World) -> None:
    await opened(world)
    await world.restart()
    assert world.runtime.activities.exists(ACTIVITY)
    await begin(world, "a")
    await at_work(taking(world))


# -- what there is not -------------------------------------------------------------------------------------


async def test_an_activity_that_does_not_exist(world: World) -> None:
    with pytest.raises(ActivityMissing):
        await taking(world)


async def test_a_deleted_activity_sends_its_workers_home_and_fails_new_tasks(world: World) -> None:
    """Recorded: activities--activity_task_on_deleted."""
    await opened(world)
    worker = taking(world)
    await asyncio.sleep(0)
    await world.runtime.activities.delete(ACTIVITY)
    assert await worker is None
    row = await world.row(await begin(world, "a"))
    assert row.error == "States.Runtime"
    assert row.cause is not None
    assert row.cause.endswith(f"The activity {ACTIVITY} does not exist.")


async def test_a_task_waits_for_a_deleted_activity_to_come_back(world: World) -> None:
    await opened(world)
    await begin(world, "a")
    await world.runtime.activities.delete(ACTIVITY)
    await world.runtime.activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=1), {})
    assert (await at_work(taking(world))).input == '"a"'


async def test_no_more_workers_wait_than_may(world: World) -> None:
    activities = Activities(world.store, world.clock, replace(DEFAULT_LIMITS, activity_workers=2))
    await activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=0), {})
    waiting = [asyncio.create_task(activities.take(ACTIVITY, None, stays)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWorkers):
        await activities.take(ACTIVITY, None, stays)
    activities.close()
    assert await asyncio.gather(*waiting) == [None, None]
    assert await activities.take(ACTIVITY, None, stays) is None, "a server that stops lets nobody wait"


async def test_withdrawn_tasks_do_not_pile_up(world: World) -> None:
    activities = Activities(world.store, VirtualClock(), DEFAULT_LIMITS)
    await activities.create(Activity(arn=ACTIVITY, name="work", encryption="{}", created=0), {})

    async def start(worker_name: str | None, answers: Answers | None) -> TakenTask:
        return TakenTask("0", "0")

    for number in range(10_000):
        activities.offer(ACTIVITY, Offer(place=(0, 0, number), start=start))
        if number:
            assert activities.withdraw(0, number)
    (queue,) = activities._queues.values()
    assert len(queue._order) < 100
    taken = await activities.take(ACTIVITY, None, stays)
    assert taken == TakenTask("0", "0")
    assert not activities.withdraw(0, 0)
