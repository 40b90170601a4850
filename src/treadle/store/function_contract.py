"""What the store keeps of functions that were made through the API: the part of its contract that is about them.

The store knows no Lambda. Of a function's settings it keeps the text; of its code the archive, once for all versions
that share it. A function exists as long as it has its latest version, whose number is LATEST.

The rules of `contract.py` hold here too: what a returned call wrote is on disk, and a call that writes several
things (a function, its code, its first version) writes all of them or none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

LATEST = 0
"""The number of the version that changes: $LATEST. Published ones count from 1, and no number is given twice."""


class FunctionVersion(Struct, frozen=True, kw_only=True):
    """A function's code and settings as they were published, or as they are now."""

    function_arn: str
    """Without a qualifier."""
    number: int
    revision_id: str
    """Another one whenever something of it changed."""
    settings: str
    """JSON text."""
    code_sha256: str
    """Of the archive, in hexadecimal digits."""
    code_bytes: int
    modified: int
    layers: tuple[str, ...] = ()
    """Hashes of the archives of its layers, in their order: they are kept as long as it is."""


class FunctionConfig(Struct, frozen=True, kw_only=True):
    """What is configured beside the settings, and changes without another revision: of a function (qualifier ""), or of
    one of its versions or aliases. It is gone with what it is of."""

    function_arn: str
    qualifier: str
    kind: str
    config: str
    """JSON text."""


class FunctionAlias(Struct, frozen=True, kw_only=True):
    """A name for one or two versions of a function."""

    function_arn: str
    name: str
    description: str
    version: int
    revision_id: str
    additional_version: int | None = None
    additional_weight: float | None = None
    """The share of the invocations, from 0 to 1, that go to the additional version."""


class FunctionStatement(Struct, frozen=True, kw_only=True):
    """A statement of the policy of a function (qualifier ""), or of one of its versions or aliases."""

    function_arn: str
    qualifier: str
    id: str
    statement: str
    """JSON text."""


class FunctionStore(Protocol):
    """All methods may raise StoreUnusable."""

    async def function_create(
        self, latest: FunctionVersion, code: bytes, tags: Mapping[str, str], publish: FunctionVersion | None = None
    ) -> int | None:
        """With its code and its tags; and publish it: the number of that version. Raises Conflict if the ARN is
        taken, or an archive of its layers is not there."""
        ...

    async def function_update(
        self,
        latest: FunctionVersion,
        replaces: str,
        code: bytes | None = None,
        publish: FunctionVersion | None = None,
    ) -> int | None:
        """Replace the latest version, if its revision is `replaces`, and publish it. `code`: the archive, if it is
        another one. Raises Conflict if there is no such function, it has another revision, or an archive of its
        layers is not there."""
        ...

    async def function_publish(self, published: FunctionVersion, latest_revision: str) -> int:
        """Keep `published` (whose own number does not count) as the next version; its number. Raises Conflict if
        there is no such function, or its latest version has another revision."""
        ...

    async def function_get(self, arn: str, number: int = LATEST) -> FunctionVersion | None: ...

    async def function_code(self, code_sha256: str) -> bytes | None:
        """The archive."""
        ...

    async def function_has_code(self, code_sha256: str) -> bool:
        """Whether there is such an archive."""
        ...

    async def function_list(
        self, arn_prefix: str, after: tuple[str, int] | None, limit: int, every_version: bool = False
    ) -> Sequence[FunctionVersion]:
        """The latest versions, or all, of functions whose ARN starts with `arn_prefix`, those behind `after` (ARN
        and number), at most `limit`, ordered by ARN and number."""
        ...

    async def function_versions(self, arn: str, after: int | None, limit: int) -> Sequence[FunctionVersion]:
        """The latest version first, then those published, by number; those behind `after`, at most `limit`."""
        ...

    async def function_totals(self, arn_prefix: str) -> tuple[int, int]:
        """How many functions there are, and the bytes of the code of all their versions."""
        ...

    async def function_version_delete(self, arn: str, number: int) -> bool:
        """Whether there was one. Raises Conflict if an alias leads to it."""
        ...

    async def function_delete(self, arn: str) -> bool:
        """With all that belongs to it, and with the code that nothing else has. Whether there was one."""
        ...

    # -- aliases -------------------------------------------------------------------------------------------

    async def function_alias_create(self, alias: FunctionAlias) -> None:
        """Raises Conflict if the name is taken, or a version that it leads to does not exist."""
        ...

    async def function_alias_get(self, arn: str, name: str) -> FunctionAlias | None: ...

    async def function_alias_update(self, alias: FunctionAlias, replaces: str) -> None:
        """Raises Conflict if there is no such alias, it has another revision than `replaces`, or a version that it
        leads to does not exist."""
        ...

    async def function_alias_delete(self, arn: str, name: str) -> bool:
        """Whether there was one."""
        ...

    async def function_alias_list(
        self, arn: str, version: int | None, after: str | None, limit: int
    ) -> Sequence[FunctionAlias]:
        """All, or those that lead to this version; those behind the name `after`, at most `limit`, by name."""
        ...

    # -- what else belongs to a function -------------------------------------------------------------------

    async def function_tags(self, arn: str) -> Mapping[str, str]:
        """By key, in the order of the keys."""
        ...

    async def function_tag(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags, and replace those with the same keys. Raises Conflict if there is no such function."""
        ...

    async def function_untag(self, arn: str, keys: Collection[str]) -> None:
        """Remove the tags that there are among these. Idempotent."""
        ...

    async def function_concurrency(self, arn_prefix: str) -> Mapping[str, int]:
        """The reserved concurrency of each function that has one, of those whose ARN starts with `arn_prefix`."""
        ...

    async def function_set_concurrency(self, arn: str, reserved: int | None) -> None:
        """None: nothing is reserved. Raises Conflict if there is no such function."""
        ...

    async def function_config_set(self, config: FunctionConfig) -> None:
        """Add it, or replace the one of its kind. Raises Conflict if there is no such function."""
        ...

    async def function_config_remove(self, arn: str, qualifier: str, kind: str) -> bool:
        """Whether there was one."""
        ...

    async def function_configs(self, arn_prefix: str, kind: str) -> Sequence[FunctionConfig]:
        """Those of a kind, of all functions whose ARN starts with `arn_prefix`, by ARN and qualifier."""
        ...

    async def function_statement_add(self, statement: FunctionStatement) -> None:
        """Raises Conflict if the policy has a statement of that id, or there is no such function."""
        ...

    async def function_statement_remove(self, arn: str, qualifier: str, id: str) -> bool:
        """Whether there was one."""
        ...

    async def function_statements(self, arn: str, qualifier: str) -> Sequence[FunctionStatement]:
        """In the order in which they were added."""
        ...
