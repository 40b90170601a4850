"""What every store must do with functions: a part of the suite of `suite.py`."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.machine_suite import Reopen
from treadle.store.contract import Conflict, Store
from treadle.store.function_contract import (
    LATEST,
    FunctionAlias,
    FunctionConfig,
    FunctionStatement,
    FunctionVersion,
)

PREFIX = "arn:aws:lambda:us-east-1:123456789012:function:"
PAY = PREFIX + "pay"
CODE, OTHER_CODE = b"PK\x00 one", b"PK\x00 two" * 100_000


def function(name: str = "pay", code: bytes = CODE, **changes: Any) -> FunctionVersion:
    made = FunctionVersion(
        function_arn=PREFIX + name,
        number=LATEST,
        revision_id=f"{name}-r1",
        settings='{"Handler":"é"}',
        code_sha256=hashlib.sha256(code).hexdigest(),
        code_bytes=len(code),
        modified=5,
    )
    return replace(made, **changes)


def alias(name: str = "live", version: int = LATEST, **changes: Any) -> FunctionAlias:
    made = FunctionAlias(function_arn=PAY, name=name, description="", version=version, revision_id=f"{name}-r1")
    return replace(made, **changes)


def statement(id: str, qualifier: str = "", arn: str = PAY) -> FunctionStatement:
    return FunctionStatement(function_arn=arn, qualifier=qualifier, id=id, statement=f'{{"Sid":"{id}"}}')


async def with_versions(store: Store, count: int) -> FunctionVersion:
    """The function `pay`, with `count` published versions."""
    latest = function()
    await store.function_create(latest, CODE, {})
    for number in range(1, count + 1):
        assert await store.function_publish(replace(latest, revision_id=f"v{number}"), latest.revision_id) == number
    return latest


class FunctionSuite:
    async def test_function_code_and_tags(self, store: Store, reopen: Reopen) -> None:
        assert await store.function_create(function(), CODE, {"team": "blue", "": "é"}) is None
        store = await reopen(store)
        assert await store.function_get(PAY) == function()
        assert await store.function_code(function().code_sha256) == CODE
        assert await store.function_tags(PAY) == {"team": "blue", "": "é"}
        assert await store.function_get(PAY, 1) is None
        assert await store.function_get(PREFIX + "none") is None
        assert await store.function_code("none") is None

    async def test_function_created_with_a_version(self, store: Store) -> None:
        assert await store.function_create(function(), CODE, {}, function(revision_id="v")) == 1
        assert await store.function_get(PAY, 1) == function(number=1, revision_id="v")

    async def test_function_arn_is_taken(self, store: Store) -> None:
        await store.function_create(function(), CODE, {"a": "1"})
        with pytest.raises(Conflict):
            await store.function_create(function(code=OTHER_CODE), OTHER_CODE, {"b": "2"}, function(code=OTHER_CODE))
        assert await store.function_get(PAY) == function()
        assert await store.function_tags(PAY) == {"a": "1"}
        assert await store.function_code(function(code=OTHER_CODE).code_sha256) is None
        assert await store.function_versions(PAY, None, 10) == [function()]

    async def test_function_update(self, store: Store) -> None:
        await store.function_create(function(), CODE, {})
        changed = function(code=OTHER_CODE, revision_id="r2", settings="{}", modified=9)
        assert await store.function_update(changed, "pay-r1", OTHER_CODE) is None
        assert await store.function_get(PAY) == changed
        assert await store.function_code(changed.code_sha256) == OTHER_CODE
        assert await store.function_code(function().code_sha256) is None
        again = replace(changed, revision_id="r3")
        assert await store.function_update(again, "r2", None, replace(again, revision_id="v")) == 1
        assert await store.function_get(PAY, 1) == replace(again, number=1, revision_id="v")

    @pytest.mark.parametrize(("name", "replaces"), [("pay", "another"), ("none", "pay-r1")])
    async def test_function_update_of_another_revision(self, store: Store, name: str, replaces: str) -> None:
        await store.function_create(function(), CODE, {})
        with pytest.raises(Conflict):
            changed = function(name, OTHER_CODE, revision_id="r2")
            await store.function_update(changed, replaces, OTHER_CODE, changed)
        assert await store.function_versions(PAY, None, 10) == [function()]
        assert await store.function_code(function(code=OTHER_CODE).code_sha256) is None

    async def test_function_versions_are_numbered_once(self, store: Store) -> None:
        latest = await with_versions(store, 3)
        assert await store.function_version_delete(PAY, 3)
        assert not await store.function_version_delete(PAY, 3)
        assert await store.function_publish(latest, latest.revision_id) == 4
        assert [each.number for each in await store.function_versions(PAY, None, 3)] == [LATEST, 1, 2]
        assert [each.number for each in await store.function_versions(PAY, 1, 3)] == [2, 4]
        for arn, revision in ((PAY, "another"), (PREFIX + "none", latest.revision_id)):
            with pytest.raises(Conflict):
                await store.function_publish(replace(latest, function_arn=arn), revision)

    async def test_function_delete_takes_all_of_it(self, store: Store) -> None:
        await with_versions(store, 2)
        await store.function_tag(PAY, {"a": "1"})
        await store.function_alias_create(alias(version=1, additional_version=2, additional_weight=0.5))
        await store.function_statement_add(statement("s"))
        await store.function_create(function("ship"), CODE, {})
        assert await store.function_delete(PAY)
        assert not await store.function_delete(PAY)
        assert await store.function_versions(PAY, None, 10) == []
        assert await store.function_code(function().code_sha256) == CODE
        await store.function_create(function(), CODE, {})
        assert await store.function_tags(PAY) == {}
        assert await store.function_alias_get(PAY, "live") is None
        assert await store.function_statements(PAY, "") == []
        assert await store.function_publish(function(), "pay-r1") == 1
        for name in ("pay", "ship"):
            await store.function_delete(PREFIX + name)
        assert await store.function_code(function().code_sha256) is None

    async def test_function_list(self, store: Store) -> None:
        for name in ("b", "a", "a-1", "Z"):
            await store.function_create(function(name), CODE, {}, function(name, revision_id="v"))
        elsewhere = PREFIX.replace("us-east-1", "us-east-2") + "a"
        await store.function_create(function(function_arn=elsewhere), CODE, {})

        async def listed(*arguments: Any) -> list[tuple[str, int]]:
            found = await store.function_list(PREFIX, *arguments)
            return [(each.function_arn.removeprefix(PREFIX), each.number) for each in found]

        assert await listed(None, 10) == [("Z", 0), ("a", 0), ("a-1", 0), ("b", 0)]
        assert await listed((PREFIX + "Z", 0), 2) == [("a", 0), ("a-1", 0)]
        assert await listed((PREFIX + "a", 0), 3, True) == [("a", 1), ("a-1", 0), ("a-1", 1)]
        assert await store.function_totals(PREFIX) == (4, 8 * len(CODE))
        assert await store.function_totals(PREFIX + "none") == (0, 0)

    async def test_function_aliases(self, store: Store) -> None:
        await with_versions(store, 3)
        split = alias("split", 1, additional_version=2, additional_weight=0.25)
        await store.function_alias_create(alias())
        await store.function_alias_create(split)
        assert await store.function_alias_get(PAY, "split") == split
        assert await store.function_alias_list(PAY, None, None, 10) == [alias(), split]
        assert await store.function_alias_list(PAY, 2, None, 10) == [split]
        assert await store.function_alias_list(PAY, None, "live", 10) == [split]
        moved = alias("live", 3, revision_id="r2", description="é")
        await store.function_alias_update(moved, "live-r1")
        assert await store.function_alias_get(PAY, "live") == moved
        for number in (1, 2, 3):
            with pytest.raises(Conflict):
                await store.function_version_delete(PAY, number)
        assert await store.function_alias_delete(PAY, "live")
        assert not await store.function_alias_delete(PAY, "live")
        assert await store.function_version_delete(PAY, 3)

    async def test_function_alias_conflicts(self, store: Store) -> None:
        await with_versions(store, 1)
        await store.function_alias_create(alias("live", 1))
        for made in (alias("live", 1), alias("b", 9), alias("b", 1, additional_version=9, additional_weight=0.1)):
            with pytest.raises(Conflict):
                await store.function_alias_create(made)
        for changed, replaces in (
            (alias("live", 1), "another"),
            (alias("none", 1), "live-r1"),
            (alias("live", 9), "live-r1"),
        ):
            with pytest.raises(Conflict):
                await store.function_alias_update(changed, replaces)
        assert await store.function_alias_list(PAY, None, None, 10) == [alias("live", 1)]

    async def test_function_tags_change(self, store: Store) -> None:
        await store.function_create(function(), CODE, {"b": "1", "a": "1"})
        await store.function_tag(PAY, {"a": "2", "": ""})
        await store.function_untag(PAY, ["b", "none"])
        assert list((await store.function_tags(PAY)).items()) == [("", ""), ("a", "2")]
        with pytest.raises(Conflict):
            await store.function_tag(PREFIX + "none", {"a": "1"})

    async def test_function_concurrency(self, store: Store, reopen: Reopen) -> None:
        await store.function_create(function(), CODE, {})
        await store.function_create(function("ship"), CODE, {})
        assert await store.function_concurrency(PREFIX) == {}
        await store.function_set_concurrency(PAY, 0)
        await store.function_set_concurrency(PREFIX + "ship", 7)
        store = await reopen(store)
        assert await store.function_concurrency(PREFIX) == {PAY: 0, PREFIX + "ship": 7}
        await store.function_set_concurrency(PAY, None)
        assert await store.function_concurrency(PAY) == {}
        with pytest.raises(Conflict):
            await store.function_set_concurrency(PREFIX + "none", 1)

    async def test_function_statements(self, store: Store) -> None:
        await store.function_create(function(), CODE, {})
        for each in (statement("b"), statement("a"), statement("a", "live")):
            await store.function_statement_add(each)
        assert await store.function_statements(PAY, "") == [statement("b"), statement("a")]
        assert await store.function_statements(PAY, "live") == [statement("a", "live")]
        for taken in (statement("a"), statement("c", arn=PREFIX + "none")):
            with pytest.raises(Conflict):
                await store.function_statement_add(taken)
        assert await store.function_statement_remove(PAY, "", "b")
        assert not await store.function_statement_remove(PAY, "", "b")
        assert await store.function_statements(PAY, "") == [statement("a")]

    async def test_function_configs(self, store: Store, reopen: Reopen) -> None:
        def config(qualifier: str = "", kind: str = "warm", arn: str = PAY, text: str = "{}") -> FunctionConfig:
            return FunctionConfig(function_arn=arn, qualifier=qualifier, kind=kind, config=text)

        with pytest.raises(Conflict):
            await store.function_config_set(config())
        await with_versions(store, 2)
        await store.function_alias_create(alias("live", 2))
        kept = [config(), config("1"), config("2"), config("live")]
        for each in (config("1", text="[]"), config("1", kind="other"), *kept):
            await store.function_config_set(each)
        store = await reopen(store)
        assert await store.function_configs(PREFIX, "warm") == kept
        assert await store.function_configs(PREFIX + "q", "warm") == []
        assert await store.function_config_remove(PAY, "2", "warm")
        assert not await store.function_config_remove(PAY, "2", "warm")
        await store.function_alias_delete(PAY, "live")
        await store.function_version_delete(PAY, 1)
        assert await store.function_configs(PREFIX, "warm") == [config()]
        assert await store.function_configs(PREFIX, "other") == []
        await store.function_delete(PAY)
        assert await store.function_configs(PREFIX, "warm") == []
