"""Random UUIDs (version 4): ids of requests, and names that callers left to us.

Not the standard library's `uuid4`, which makes an object of each, from a call of the operating system: that takes three
times as long, and every request needs one, many two. Nobody must be unable to guess these; what is a secret is not
made here.
"""

from __future__ import annotations

from random import Random

_bits = Random().getrandbits  # noqa: S311 - seeded by the operating system; no secret


def random_id() -> str:
    return f"{_bits(32):08x}-{_bits(16):04x}-4{_bits(12):03x}-{0x8000 | _bits(14):04x}-{_bits(48):012x}"
