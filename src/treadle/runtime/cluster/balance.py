"""Which shards a node takes and which it lets go of: a function of what every node sees, so that nobody has to agree
with anybody.

In the end each node is to hold its share, the shards divided by the nodes, rounded down for some and up for the others.
Who holds more lets go of some; who holds less takes what nobody holds.  As long as another node holds less than the
share rounded down, nobody but that one goes beyond it.  So a node that joins is made room for, and the shards of one
that is gone are taken by the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from msgspec import Struct

from treadle.store.cluster_contract import SHARDS, Survey


class Move(Struct, frozen=True):
    take: Collection[int] = ()
    """Shards that nobody holds, and that this node is to try to take."""
    let_go: Sequence[int] = ()
    """Shards that this node holds beyond its share, which is to let go of them one after the other."""


def next_move(survey: Survey, node: int) -> Move:
    nodes = max(len(survey.nodes), 1)
    least, most = SHARDS // nodes, -(-SHARDS // nodes)
    counts = Counter(survey.held.values())
    somebody_lacks = any(counts[other] < least for other in survey.nodes if other != node)
    share = least if somebody_lacks else most
    held = sorted(shard for shard, holder in survey.held.items() if holder == node)
    if len(held) > share:
        return Move(let_go=held[share:])
    free = [shard for shard in range(SHARDS) if shard not in survey.held]
    return Move(take=free[: share - len(held)])
