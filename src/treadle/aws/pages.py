"""Pages of listings, as far as they are the same for every service. What a request and an answer call a page's token
and size is each service's own; what a token holds is `tokens.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Pages:
    """For the calls of a service, which say what raises NotImplementedError here."""

    __slots__ = ()

    def page_items(self, request: dict[str, Any]) -> int:
        """Items on a page."""
        raise NotImplementedError

    def position(self, request: dict[str, Any]) -> list[Any] | None:
        """Where the page that is asked for begins; None: at the beginning. Raises ApiError."""
        raise NotImplementedError

    def next_page(self, request: dict[str, Any], position: list[Any]) -> dict[str, str]:
        """The member of an answer that leads to the page behind `position`."""
        raise NotImplementedError

    def after(self, request: dict[str, Any]) -> Any:
        """`position` of a listing whose positions are a single value."""
        position = self.position(request)
        return None if position is None else position[0]

    def page(
        self,
        request: dict[str, Any],
        member: str,
        found: Sequence[T],
        shown: Callable[[T], dict[str, Any]],
        position: Callable[[T], list[Any]],
    ) -> dict[str, Any]:
        """The answer with as many of what was found as fit on the page, in `member`; and with what leads to the page
        behind them, if there are more."""
        size = self.page_items(request)
        answer: dict[str, Any] = {member: [shown(each) for each in found[:size]]}
        if len(found) > size:
            answer |= self.next_page(request, position(found[size - 1]))
        return answer
