"""ItemReader: where a Distributed Map finds its items, evaluated when its map run begins.

The engine only says what is to be read; the shell reads it. With an ItemReader, ItemsPath selects nothing (recorded:
scenarios--map_item_reader_base_json_with_items_path), MapStateStarted says that there are 0 items, and what fails in
ReaderConfig itself fails after that event (recorded: scenarios--map_item_reader_csv_max_items_paths).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from treadle.document import Document
from treadle.engine.fields import FieldCompiler
from treadle.engine.map_children import ItemSource
from treadle.engine.numbers import optional_integer_field
from treadle.engine.payload_field import optional_payload_field

if TYPE_CHECKING:
    from treadle.engine.execution import Branch
    from treadle.engine.turn import Turn


class ItemReader:
    def __init__(self, compiler: FieldCompiler, raw: Mapping[str, Any]) -> None:
        self._action = str(raw.get("Resource")).rpartition(":")[2]
        self._config: Mapping[str, Any] = raw.get("ReaderConfig") or {}
        name = "Arguments" if compiler.jsonata else "Parameters"
        self._parameters = optional_payload_field(compiler, f"ItemReader/{name}", raw.get(name, UNSET))
        # A text of digits will do (recorded: reference_in_map_state_max_items_path--..._IN_MAX_ITEMS_PATH), and that a
        # number is negative is for the map run to say.
        self._most_items = optional_integer_field(
            compiler,
            "ItemReader/ReaderConfig/MaxItems",
            self._config.get("MaxItems"),
            self._config.get("MaxItemsPath"),
            digits=True,
            signed=True,
        )

    def source(self, turn: Turn, branch: Branch, data: Document) -> ItemSource:
        """May raise EvaluationError. `data`: the effective input of the state."""
        most_items = 0 if self._most_items is None else self._most_items(turn, branch, data)
        parameters = {} if self._parameters is None else self._parameters(turn, branch, data)
        return ItemSource(action=self._action, parameters=parameters, config=self._config, most_items=most_items)
