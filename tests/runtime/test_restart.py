"""What a restart takes up again, and what it leaves alone."""

from __future__ import annotations

from .world import World, done, task, wait

DAY = 24 * 60 * 60


async def test_open_tasks_are_delivered_again_with_the_same_token(world: World) -> None:
    world.script = world.tasks.script = lambda request, earlier: None
    machine = await world.machine({"Call": task(Next="Again"), "Again": task("g")})
    execution = await world.begin(machine, given={"a": 1})
    await world.runtime.idle()
    (before,) = world.tasks.requests
    assert (await world.row(execution)).wake == 0

    world.script = lambda request, earlier: done(request.resource.name, 1)
    await world.restart()
    await world.run()
    again, following = world.tasks.requests
    assert (again.token, again.input, again.resource) == (before.token, before.input, before.resource)
    assert following.token != before.token
    row = await world.row(execution)
    assert (row.status, row.output, row.input) == ("SUCCEEDED", '"g"', '{"a":1}')
    events = await world.events(execution)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events].count("LambdaFunctionScheduled") == 2


async def test_waiting_executions_resume_and_ended_ones_do_not(world: World) -> None:
    short = await world.begin(await world.machine({"Sleep": wait(5)}, "short"))
    long = await world.begin(await world.machine({"Sleep": wait(DAY, Next="Call"), "Call": task()}, "long"))
    over = await world.begin(await world.machine({"Call": task()}, "over"))
    await world.run(until=lambda: not world.tasks.running)
    assert (await world.row(over)).status == "SUCCEEDED"
    await world.restart()
    assert world.runtime.resident == 1, "the short wait"
    await world.run()
    assert (await world.row(short)).stopped == short.started + 5_000
    assert (await world.row(long)).stopped == long.started + (DAY + 1) * 1_000
    assert [request.execution_arn for request in world.tasks.requests] == [long.arn]


async def test_a_map_goes_on_where_it_stood(world: World) -> None:
    states = {
        "All": {
            "Type": "Map",
            "MaxConcurrency": 2,
            "ItemProcessor": {"StartAt": "Each", "States": {"Each": task()}},
            "End": True,
        }
    }
    execution = await world.begin(await world.machine(states), given=[0, 1, 2, 3, 4])
    await world.run(until=lambda: len(world.tasks.requests) == 4)
    tokens = set(world.tasks.running)
    assert len(tokens) == 2
    await world.restart()
    assert {request.token for request in world.tasks.requests} == tokens
    await world.run()
    row = await world.row(execution)
    assert (row.status, row.output) == ("SUCCEEDED", "[0,1,2,3,4]")
    assert (world.tasks.most, len(world.tasks.requests)) == (2, 3)


async def test_an_overdue_timer_fires_at_once(world: World) -> None:
    execution = await world.begin(await world.machine({"Sleep": wait(100)}))
    await world.close()
    other = type(world)(world.path.parent)
    other.clock.call_at(execution.started + 1_000_000, lambda: None)
    await other.clock.run(world.runtime.idle)  # the server was down for a while
    await other.open()
    await other.runtime.idle()
    await other.run()
    row = await other.row(execution)
    assert (row.status, row.stopped) == ("SUCCEEDED", execution.started + 1_000_000)
    await other.runtime.close()
    await other.store.close()
    await world.open()
