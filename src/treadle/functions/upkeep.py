"""What follows in the background when functions that were made through the API change.

- Workers are kept ready for the versions and aliases that have provisioned concurrency: those of another version once
  an alias leads there.
- Unpacked code that no function has any more is removed: folders whose archives the store has no more, as soon as no
  worker is in them. A folder gets another name before anybody may look for it again, so that it is there whole or not
  at all.

One task does both, one change after the other; what is asked for while it works is done once, afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from treadle.functions.contract import FunctionError
from treadle.functions.created import CreatedFunctions, FunctionArn
from treadle.functions.function import Function
from treadle.functions.pool import Pool
from treadle.store.contract import StoreUnavailable, StoreUnusable
from treadle.store.function_contract import FunctionConfig

_log = logging.getLogger(__name__)

PROVISIONED = "provisioned"
"""The kind of configuration that says how many workers are kept."""


_RETRY_SECONDS = 5.0
"""When to go on if the database cannot be reached."""


class ProvisionedConfig(Struct, frozen=True, kw_only=True):
    """Its text in the store."""

    amount: int
    modified: int
    """Milliseconds since the epoch."""


class Provision(Struct, frozen=True):
    """What there is of the workers that a version or an alias is to have."""

    status: Literal["IN_PROGRESS", "READY", "FAILED"]
    ready: int
    reason: str | None = None
    """Of a failure."""


def provisioned_config(config: FunctionConfig) -> ProvisionedConfig:
    return msgspec.json.decode(config.config, type=ProvisionedConfig)


class Upkeep:
    def __init__(self, created: CreatedFunctions, pool: Pool) -> None:
        self._store = created.store
        self._created = created
        self._pool = pool
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._kept: dict[str, Mapping[str, Function]] = {}
        """By the function's ARN and by key: for whom the pool keeps workers."""
        self._keys: dict[tuple[str, str], str] = {}
        """By ARN and qualifier: the key of the version that it leads to."""
        self._failures: dict[tuple[str, str], str] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._changed.update(config.function_arn for config in await self._store.function_configs("arn:", PROVISIONED))
        self._wake.set()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def changed(self, arn: str) -> None:
        """Something of the function with this (unqualified) ARN is not what it was."""
        for known in [known for known in self._keys if known[0] == arn]:
            del self._keys[known]
        for known in [known for known in self._failures if known[0] == arn]:
            del self._failures[known]
        self._changed.add(arn)
        self._wake.set()

    def provision(self, arn: str, qualifier: str, amount: int) -> Provision:
        """Of a version or an alias that is to have `amount` workers."""
        failure = self._failures.get((arn, qualifier))
        key = self._keys.get((arn, qualifier))
        ready, document = (0, None) if key is None else self._pool.ready(key)
        if failure is None and document is not None:
            failure = str(msgspec.json.decode(document).get("errorMessage"))
        if failure is not None:
            return Provision("FAILED", min(ready, amount), failure)
        return Provision("READY" if ready >= amount else "IN_PROGRESS", min(ready, amount))

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                changed, self._changed = self._changed, set()
                try:
                    for arn in changed:
                        await self._keep(arn)
                    await self._sweep()
                except StoreUnavailable:
                    self._changed |= changed
                    await asyncio.sleep(_RETRY_SECONDS)
                    self._wake.set()
        except StoreUnusable as error:  # whoever serves requests meets it, too, and stops the server
            _log.warning("Functions are not looked after any more: %s", error)

    async def _keep(self, arn: str) -> None:
        """Have the pool keep workers for one function as its configurations say."""
        wanted: dict[str, Function] = {}
        amounts: Counter[str] = Counter()
        for config in await self._store.function_configs(arn, PROVISIONED):
            if config.function_arn != arn:  # another name that begins like this one
                continue
            try:
                function = await self._created.find(FunctionArn.read(f"{arn}:{config.qualifier}"), first=True)
            except FunctionError as error:
                self._failures[arn, config.qualifier] = str(error)
                continue
            self._keys[arn, config.qualifier] = function.key
            wanted[function.key] = function
            amounts[function.key] += provisioned_config(config).amount
        for key, function in {**self._kept.pop(arn, {}), **wanted}.items():
            self._pool.keep(function, amounts[key])
        if wanted:
            self._kept[arn] = wanted

    async def _sweep(self) -> None:
        async with self._created.changing:
            for folder in await self._created.unneeded():
                users = self._pool.users(folder)
                for end in users:
                    end.add_done_callback(lambda _: self._wake.set())
                if not users:
                    removed = self._created.remove(folder)
                    await asyncio.to_thread(shutil.rmtree, removed, ignore_errors=True)
