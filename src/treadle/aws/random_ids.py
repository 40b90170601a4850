"""Random UUIDs: ids of requests, and names that callers left to us.

Not the standard library's `uuid4`, which makes an object of each, from a call of the operating system: that takes three
times as long, and every request needs one, many two. Nobody must be unable to guess these; what is a secret is not
made here.
"""

from __future__ import annotations

from random import Random

_bits = Random().getrandbits  # noqa: S311 - seeded by the operating system; no secret

_VERSION_4 = 0x4 << 76 | 0x8 << 60
_OTHER_BITS = ~(0xF << 76 | 0x3 << 62)
"""The bits that do not say which version and variant it is."""


def random_id() -> str:
    """Version 4."""
    return _written(_bits(128))


def ordered_id(now: int) -> str:
    """One that begins with the time, milliseconds since the epoch: those that are made one after another stand side by
    side in an index, where each random one would touch a page of its own. It calls itself version 4, because that is
    what AWS gives, and what somebody may look for."""
    return _written(now << 80 | _bits(80))


def _written(number: int) -> str:
    digits = f"{number & _OTHER_BITS | _VERSION_4:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
