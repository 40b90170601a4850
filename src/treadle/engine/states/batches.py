"""ItemBatcher: the items of a Map in batches, each the input of one iteration.

    {"BatchInput": ..., "Items": [item, item, ...]}

A batch is full when one more item would exceed MaxItemsPerBatch items or MaxInputBytesPerBatch bytes of input; 0,
like no such field, is no bound (AWS's page "ItemBatcher (Map)").  What AWS makes of an item that is too large by
itself is not known; here it is a batch of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from treadle.document import Document
from treadle.engine.fields import FieldCompiler
from treadle.engine.numbers import IntegerReader, optional_integer_field
from treadle.engine.payload_field import optional_payload_field

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class Batches:
    """How the items of one run are put into batches: the fields are evaluated once, when the state starts."""

    def __init__(self, head: str, most_items: int, most_bytes: int) -> None:
        """`head`: the text of every batch up to its first item."""
        self._head = head
        self._most_items = most_items
        self._most_bytes = most_bytes

    def of(self, items: Iterable[Document]) -> Iterator[tuple[Document, int]]:
        """Each batch, and how many items are in it."""
        filling = self.filling()
        for item in items:
            yield from filling.add(item)
        yield from filling.rest()

    def filling(self) -> Filling:
        """The batches of items that come one after another."""
        return Filling(self._head, self._most_items, self._most_bytes)


class Filling:
    """The batch that is being filled."""

    def __init__(self, head: str, most_items: int, most_bytes: int) -> None:
        self._head = head
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._empty = len(head.encode()) + len("]}")
        self._items: list[Document] = []
        self._size = self._empty

    def add(self, item: Document) -> Iterator[tuple[Document, int]]:
        """The batch that was full before this item, if it was."""
        comma = 1 if self._items else 0
        full = 0 < self._most_items <= len(self._items) or 0 < self._most_bytes < self._size + comma + item.size
        if full:
            yield from self.rest()
            comma = 0
        self._items.append(item)
        self._size += comma + item.size

    def rest(self) -> Iterator[tuple[Document, int]]:
        """What is in it, if anything."""
        items, self._items, self._size = self._items, [], self._empty
        if items:
            yield Document(text=self._head + ",".join([item.text for item in items]) + "]}"), len(items)


class Batcher:
    def __init__(self, compiler: FieldCompiler, raw: Mapping[str, Any]) -> None:
        self._input = optional_payload_field(compiler, "ItemBatcher/BatchInput", raw.get("BatchInput", UNSET))
        self._most_items = _bound(compiler, raw, "MaxItemsPerBatch")
        self._most_bytes = _bound(compiler, raw, "MaxInputBytesPerBatch")

    def batches(self, turn: Turn, branch: Branch, data: Document) -> Batches:
        """May raise EvaluationError. `data`: the effective input of the state."""
        most_items = self._most_items(turn, branch, data) if self._most_items is not None else 0
        most_bytes = self._most_bytes(turn, branch, data) if self._most_bytes is not None else 0
        head = '{"Items":['
        if self._input is not None:
            head = f'{{"BatchInput":{Document(self._input(turn, branch, data)).text},"Items":['
        return Batches(head, most_items, most_bytes)


def _bound(compiler: FieldCompiler, raw: Mapping[str, Any], name: str) -> IntegerReader | None:
    """Recorded: a text of digits will do (reference_in_map_state_max_items_path--..._MAX_PER_BATCH_PATH)."""
    literal, path = raw.get(name), raw.get(f"{name}Path")
    return optional_integer_field(compiler, f"ItemBatcher/{name}", literal, path, digits=True)
