"""What every store must do with event source mappings and function URLs: a part of the suite of `suite.py`."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.function_suite import CODE, PAY, PREFIX, function
from tests.store.machine_suite import Reopen
from treadle.store.contract import Conflict, Store
from treadle.store.event_source_contract import EventSourceMapping, FunctionUrl

MAPPINGS = "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:"
QUEUES = "arn:aws:sqs:us-east-1:123456789012:"


def mapping(name: str = "1", **changes: Any) -> EventSourceMapping:
    made = EventSourceMapping(
        arn=MAPPINGS + name,
        function_arn=PAY,
        source_arn=QUEUES + name,
        enabled=True,
        settings='{"é":1}',
        tags="{}",
        modified=5,
    )
    return replace(made, **changes)


def url(id: str = "abc", **changes: Any) -> FunctionUrl:
    made = FunctionUrl(id=id, function_arn=PAY, qualifier="", settings="{}", created=1, modified=2)
    return replace(made, **changes)


class EventSourceSuite:
    async def test_mapping_is_kept(self, store: Store, reopen: Reopen) -> None:
        await store.mapping_create(mapping())
        store = await reopen(store)
        assert await store.mapping_get(mapping().arn) == mapping()
        assert await store.mapping_get(MAPPINGS + "2") is None

    @pytest.mark.parametrize("second", [mapping(source_arn=QUEUES + "2"), mapping("2", source_arn=QUEUES + "1")])
    async def test_mapping_is_taken(self, store: Store, second: EventSourceMapping) -> None:
        await store.mapping_create(mapping())
        with pytest.raises(Conflict):
            await store.mapping_create(second)
        assert await store.mapping_list("arn:", None, 10) == [mapping()]

    async def test_mapping_replace(self, store: Store) -> None:
        await store.mapping_create(mapping())
        await store.mapping_create(mapping("2"))
        changed = mapping(
            function_arn=PREFIX + "other:live", enabled=False, settings="{}", tags='{"a":"b"}', modified=6
        )
        await store.mapping_replace(changed)
        assert await store.mapping_get(changed.arn) == changed
        with pytest.raises(Conflict):
            await store.mapping_replace(mapping("3"))
        with pytest.raises(Conflict):
            await store.mapping_replace(mapping("2", function_arn=changed.function_arn, source_arn=changed.source_arn))

    async def test_mapping_delete(self, store: Store) -> None:
        await store.mapping_create(mapping())
        assert await store.mapping_delete(mapping().arn)
        assert not await store.mapping_delete(mapping().arn)
        assert await store.mapping_get(mapping().arn) is None

    async def test_a_position_is_kept_and_goes_with_its_mapping(self, store: Store, reopen: Reopen) -> None:
        await store.mapping_create(mapping())
        await store.mapping_create(mapping("2"))
        assert await store.mapping_position_get(mapping().arn) is None
        for position in ('{"é":1}', '{"é":2}'):
            await store.mapping_position_put(mapping().arn, position)
        await store.mapping_replace(mapping(enabled=False))
        store = await reopen(store)
        assert await store.mapping_position_get(mapping().arn) == '{"é":2}'
        assert await store.mapping_position_get(MAPPINGS + "2") is None
        await store.mapping_delete(mapping().arn)
        await store.mapping_position_put(mapping().arn, "{}")  # by a reader that has not heard of it yet
        await store.mapping_create(mapping())
        assert await store.mapping_position_get(mapping().arn) is None

    async def test_mapping_list(self, store: Store) -> None:
        other = mapping("3", function_arn=PREFIX + "other", source_arn=QUEUES + "1")
        elsewhere = mapping(arn=MAPPINGS.replace("us-east-1", "eu-west-1") + "4", source_arn=QUEUES + "4")
        first, second = mapping("1"), mapping("2")
        for made in (other, second, first, elsewhere):
            await store.mapping_create(made)
        assert await store.mapping_list("arn:", None, 10) == [elsewhere, first, second, other]
        assert await store.mapping_list(MAPPINGS, None, 2) == [first, second]
        assert await store.mapping_list(MAPPINGS, first.arn, 10) == [second, other]
        assert await store.mapping_list(MAPPINGS, None, 10, function_arn=PAY) == [first, second]
        assert await store.mapping_list(MAPPINGS, None, 10, source_arn=QUEUES + "1") == [first, other]
        both = await store.mapping_list(MAPPINGS, None, 10, function_arn=PAY, source_arn=QUEUES + "1")
        assert both == [first]

    async def test_mapping_outlives_its_function(self, store: Store) -> None:
        await store.function_create(function(), CODE, {})
        await store.mapping_create(mapping())
        await store.function_delete(PAY)
        assert await store.mapping_get(mapping().arn) == mapping()

    async def test_function_url_is_kept(self, store: Store, reopen: Reopen) -> None:
        await store.function_url_create(url())
        store = await reopen(store)
        assert await store.function_url_get(PAY, "") == url()
        assert await store.function_url_of_id("abc") == url()
        assert await store.function_url_get(PAY, "live") is None
        assert await store.function_url_of_id("abd") is None

    @pytest.mark.parametrize("second", [url("abd"), url(qualifier="live")])
    async def test_function_url_is_taken(self, store: Store, second: FunctionUrl) -> None:
        await store.function_url_create(url())
        with pytest.raises(Conflict):
            await store.function_url_create(second)

    async def test_function_url_replace(self, store: Store) -> None:
        await store.function_url_create(url())
        await store.function_url_replace(url(settings='{"a":1}', modified=9))
        assert await store.function_url_get(PAY, "") == url(settings='{"a":1}', modified=9)
        for wrong in (url("abd"), url(qualifier="live")):
            with pytest.raises(Conflict):
                await store.function_url_replace(wrong)

    async def test_function_url_list_and_delete(self, store: Store) -> None:
        urls = [url("c"), url("b", qualifier="blue"), url("a", qualifier="green")]
        for made in urls:
            await store.function_url_create(made)
        assert await store.function_url_list(PAY, None, 10) == urls
        assert await store.function_url_list(PAY, "", 1) == urls[1:2]
        assert await store.function_url_list(PREFIX + "pa", None, 10) == []
        assert await store.function_url_delete(PAY, "blue")
        assert not await store.function_url_delete(PAY, "blue")
        assert await store.function_url_list(PAY, None, 10) == [urls[0], urls[2]]

    async def test_function_urls_go_with_their_function(self, store: Store) -> None:
        await store.function_create(function(), CODE, {})
        await store.function_url_create(url())
        await store.function_url_create(url("b", qualifier="live"))
        await store.function_url_create(url("c", function_arn=PREFIX + "other"))
        await store.function_delete(PAY)
        assert await store.function_url_list(PAY, None, 10) == []
        assert await store.function_url_of_id("c") is not None
