"""Task tokens: the name of one attempt of one task towards those who carry it out.

A token says which execution and which attempt, and nothing else, so that it is the same on every delivery, on
every node and after a restart.  It is signed with the database's secret, so that nobody else can make one: who
has a token was given it.  Layout, before base64: a byte that says so, signature (16 bytes), then msgpack.  That byte
also keeps a token from beginning with a dash, which a command line would take for an option.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

_LAYOUT = b"\x01"
_SIGNATURE_BYTES = 16


class NamedTask(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. The id keeps apart executions that had the same ARN one after the other."""

    execution_id: int
    execution_arn: str
    attempt: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(NamedTask).decode


class TaskTokens:
    def __init__(self, secret: bytes) -> None:
        # The secret also signs other kinds of token; none of them must pass for a task token.
        key = hmac.digest(secret, b"task tokens", hashlib.sha256)
        # With the key in it, for each token to copy: half the time of a signature from the key alone.
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)

    def token(self, execution_id: int, execution_arn: str, attempt: int) -> str:
        named = _encode(NamedTask(execution_id, execution_arn, attempt))
        return base64.urlsafe_b64encode(_LAYOUT + self._sign(named) + named).decode()

    def read(self, token: str) -> NamedTask | None:
        """None: we have not made it."""
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            return None
        signature, named = data[1 : 1 + _SIGNATURE_BYTES], data[1 + _SIGNATURE_BYTES :]
        if data[:1] != _LAYOUT or not hmac.compare_digest(signature, self._sign(named)):
            return None
        return _decode(named)

    def _sign(self, named: bytes) -> bytes:
        signature = self._keyed.copy()
        signature.update(named)
        return signature.digest()[:_SIGNATURE_BYTES]
