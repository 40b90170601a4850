"""What the store keeps of event source mappings and of function URLs: the part of its contract that is about them.

Both name a function by its ARN, which may be one of the functions folder: so neither is a part of the function, and a
mapping stays when its function goes, as on AWS. The store knows no Lambda: of what a mapping or a URL is set to it
keeps the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct


class EventSourceMapping(Struct, frozen=True, kw_only=True):
    """A queue or stream whose messages a function gets."""

    arn: str
    function_arn: str
    """With the qualifier of the version or alias that is to run, if there is one."""
    source_arn: str
    enabled: bool
    settings: str
    """JSON text."""
    tags: str
    """JSON text: an object."""
    modified: int


class FunctionUrl(Struct, frozen=True, kw_only=True):
    """The URL of a function (qualifier ""), or of one of its aliases."""

    id: str
    """What tells it from all others: a label of its host name."""
    function_arn: str
    """Without a qualifier."""
    qualifier: str
    settings: str
    """JSON text."""
    created: int
    modified: int


class EventSourceStore(Protocol):
    """All methods may raise StoreUnusable."""

    async def mapping_create(self, mapping: EventSourceMapping) -> None:
        """Raises Conflict if the ARN is taken, or if there is a mapping of this source to this function."""
        ...

    async def mapping_get(self, arn: str) -> EventSourceMapping | None: ...

    async def mapping_replace(self, mapping: EventSourceMapping) -> None:
        """Raises Conflict if there is no mapping of this ARN, or if another one has its source and function."""
        ...

    async def mapping_delete(self, arn: str) -> bool:
        """Whether there was one."""
        ...

    async def mapping_list(
        self,
        arn_prefix: str,
        after: str | None,
        limit: int,
        *,
        function_arn: str | None = None,
        source_arn: str | None = None,
    ) -> Sequence[EventSourceMapping]:
        """Those whose ARN starts with `arn_prefix` and that stand behind the ARN `after`, at most `limit`, ordered
        by ARN: all, or those of this function, of this source, or both."""
        ...

    async def mapping_position_get(self, arn: str) -> str | None:
        """Where the mapping stands in its stream; None: nobody has said yet, or there is no such mapping."""
        ...

    async def mapping_position_put(self, arn: str, position: str) -> None:
        """`position`: JSON text, in place of what was said before. It goes with its mapping, and is nothing if that is
        not there."""
        ...

    # -- URLs of functions ---------------------------------------------------------------------------------

    async def function_url_create(self, url: FunctionUrl) -> None:
        """Raises Conflict if the id is taken, or if the function or alias has a URL."""
        ...

    async def function_url_get(self, function_arn: str, qualifier: str) -> FunctionUrl | None: ...

    async def function_url_of_id(self, id: str) -> FunctionUrl | None: ...

    async def function_url_replace(self, url: FunctionUrl) -> None:
        """Raises Conflict if the function or alias has no URL of this id."""
        ...

    async def function_url_delete(self, function_arn: str, qualifier: str) -> bool:
        """Whether there was one."""
        ...

    async def function_url_list(self, function_arn: str, after: str | None, limit: int) -> Sequence[FunctionUrl]:
        """Those of the function and its aliases, behind the qualifier `after`, at most `limit`, by qualifier."""
        ...
