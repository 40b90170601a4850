"""What every store must do with the records of jobs. StoreSuite inherits it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.store.machine_suite import Reopen
from treadle.store.contract import Conflict, Store
from treadle.store.job_contract import JobRecord


def record(id: str, **changes: Any) -> JobRecord:
    made = JobRecord(id=id, kind="emr.step", parent="j-1", open=True, content='{"a": 1}')
    return replace(made, **changes)


async def ids(store: Store, **request: Any) -> list[str]:
    return [each.id for each in await store.job_records_list(**{"kind": "emr.step", "parent": "j-1", **request})]


class JobSuite:
    async def test_job_records_are_kept(self, store: Store, reopen: Reopen) -> None:
        assert await store.job_record_get("s-1") is None
        await store.job_records_write([record("s-1"), record("s-2", open=False)])
        store = await reopen(store)
        assert await store.job_record_get("s-1") == record("s-1", number=1)
        assert [each.id for each in await store.job_records_open("emr.step")] == ["s-1"]
        assert await store.job_records_open("emr.cluster") == []

    async def test_job_records_change(self, store: Store) -> None:
        await store.job_records_write([record("s-1"), record("s-2")])
        changed = record("s-1", open=False, content="{}")
        await store.job_records_write([record("s-3")], [changed])
        assert await store.job_record_get("s-1") == replace(changed, number=1)
        assert [each.id for each in await store.job_records_open("emr.step")] == ["s-2", "s-3"]

    @pytest.mark.parametrize(
        ("created", "changed"),
        [([record("new"), record("s-1")], []), ([record("new")], [record("missing")])],
        ids=["an id is taken", "what is to change is not there"],
    )
    async def test_job_records_all_or_nothing(
        self, store: Store, created: list[JobRecord], changed: list[JobRecord]
    ) -> None:
        await store.job_records_write([record("s-1")])
        with pytest.raises(Conflict):
            await store.job_records_write(created, changed)
        assert await ids(store) == ["s-1"]

    async def test_job_records_are_listed_by_parent(self, store: Store) -> None:
        made = [record(f"s-{number}", parent="j-2" if number == 3 else "j-1") for number in range(1, 6)]
        await store.job_records_write(made)
        assert await ids(store) == ["s-5", "s-4", "s-2", "s-1"]
        assert await ids(store, limit=2) == ["s-5", "s-4"]
        assert await ids(store, before=4) == ["s-2", "s-1"]
        assert await ids(store, kind="emr.cluster") == []

    async def test_job_records_are_found_by_the_token_of_their_request(self, store: Store) -> None:
        await store.job_records_write([record("s-1", token="t"), record("s-2", token="t"), record("s-3")])
        await store.job_records_write([record("j-1", kind="emr.cluster", token="t")])
        assert [each.id for each in await store.job_records_of_token("emr.step", "t")] == ["s-1", "s-2"]
        assert await store.job_records_of_token("emr.step", "other") == []
