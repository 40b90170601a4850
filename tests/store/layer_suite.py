"""What every store must do with layers: a part of the suite of `suite.py`."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.function_suite import CODE, PAY, function
from tests.store.machine_suite import Reopen
from treadle.store.contract import Conflict, Store
from treadle.store.layer_contract import LayerStatement, LayerVersion

PREFIX = "arn:aws:lambda:us-east-1:123456789012:layer:"
TOOLS = PREFIX + "tools"
ARCHIVES = {name: f"PK {name}".encode() for name in ("one", "two", "three")}
HASHES = {name: hashlib.sha256(code).hexdigest() for name, code in ARCHIVES.items()}


def layer(name: str = "one", layer: str = "tools", **changes: Any) -> LayerVersion:
    """Version 1, with the archive of that name."""
    made = LayerVersion(
        layer_arn=PREFIX + layer,
        number=1,
        settings='{"Description":"é"}',
        code_sha256=HASHES[name],
        code_bytes=len(ARCHIVES[name]),
        created=7,
    )
    return replace(made, **changes)


async def publish(store: Store, *names: str) -> None:
    for name in names:
        await store.layer_publish(layer(name), ARCHIVES[name])


class LayerSuite:
    async def test_layer_versions_are_numbered_once(self, store: Store, reopen: Reopen) -> None:
        await publish(store, "one", "two")
        assert await store.layer_delete(TOOLS, 2)
        assert not await store.layer_delete(TOOLS, 2)
        store = await reopen(store)
        assert await store.layer_publish(layer("three"), ARCHIVES["three"]) == 3
        assert await store.layer_get(TOOLS, 1) == layer("one")
        assert await store.layer_get(TOOLS, 2) is None
        assert await store.layer_versions(TOOLS, None, 9) == [layer("three", number=3), layer("one")]
        assert await store.layer_versions(TOOLS, None, 1) == [layer("three", number=3)]
        assert await store.layer_versions(TOOLS, 3, 9) == [layer("one")]

    async def test_layer_list(self, store: Store) -> None:
        for name in ("b", "a", "c"):
            await store.layer_publish(layer(layer=name), ARCHIVES["one"])
        await store.layer_publish(layer(layer="a"), ARCHIVES["one"])
        assert await store.layer_list(PREFIX, None, 9) == [PREFIX + "a", PREFIX + "b", PREFIX + "c"]
        assert await store.layer_list(PREFIX, PREFIX + "a", 1) == [PREFIX + "b"]
        await store.layer_delete(PREFIX + "b", 1)
        assert await store.layer_list(PREFIX, PREFIX + "a", 9) == [PREFIX + "c"]
        assert await store.layer_list(PREFIX.replace("us-east-1", "us-east-2"), None, 9) == []

    async def test_layer_code_is_kept_as_long_as_something_has_it(self, store: Store) -> None:
        await publish(store, "one", "two")
        both = (HASHES["two"], HASHES["one"])
        await store.function_create(function(layers=both), CODE, {}, function(revision_id="v", layers=both))
        assert await store.function_get(PAY) == function(layers=both)
        await store.layer_delete(TOOLS, 1)
        await store.layer_delete(TOOLS, 2)
        assert [await store.function_has_code(code) for code in (function().code_sha256, *both)] == [True] * 3
        changed = function(revision_id="r2", layers=both[:1])
        await store.function_update(changed, "pay-r1")
        assert await store.function_get(PAY) == changed
        assert await store.function_versions(PAY, None, 9) == [
            changed,
            function(number=1, revision_id="v", layers=both),
        ]
        assert await store.function_code(HASHES["one"]) == ARCHIVES["one"]
        await store.function_version_delete(PAY, 1)
        assert await store.function_code(HASHES["one"]) is None
        await store.function_delete(PAY)
        assert [await store.function_has_code(code) for code in (function().code_sha256, *both)] == [False] * 3

    async def test_function_with_a_layer_that_is_not_there(self, store: Store) -> None:
        with pytest.raises(Conflict):
            await store.function_create(function(layers=(HASHES["one"],)), CODE, {})
        assert await store.function_get(PAY) is None

    async def test_layer_statements(self, store: Store, reopen: Reopen) -> None:
        def statement(id: str, number: int = 1) -> LayerStatement:
            return LayerStatement(layer_arn=TOOLS, number=number, id=id, statement=f'{{"Sid":"{id}"}}')

        await publish(store, "one")
        await store.layer_statement_add(statement("b"))
        await store.layer_statement_add(statement("a"))
        for refused in (statement("b"), statement("c", 2)):
            with pytest.raises(Conflict):
                await store.layer_statement_add(refused)
        store = await reopen(store)
        assert await store.layer_statements(TOOLS, 1) == [statement("b"), statement("a")]
        assert await store.layer_statement_remove(TOOLS, 1, "b")
        assert not await store.layer_statement_remove(TOOLS, 1, "b")
        await store.layer_delete(TOOLS, 1)
        assert await store.layer_statements(TOOLS, 1) == []
