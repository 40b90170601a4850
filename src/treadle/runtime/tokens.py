"""Task tokens: the name of one attempt of one task towards those who carry it out.

A token is made of the execution and the attempt, and nothing else, so that it is the same on every delivery,
also after a restart; it is signed with the database's secret, so that nobody else can make one.
"""

from __future__ import annotations

import hashlib
import hmac


class TaskTokens:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, execution_arn: str, attempt: int) -> str:
        name = f"task\n{execution_arn}\n{attempt}".encode()
        return hmac.new(self._secret, name, hashlib.sha256).hexdigest()
