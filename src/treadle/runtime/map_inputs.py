"""The inputs of a map run's children, ready to be begun: made of items that are at hand, or read as the run goes on.

Reading is ahead of the run by one piece at most, so that memory does not grow with the items.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from treadle.datasets.contract import Dataset
from treadle.engine.map_children import STATE_DATA, ChildInput, ItemSource, MapChildren

Keep = Callable[[bytes], Awaitable[None]]
"""Keeps a note for the time after a restart."""


class MapInputs:
    def __init__(self, children: MapChildren, open_dataset: Callable[[ItemSource], Dataset], keep: Keep) -> None:
        self._assembly = children.assembly()
        self._keep = keep
        self._dataset: Dataset | None = None
        self._ready: Iterator[ChildInput] = iter(())
        self.items = 0
        """How many there are; as far as is known, while they are being read."""
        self.complete = False
        """All items are known."""
        if isinstance(children.items, ItemSource):
            self._dataset = open_dataset(children.items)
        else:
            self.items = len(children.items)
            self.complete = True
            self._ready = self._last((value, STATE_DATA) for value in children.items)

    def next(self) -> ChildInput | None:
        """The next input; None: there is none, unless more is read. May raise EvaluationError."""
        return next(self._ready, None)

    async def read(self) -> None:
        """Make what follows in the dataset available. Raises DatasetError."""
        assert self._dataset is not None
        piece = await self._dataset.read()
        if piece is None:
            self.complete = True
            self._ready = self._assembly.rest()
            return
        if piece.note is not None:
            await self._keep(piece.note)
        self.items += len(piece.values)
        self._ready = self._assembly.add(piece.values)

    async def close(self) -> None:
        if self._dataset is not None:
            await self._dataset.close()

    def _last(self, values: Iterator[tuple[object, str]]) -> Iterator[ChildInput]:
        yield from self._assembly.add(values)
        yield from self._assembly.rest()
