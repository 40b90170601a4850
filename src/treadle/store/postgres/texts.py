"""Texts as PostgreSQL takes them: it refuses U+0000, which an error, a cause or a header may hold. So that one is
written as two other code points, and the first of these as two as well."""

from __future__ import annotations

_NUL, _ESCAPE = "\0", "\x1a"


def escape(text: str) -> str:
    if _NUL in text or _ESCAPE in text:
        return text.replace(_ESCAPE, _ESCAPE + "1").replace(_NUL, _ESCAPE + "0")
    return text


def unescape(text: str) -> str:
    if _ESCAPE in text:
        return text.replace(_ESCAPE + "0", _NUL).replace(_ESCAPE + "1", _ESCAPE)
    return text


def encode(text: str) -> bytes:
    """A single value. (Arrays of texts are not encoded with this: what is in them is to be escaped.)"""
    return escape(text).encode()


def decode(data: bytes) -> str:
    return unescape(bytes(data).decode())
