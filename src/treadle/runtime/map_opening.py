"""What a map run finds when it is opened: the children that there are of it already, and the inputs of the others."""

from __future__ import annotations

from functools import partial

from treadle.datasets.contract import Datasets
from treadle.runtime.map_inputs import MapInputs
from treadle.runtime.map_run import Run
from treadle.store.contract import Store

_PAGE = 2_000
"""Children that one read answers."""


async def find_children(store: Store, run: Run) -> None:
    """Note which places are taken, and how the children there stand."""
    last = -1
    while places := await store.child_places(run.row.arn, last, _PAGE):
        last = places[-1].number
        run.taken.extend(bytes(last + 1 - len(run.taken)))
        for place in places:
            run.taken[place.number] = 1
            if place.status == "RUNNING":
                run.running[place.number] = (place.id, place.items)
            elif place.awaits_redrive:
                run.await_redrive(place.items)
            else:
                run.count(place.status, place.items)


async def open_inputs(store: Store, datasets: Datasets, run: Run) -> MapInputs | None:
    """What its children get; None where none is left to be begun, or it is only to be stopped."""
    if run.children is None or run.all_begun:
        return None
    notes = await store.map_run_notes(run.row.arn)
    return MapInputs(
        run.children,
        lambda source: datasets.open(source, run.owner, notes),
        partial(store.map_run_note_add, run.row.arn),
    )
