"""The URLs from which code can be fetched: a token in them names an archive, and says until when.

Like the signed URLs of S3 that Lambda gives out, they are for whoever has them, for ten minutes. A token is signed with
the database's secret. Layout, before base64: signature (16 bytes), time of issue in milliseconds (8 bytes), the
archive's hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

CODE_PATH = "/_treadle/code/"
_LIFETIME_MILLISECONDS = 10 * 60 * 1_000
"""Lambda's documentation of FunctionCodeLocation."""
_SIGNATURE_BYTES, _TIME_BYTES = 16, 8


class CodeTokens:
    def __init__(self, secret: bytes) -> None:
        # The secret also signs other kinds of token; none of them must pass for one of these.
        self._key = hmac.digest(secret, b"code tokens", hashlib.sha256)

    def issue(self, code_sha256: str, now: int) -> str:
        """`now`: in milliseconds."""
        named = now.to_bytes(_TIME_BYTES, "big") + bytes.fromhex(code_sha256)
        return base64.urlsafe_b64encode(self._sign(named) + named).decode()

    def read(self, token: str, now: int) -> str | None:
        """The hash of the archive; None if the token is none of ours, or too old."""
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            return None
        signature, named = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(named)):
            return None
        issued = int.from_bytes(named[:_TIME_BYTES], "big")
        return named[_TIME_BYTES:].hex() if now - issued <= _LIFETIME_MILLISECONDS else None

    def _sign(self, named: bytes) -> bytes:
        return hmac.digest(self._key, named, hashlib.sha256)[:_SIGNATURE_BYTES]
