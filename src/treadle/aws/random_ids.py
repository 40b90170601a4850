"""Random UUIDs: ids of requests, and names that callers left to us.

Not the standard library's `uuid4`, which makes an object of each, from a call of the operating system: that takes three
times as long, and every request needs one, many two. Nobody must be unable to guess these; what is a secret is not
made here.
"""

from __future__ import annotations

from random import Random

_bits = Random().getrandbits  # noqa: S311 - seeded by the operating system; no secret


def random_id() -> str:
    """Version 4."""
    return f"{_bits(32):08x}-{_bits(16):04x}-4{_bits(12):03x}-{0x8000 | _bits(14):04x}-{_bits(48):012x}"


def ordered_id(now: int) -> str:
    """One that begins with the time, milliseconds since the epoch: those that are made one after another stand side by
    side in an index, where each random one would touch a page of its own. It calls itself version 4, because that is
    what AWS gives, and what somebody may look for."""
    return f"{now >> 16:08x}-{now & 0xFFFF:04x}-4{_bits(12):03x}-{0x8000 | _bits(14):04x}-{_bits(48):012x}"
