"""Functions that were made through the API: from what the store keeps to a function that can be run.

A function is looked up by its ARN. The qualifier behind it names a version or an alias, which leads to one; without
one it is the latest version. What was looked up is remembered until somebody says that the function has `changed`.

Code is unpacked before a function is made of it, and again after a restart, when it is first needed: the folder of
unpacked code is emptied as the server starts, because nothing says whether what lies there is complete. It holds one
folder for each archive, named by its hash, and one for each sequence of layers; functions and versions with the same
archive share it. What no function has any more is removed by `sweeping.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec
from msgspec import Struct

from treadle.functions.archives import PARTIAL, check_archive, unpack, unpacked_bytes
from treadle.functions.contract import FunctionNotFound
from treadle.functions.function import LATEST as LATEST_QUALIFIER
from treadle.functions.function import Function, Logging
from treadle.functions.runtimes import Code, Runtimes
from treadle.limits import Limits
from treadle.store.function_contract import LATEST, FunctionAlias, FunctionStore, FunctionVersion

_REMEMBERED = 10_000
_LAYERS, _REMOVED = "layers-", "removed-"
"""What the names of some folders begin with."""


class LayerUse(Struct, frozen=True):
    """A layer of a function."""

    arn: str
    """With its version."""
    code_bytes: int
    """Of its archive."""


class FunctionSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the store keeps as the settings of a version."""

    runtime: str
    handler: str
    role: str
    description: str = ""
    timeout_seconds: int = 3
    memory_megabytes: int = 128
    environment: dict[str, str] = {}
    architecture: str = "x86_64"
    tracing: str = "PassThrough"
    ephemeral_megabytes: int = 512
    logging: Logging = Logging()
    dead_letter: str = ""
    """ARN of the queue or topic for events that were given up."""
    layers: tuple[LayerUse, ...] = ()
    """Their archives are those of `FunctionVersion.layers`."""

    @property
    def text(self) -> str:
        return msgspec.json.encode(self).decode()


def settings_of(version: FunctionVersion) -> FunctionSettings:
    return msgspec.json.decode(version.settings, type=FunctionSettings)


class FunctionArn(Struct, frozen=True):
    """arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]"""

    unqualified: str
    region: str
    account: str
    name: str
    qualifier: str | None

    @classmethod
    def read(cls, arn: str) -> FunctionArn:
        """Of an ARN that names a function."""
        parts = arn.split(":", 7)
        qualifier = parts[7] if len(parts) == 8 else None
        return cls(":".join(parts[:7]), parts[3], parts[4], parts[6], qualifier)


def version_qualifier(number: int) -> str:
    return LATEST_QUALIFIER if number == LATEST else str(number)


def version_number(qualifier: str | None) -> int | None:
    """The number of the version that it names; None: it names an alias."""
    if qualifier is None or qualifier == LATEST_QUALIFIER:
        return LATEST
    return int(qualifier) if qualifier.isdecimal() and len(qualifier) < 10 else None


class CreatedFunctions:
    def __init__(self, store: FunctionStore, folder: Path, limits: Limits, runtimes: Runtimes | None = None) -> None:
        """`folder`: for unpacked code; all that lies in it is thrown away."""
        self.runtimes = runtimes or Runtimes()
        self.store = store
        self._folder = folder
        self._limits = limits
        self._versions: dict[tuple[str, int], Function] = {}
        self._aliases: dict[tuple[str, str], FunctionAlias] = {}
        self._reserved: dict[str, int] = {}
        self._unpacking: dict[str, asyncio.Lock] = {}
        self._layers: dict[str, tuple[str, ...]] = {}
        """The archives in each folder of layers, by its name."""
        self._changes = 0
        """How often something changed: what was read before a change is not remembered after it."""
        self.changing = asyncio.Lock()
        """Held by whoever changes a function: what it read still holds when it writes."""
        self._random = random.Random()  # noqa: S311 - which version an invocation gets is no secret

    async def open(self) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        await self.read_reserved()

    async def read_reserved(self) -> None:
        """Learn anew what is reserved for which function."""
        self._reserved = dict(await self.store.function_concurrency("arn:"))

    def changed(self, arn: str) -> None:
        """Something of the function with this (unqualified) ARN is not what it was."""
        self._changes += 1
        _forget(self._versions, arn)
        _forget(self._aliases, arn)

    def all_changed(self) -> None:
        """Any function may not be what it was."""
        self._changes += 1
        self._versions.clear()
        self._aliases.clear()

    @property
    def reserved(self) -> Mapping[str, int]:
        """How many invocations may run at once, of each function for which that was set."""
        return self._reserved

    def set_reserved(self, arn: str, reserved: int | None) -> None:
        if reserved is None:
            self._reserved.pop(arn, None)
        else:
            self._reserved[arn] = reserved

    async def find(self, arn: FunctionArn, *, first: bool = False) -> Function:
        """The function that an invocation of `arn` runs; `first`: of an alias with two versions, that of the first
        one. Raises FunctionNotFound, ArchiveError, RuntimeMissingError."""
        number = version_number(arn.qualifier)
        if number is None:
            assert arn.qualifier is not None
            alias = await self._alias(arn.unqualified, arn.qualifier)
            number = alias.version if first else self._version_of(alias)
        known = self._versions.get((arn.unqualified, number))
        return await self._load(arn, number) if known is None else known

    async def _load(self, arn: FunctionArn, number: int) -> Function:
        changes = self._changes
        version = await self.store.function_get(arn.unqualified, number)
        if version is None:
            raise FunctionNotFound(f"Function not found: {arn.unqualified}")
        root = await self.folder_of(version)
        layers = await self.layers_of(version)
        settings = settings_of(version)
        function = Function(
            name=arn.name,
            key=f"{arn.unqualified}:{number}",
            handler=settings.handler,
            root=root,
            code=root,
            layers=layers,
            command=self.runtimes.command(
                Code(
                    runtime=settings.runtime,
                    handler=settings.handler,
                    root=root,
                    layers=layers,
                    memory_megabytes=settings.memory_megabytes,
                )
            ),
            runtime=settings.runtime,
            timeout_seconds=settings.timeout_seconds,
            memory_megabytes=settings.memory_megabytes,
            environment=settings.environment,
            version=version.revision_id,
            published_version=version_qualifier(number),
            region=arn.region,
            account=arn.account,
            ephemeral_megabytes=settings.ephemeral_megabytes,
            logging=settings.logging,
        )
        if changes == self._changes:
            _remember(self._versions, (arn.unqualified, number), function)
        return function

    async def _alias(self, arn: str, name: str) -> FunctionAlias:
        known = self._aliases.get((arn, name))
        if known is not None:
            return known
        changes = self._changes
        alias = await self.store.function_alias_get(arn, name)
        if alias is None:
            raise FunctionNotFound(f"Function not found: {arn}:{name}")
        if changes == self._changes:
            _remember(self._aliases, (arn, name), alias)
        return alias

    def _version_of(self, alias: FunctionAlias) -> int:
        additional = alias.additional_version
        if additional is None or self._random.random() >= (alias.additional_weight or 0):
            return alias.version
        return additional

    async def folder_of(self, version: FunctionVersion) -> Path:
        """Where the version's code is, unpacked. Raises FunctionNotFound, ArchiveError."""
        folder = self._folder / version.code_sha256
        if not folder.is_dir():
            archive = await self.store.function_code(version.code_sha256)
            if archive is None:  # deleted since the version was read
                raise FunctionNotFound(f"Function not found: {version.function_arn}")
            await self.unpack(version.code_sha256, [archive])
        return folder

    async def layers_of(self, version: FunctionVersion) -> Path | None:
        """Where its layers are, unpacked one over the other. Raises FunctionNotFound, ArchiveError."""
        if not version.layers:
            return None
        name = _LAYERS + hashlib.sha256(" ".join(version.layers).encode()).hexdigest()
        folder = self._folder / name
        if not folder.is_dir():
            archives = [await self.store.function_code(code) for code in version.layers]
            known = [archive for archive in archives if archive is not None]
            if len(known) < len(archives):  # deleted since the version was read
                raise FunctionNotFound(f"Function not found: {version.function_arn}")
            await self.unpack(name, known)
        self._layers[name] = version.layers
        return folder

    async def unpacked_bytes(self, version: FunctionVersion) -> int:
        """Of its code and its layers. Raises FunctionNotFound, ArchiveError."""
        folders = [await self.folder_of(version), await self.layers_of(version)]
        return sum([await asyncio.to_thread(unpacked_bytes, folder) for folder in folders if folder is not None])

    async def unpack(self, name: str, archives: Sequence[bytes]) -> Path:
        """The folder of that name with the contents of archives. Raises ArchiveError."""
        folder = self._folder / name
        lock = self._unpacking.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                if not folder.is_dir():
                    await asyncio.to_thread(unpack, archives, folder, self._limits)
        finally:
            if not lock.locked():
                self._unpacking.pop(name, None)
        return folder

    async def check(self, archive: bytes) -> None:
        """Whether an archive can be unpacked. Raises ArchiveError. It is tried in the folder of unpacked code, where
        nothing stays of it, even if the server dies meanwhile."""
        await asyncio.to_thread(check_archive, archive, self._folder, self._limits)

    async def unneeded(self) -> Sequence[Path]:
        """Folders with code that no function has any more."""
        found = []
        for folder in await asyncio.to_thread(_folders, self._folder):
            archives = self._layers.get(folder.name, (folder.name,))
            if not all([await self.store.function_has_code(code) for code in archives]):
                found.append(folder)
        return found

    def remove(self, folder: Path) -> Path:
        """Give up a folder with code, at once; what was in it is left for the caller to delete."""
        self._layers.pop(folder.name, None)
        return folder.rename(folder.with_name(_REMOVED + uuid4().hex))


def _folders(folder: Path) -> list[Path]:
    """Those with code, complete."""
    try:
        return [each for each in folder.iterdir() if not each.name.startswith((PARTIAL, _REMOVED))]
    except FileNotFoundError:
        return []


_Q = TypeVar("_Q")
_V = TypeVar("_V")


def _remember(known: dict[tuple[str, _Q], _V], key: tuple[str, _Q], value: _V) -> None:
    if len(known) >= _REMEMBERED:
        known.pop(next(iter(known)))
    known[key] = value


def _forget(known: dict[tuple[str, _Q], _V], arn: str) -> None:
    for key in [key for key in known if key[0] == arn]:
        del known[key]
