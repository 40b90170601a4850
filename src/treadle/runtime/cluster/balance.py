"""Which shards a node takes and which it lets go of: a function of what every node sees, so that nobody has to agree
with anybody.

Each node is to hold its share, the shards divided by the nodes and rounded up.  Who holds more lets go of one at a
time; who holds less takes what nobody holds.  So a node that joins is made room for, and the shards of one that is gone
are taken by the others.  Who is faster takes more, up to its share.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from treadle.store.cluster_contract import SHARDS, Survey


class Move(Struct, frozen=True):
    take: Collection[int] = ()
    """Shards that nobody holds, and that this node is to try to take."""
    let_go: int | None = None
    """A shard that this node holds beyond its share."""


def next_move(survey: Survey, node: int) -> Move:
    held = [shard for shard, holder in survey.held.items() if holder == node]
    share = -(-SHARDS // max(len(survey.nodes), 1))
    if len(held) > share:
        return Move(let_go=max(held))
    free = [shard for shard in range(SHARDS) if shard not in survey.held]
    return Move(take=free[: share - len(held)])
