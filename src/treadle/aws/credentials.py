"""Whom a request is signed for: access key, date, region and service, read off its credential scope."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qs

from msgspec import Struct

from treadle.aws.errors import ApiError

_region = re.compile(r"[a-z0-9-]{1,32}")
_account = re.compile(r"[0-9]{12}")
_in_header = re.compile(rb"Credential=([^,\s]*)")


class Scope(Struct, frozen=True):
    access_key_id: str
    date: str
    """As the client wrote it: YYYYMMDD, if it is right."""
    region: str
    service: str

    @property
    def account(self) -> str | None:
        """The account that an access key of twelve digits names: what LocalStack takes it for, too."""
        return self.access_key_id if _account.fullmatch(self.access_key_id) else None


def scope_of(authorization: bytes, query: bytes) -> Scope | None:
    """From the Authorization header, or else from the query of a presigned request; None: it is not signed.

    Nothing is verified. Raises IncompleteSignatureException if what is there cannot be read.
    """
    if authorization.startswith(b"AWS4-"):
        found = _in_header.search(authorization)
        return _scope_of_bytes(found[1] if found else b"")
    if b"X-Amz-Credential=" in query:
        return read_scope(parse_qs(query.decode("latin-1"))["X-Amz-Credential"][-1])
    return None


@lru_cache(maxsize=1024)
def _scope_of_bytes(credential: bytes) -> Scope:
    return read_scope(credential.decode("latin-1"))


@lru_cache(maxsize=1024)
def read_scope(credential: str) -> Scope:
    """Raises IncompleteSignatureException."""
    # An access key may hold slashes, the four elements behind it may not.
    elements = credential.rsplit("/", 4)
    if len(elements) != 5 or elements[4] != "aws4_request":
        raise ApiError(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )
    access_key_id, date, region, service, _ = elements
    if not _region.fullmatch(region):
        raise ApiError(
            "IncompleteSignatureException", f"Credential should be scoped to a valid region, not '{region}'."
        )
    return Scope(access_key_id, date, region, service)
