from __future__ import annotations

from treadle.runtime.timers import Timers
from treadle.runtime.virtual import VirtualClock


async def _nothing() -> None:
    pass


async def test_timers_ring_in_order_once_and_only_as_last_set() -> None:
    clock = VirtualClock(0)
    timers = Timers(clock)
    rung: list[tuple[str, int]] = []
    for key, (due, name) in enumerate([(30, "c"), (10, "a"), (20, "b"), (5, "never")]):
        timers.set(key, due, lambda name=name: rung.append((name, clock.now())))  # type: ignore[misc]
    timers.discard(3)
    timers.set(0, 40, lambda: rung.append(("moved", clock.now())))
    await clock.run(_nothing)
    assert rung == [("a", 10), ("b", 20), ("moved", 40)]


async def test_a_timer_may_be_set_while_it_rings() -> None:
    clock = VirtualClock(0)
    timers = Timers(clock)
    rung: list[int] = []

    def ring() -> None:
        rung.append(clock.now())
        if len(rung) < 3:
            timers.set(1, clock.now() + 10, ring)

    timers.set(1, 10, ring)
    await clock.run(_nothing)
    assert rung == [10, 20, 30]


async def test_setting_a_timer_again_and_again_does_not_grow_the_heap() -> None:
    clock = VirtualClock(0)
    timers = Timers(clock)
    rung: list[int] = []
    for due in range(10_000, 0, -1):
        timers.set(1, due, lambda: rung.append(clock.now()))
        assert len(timers._heap) < 100
    await clock.run(_nothing)
    assert rung == [1]


async def test_nothing_rings_after_the_last_timer_is_discarded() -> None:
    clock = VirtualClock(0)
    timers = Timers(clock)
    timers.set(1, 1_000, lambda: None)
    timers.discard(1)
    await clock.run(_nothing)
    assert clock.now() == 0
