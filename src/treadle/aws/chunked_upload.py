"""Bodies that S3's clients send in chunks, each with a signature of its own (`aws-chunked`).

    10000;chunk-signature=AD80...\\r\\n   size in hexadecimal; the signature covers the chunk and the one before
    (65,536 bytes)\\r\\n                  the one before the first is that of the head
    0;chunk-signature=B6C6...\\r\\n
    x-amz-checksum-crc32c:sOO8/Q==\\r\\n  with -TRAILER only: headers that were not known at the beginning,
    x-amz-trailer-signature:D81F...\\r\\n and their signature
    \\r\\n

A body is looked at as it passes, piece by piece, and never held: whoever passes it on keeps its last piece back until
`end` has found nothing wrong. Source: "Signature calculations for the Authorization header: transferring payload in
multiple chunks" and "... including trailing headers" in S3's API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from treadle.aws.errors import ApiError
from treadle.aws.sigv4 import ALGORITHM, TERMINATOR, Signature, signing_key

SIGNED = f"STREAMING-{ALGORITHM}-PAYLOAD"
SIGNED_WITH_TRAILER = f"{SIGNED}-TRAILER"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16});chunk-signature=([0-9a-f]{64})")
_TRAILER_SIGNATURE = b"x-amz-trailer-signature"


class SignedChunks:
    """What was seen of one body."""

    def __init__(self, secret: str, seed: Signature, line_bytes: int, *, trailer: bool) -> None:
        """`seed`: the signature of the head. `line_bytes`: the longest head of a chunk, and all trailing headers
        together. `trailer`: whether trailing headers and their signature follow."""
        scope = seed.scope
        self._key = signing_key(secret, scope.date, scope.region, scope.service)
        self._context = f"{seed.time}\n{scope.date}/{scope.region}/{scope.service}/{TERMINATOR}"
        self._before = seed.signature
        self._line_bytes = line_bytes
        self._has_trailer = trailer
        self._line = bytearray()
        """What has come of a line."""
        self._left = 0
        """Bytes of the chunk that are still to come."""
        self._hash = hashlib.sha256()
        self._signature = ""
        """Of the chunk, as the client has it."""
        self._closing = False
        """The end of line behind a chunk is due."""
        self._trailers: list[bytes] | None = None
        """None: the last chunk has not come yet."""
        self._trailer_bytes = 0
        self._done = False
        self.decoded_bytes = 0

    def feed(self, piece: bytes) -> None:
        """Raises ApiError."""
        view = memoryview(piece)
        while view:
            if self._left:
                taken = view[: self._left]
                self._hash.update(taken)
                self._left -= len(taken)
                self.decoded_bytes += len(taken)
                view = view[len(taken) :]
                if not self._left:
                    self._end_chunk()
            else:
                view = self._feed_line(view)

    def end(self) -> None:
        """Nothing comes any more. Raises ApiError."""
        if not self._done or self._line:
            raise _incomplete()

    def _feed_line(self, view: memoryview) -> memoryview:
        if self._done:
            raise _malformed("something follows the last chunk")
        at = bytes(view[: self._line_bytes]).find(b"\n")
        taken = view if at < 0 else view[: at + 1]
        self._line += taken
        if len(self._line) > self._line_bytes:
            raise _malformed("a line is too long")
        if at >= 0:
            line, self._line = bytes(self._line), bytearray()
            if not line.endswith(b"\r\n"):
                raise _malformed("a line does not end as it must")
            self._read_line(line[:-2])
        return view[len(taken) :]

    def _read_line(self, line: bytes) -> None:
        if self._closing:
            if line:
                raise _malformed("a chunk is longer than its size says")
            self._closing = False
        elif self._trailers is not None:
            self._read_trailer(line)
        else:
            head = _HEAD.fullmatch(line)
            if head is None:
                raise _malformed("there is no size and signature of a chunk where one must be")
            self._left, self._signature = int(head[1], 16), head[2].decode()
            self._hash = hashlib.sha256()
            if not self._left:
                self._check(f"{ALGORITHM}-PAYLOAD", f"{_EMPTY_HASH}\n{_EMPTY_HASH}", self._signature)
                self._trailers = []

    def _end_chunk(self) -> None:
        self._check(f"{ALGORITHM}-PAYLOAD", f"{_EMPTY_HASH}\n{self._hash.hexdigest()}", self._signature)
        self._closing = True

    def _read_trailer(self, line: bytes) -> None:
        assert self._trailers is not None
        self._trailer_bytes += len(line)
        if self._trailer_bytes > self._line_bytes:
            raise _malformed("the trailing headers are too long")
        name, colon, value = line.partition(b":")
        if not line:
            if self._has_trailer:
                raise _malformed("there is no signature of the trailing headers")
            self._done = True
        elif not self._has_trailer or not colon:
            raise _malformed("there are trailing headers where none were announced")
        elif name.lower().strip() != _TRAILER_SIGNATURE:
            self._trailers.append(name.lower().strip() + b":" + value.strip() + b"\n")
        else:
            hashed = hashlib.sha256(b"".join(sorted(self._trailers))).hexdigest()
            self._check(f"{ALGORITHM}-TRAILER", hashed, value.strip().decode("latin-1"))
            # The empty line behind it is all that may follow.
            self._has_trailer = False

    def _check(self, what: str, hashes: str, given: str) -> None:
        text = f"{what}\n{self._context}\n{self._before}\n{hashes}"
        expected = hmac.digest(self._key, text.encode("latin-1"), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), given.encode("latin-1", "replace")):
            raise ApiError(
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and "
                "signing method.",
            )
        self._before = expected


def _incomplete() -> ApiError:
    text = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return ApiError("IncompleteBody", text)


def _malformed(why: str) -> ApiError:
    return ApiError("InvalidRequest", f"The body is not as {SIGNED} wants it: {why}.")
