"""The inputs of a Distributed Map's children: its items, selected and put into batches, made one after another.

They are made while the map run goes on, not when the state starts: a run may have more items than fit in memory at
once.  So nothing here refers to the execution any more; what the selector sees is taken when the state starts.
Going through the same items again gives the same inputs in the same order.

The items are those of the state's input, or else an ItemReader says where they are: then the shell reads them, and
hands them over as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from treadle.document import Document
from treadle.engine.execution import MapItem
from treadle.engine.states.batches import Batches
from treadle.expressions.errors import EvaluationError

STATE_DATA = "STATE_DATA"
"""`$$.Map.Item.Source` of items that come from the state's input."""

Value = tuple[Any, str]
"""An item, and where it comes from."""


class ItemSource(Struct, frozen=True, kw_only=True):
    """What an ItemReader says, with its expressions evaluated."""

    action: str
    """`getObject` or `listObjectsV2`, of S3."""
    parameters: Any
    """Of that action; an object, if the definition is right."""
    config: Mapping[str, Any]
    """ReaderConfig as it was written."""
    most_items: int
    """No more are read; 0: all."""


class ResultTarget(Struct, frozen=True, kw_only=True):
    """What a ResultWriter says, with its expressions evaluated."""

    exports: bool
    """The results are written to S3; else they are the state's result."""
    parameters: Any
    """Of PutObject: the bucket, and what the names of the files begin with."""
    transformation: str
    """`NONE`: all that is known of each child; `COMPACT`: its output; `FLATTEN`: the items of its output."""
    lines: bool
    """JSONL instead of an array."""


class ChildInput(Struct, frozen=True):
    input: Document
    items: int
    """How many items it holds."""


class MapChildren:
    def __init__(
        self,
        items: Sequence[Any] | ItemSource,
        select: Callable[[MapItem], Document],
        batches: Batches | None,
        most_bytes: int,
    ) -> None:
        """`select` makes of an item what a child gets; `most_bytes`: the largest input of a child."""
        self.items = items
        self._select = select
        self._batches = batches
        self._most_bytes = most_bytes

    @property
    def known_items(self) -> int:
        """How many items there are, as far as is known before any is read."""
        return 0 if isinstance(self.items, ItemSource) else len(self.items)

    @property
    def known_count(self) -> int | None:
        """How many children there will be; None: it is known when all items have been read and put into batches."""
        return None if isinstance(self.items, ItemSource) or self._batches is not None else len(self.items)

    def assembly(self) -> Assembly:
        """Goes through them from the beginning."""
        return Assembly(self._select, self._batches, self._most_bytes)


class Assembly:
    """Makes inputs of items that are handed over in order."""

    def __init__(self, select: Callable[[MapItem], Document], batches: Batches | None, most_bytes: int) -> None:
        self._select = select
        self._filling = None if batches is None else batches.filling()
        self._most_bytes = most_bytes
        self._index = 0

    def add(self, values: Iterable[Value]) -> Iterator[ChildInput]:
        """The inputs that are complete with these items, made as they are asked for. May raise EvaluationError at
        any of them."""
        for value, source in values:
            item = self._select(MapItem(self._index, value, source))
            self._index += 1
            if self._filling is None:
                yield self._checked(item, 1)
                continue
            for batch, count in self._filling.add(item):
                yield self._checked(batch, count)

    def rest(self) -> Iterator[ChildInput]:
        """What is left when there are no more items. May raise EvaluationError."""
        if self._filling is not None:
            for batch, count in self._filling.rest():
                yield self._checked(batch, count)

    def _checked(self, document: Document, items: int) -> ChildInput:
        if document.size > self._most_bytes:
            # AWS's wording is not known.
            message = "The input of a child workflow execution exceeds the maximum number of bytes service limit."
            raise EvaluationError(message, "States.DataLimitExceeded")
        return ChildInput(document, items)
