"""Whom a request is signed for: region and service, read off the credential scope of AWS Signature Version 4.

Treadle does not check signatures; whoever reaches the port may call the API.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import parse_qs

from msgspec import Struct

from treadle.aws.errors import ApiError

_region = re.compile(r"[a-z0-9-]{1,32}")
_in_header = re.compile(r"Credential=([^,\s]*)")


class Scope(Struct, frozen=True):
    region: str | None = None
    """None: the request is not signed."""
    service: str | None = None


UNSIGNED = Scope()


def scope_of(authorization: bytes, query: bytes) -> Scope:
    """From the Authorization header, or else from the query of a presigned request.

    Raises IncompleteSignatureException if what is there cannot be read.
    """
    if authorization.startswith(b"AWS4-"):
        found = _in_header.search(authorization.decode("latin-1"))
        return _scope(found.group(1) if found else "")
    if b"X-Amz-Credential=" in query:
        return _scope(parse_qs(query.decode("latin-1"))["X-Amz-Credential"][-1])
    return UNSIGNED


@lru_cache(maxsize=1024)
def _scope(credential: str) -> Scope:
    # An access key may hold slashes, the four elements behind it may not.
    elements = credential.rsplit("/", 4)
    if len(elements) != 5 or elements[4] != "aws4_request":
        raise ApiError(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{credential}'",
        )
    _, _, region, service, _ = elements
    if not _region.fullmatch(region):
        raise ApiError(
            "IncompleteSignatureException", f"Credential should be scoped to a valid region, not '{region}'."
        )
    return Scope(region, service)
