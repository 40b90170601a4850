"""The access keys that this server takes: those of its configuration, those in the database, and its own.

All are held in memory, so that a request is checked without asking the database; whatever changes keys goes
through here, and counts at once. The server's own keys last as long as the process: one for the functions that
it runs, one for its administrator, who is whoever may read the data folder.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from treadle.aws.errors import ApiError
from treadle.clock import Clock
from treadle.limits import Limits
from treadle.store.contract import AccessKey, Store

ID_PREFIX = "TRDL"
"""Not AWS's AKIA, so that neither a person nor a secret scanner takes a key of Treadle's for one of AWS's."""

_ID_BYTES = 10
_SECRET_BYTES = 30


class Credentials(Struct, frozen=True, kw_only=True):
    """What a request may be signed with, and for which account."""

    access_key_id: str
    secret: str
    account: str
    session_token: str | None = None
    """Of temporary credentials: a request must carry it."""
    role: Literal["client", "administrator"] = "client"


class Keyring:
    """`configured`: the keys of the configuration. `open` reads those of the database."""

    def __init__(self, store: Store, clock: Clock, limits: Limits, configured: Iterable[Credentials] = ()) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._configured = {each.access_key_id: each for each in configured}
        self._usable = dict(self._configured)
        self.required = bool(self._usable)
        """Whether requests must be signed: there is, or ever was, a key for clients. Revoking the last one must
        not let everybody in."""

    async def open(self) -> None:
        """Also to learn anew which there are."""
        stored = await self._store.access_key_list()
        self.required = self.required or bool(stored)
        for key in stored:
            if key.revoked is None:
                self._usable.setdefault(key.id, _credentials(key))
            elif key.id not in self._configured:
                self._usable.pop(key.id, None)

    def find(self, access_key_id: str) -> Credentials | None:
        return self._usable.get(access_key_id)

    def own(self, account: str, role: Literal["client", "administrator"] = "client") -> Credentials:
        """A new key for the server's own use. It is never stored, and asks nobody else for a signature."""
        made = Credentials(access_key_id=_new_id(), secret=_new_secret(), account=account, role=role)
        self._usable[made.access_key_id] = made
        return made

    # -- the keys in the database ------------------------------------------------------------------------------

    async def create(self, account: str, description: str) -> AccessKey:
        """Raises ServiceQuotaExceededException."""
        if len(await self._store.access_key_list()) >= self._limits.access_keys:
            text = f"There are {self._limits.access_keys} access keys already, revoked ones included."
            raise ApiError("ServiceQuotaExceededException", text)
        made = AccessKey(
            id=_new_id(), secret=_new_secret(), account=account, description=description, created=self._clock.now()
        )
        await self._store.access_key_create(made)
        self._usable[made.id] = _credentials(made)
        self.required = True
        return made

    async def list(self) -> list[AccessKey]:
        """Oldest first, revoked ones included."""
        return list(await self._store.access_key_list())

    async def revoke(self, access_key_id: str) -> AccessKey:
        """Idempotent. Raises ResourceNotFound; keys of the configuration cannot be revoked here."""
        known = {key.id: key for key in await self._store.access_key_list()}
        key = known.get(access_key_id)
        if key is None:
            text = f"Access key not found: '{access_key_id}'. Keys of the configuration are removed there."
            raise ApiError("ResourceNotFound", text)
        if key.revoked is not None:
            return key
        now = self._clock.now()
        self._usable.pop(key.id, None)  # from now on, even if the database should fail
        await self._store.access_key_revoke(key.id, now)
        return replace(key, revoked=now)


def _credentials(key: AccessKey) -> Credentials:
    return Credentials(access_key_id=key.id, secret=key.secret, account=key.account)


def _new_id() -> str:
    return ID_PREFIX + base64.b32encode(secrets.token_bytes(_ID_BYTES)).decode()


def _new_secret() -> str:
    return base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
