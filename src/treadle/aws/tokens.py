"""Page tokens: where a listing goes on, as a text that only this database can make.

A token holds the position and the time it was issued. Its signature also covers the operation and its other
arguments, so a token that comes back with different arguments, from another listing or another database is
refused like one that was tampered with.  Only maxResults may change from page to page, as it may on AWS
(recorded: list_executions_pagination).  Layout, before base64: signature (16 bytes), then msgpack.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.aws.errors import ApiError

LIFETIME_MILLISECONDS = 24 * 60 * 60 * 1_000
"""AWS: "Each pagination token is unique for each page and expires after 24 hours"."""

_SIGNATURE_BYTES = 16
_NOT_COVERED = frozenset({"nextToken", "maxResults"})
_payload = msgspec.msgpack.Decoder(tuple[int, list[Any]])
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class PageTokens:
    def __init__(self, secret: bytes) -> None:
        # The database's secret also signs other kinds of token; none of them must pass for a page token.
        self._key = hmac.digest(secret, b"page tokens", hashlib.sha256)

    def issue(self, listing: str, arguments: Mapping[str, Any], position: list[Any], now: int) -> str:
        """`listing`: operation and account. `arguments`: the request. `now`: in milliseconds."""
        payload = _encode((now, position))
        return base64.urlsafe_b64encode(self._sign(listing, arguments, payload) + payload).decode()

    def read(self, listing: str, arguments: Mapping[str, Any], now: int) -> list[Any] | None:
        """The position in the request's nextToken, None if it has none. Raises InvalidToken."""
        token = arguments.get("nextToken")
        if token is None:
            return None
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
            signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._sign(listing, arguments, payload)):
                raise _invalid()
            issued, position = _payload.decode(payload)
        except ValueError as error:
            raise _invalid() from error
        if now - issued > LIFETIME_MILLISECONDS:
            raise _invalid()
        return position

    def _sign(self, listing: str, arguments: Mapping[str, Any], payload: bytes) -> bytes:
        repeated = {name: value for name, value in arguments.items() if name not in _NOT_COVERED}
        signed = _encode((listing, repeated, payload))
        return hmac.digest(self._key, signed, hashlib.sha256)[:_SIGNATURE_BYTES]


def _invalid() -> ApiError:
    return ApiError("InvalidToken", "Invalid Token: 'Invalid token'")
