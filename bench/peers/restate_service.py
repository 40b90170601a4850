"""The workflows as a service of Restate. It runs in the environment of that peer."""

from __future__ import annotations

import restate

bench = restate.Service("Bench")


async def _nothing() -> int:
    return 0


@bench.handler()
async def chain(ctx: restate.Context, steps: int) -> int:
    for _ in range(steps):
        await ctx.run_typed("step", _nothing)
    return steps


@bench.handler()
async def wide(ctx: restate.Context, steps: int) -> int:
    await restate.gather(*[ctx.run_typed("step", _nothing) for _ in range(steps)])
    return steps


app = restate.app([bench])
