"""Each node's next move, until all hold their shares."""

from __future__ import annotations

import pytest

from treadle.runtime.cluster.balance import Move, next_move
from treadle.store.cluster_contract import SHARDS, Survey


def test_a_lone_node_takes_everything() -> None:
    assert next_move(Survey([7], {}), 7) == Move(take=list(range(SHARDS)))


def test_who_holds_its_share_does_nothing() -> None:
    held = {shard: 1 + shard % 2 for shard in range(SHARDS)}
    assert next_move(Survey([1, 2], held), 1) == Move(take=[])


def test_what_a_node_that_left_still_holds_is_not_taken() -> None:
    held = dict.fromkeys(range(SHARDS - 1), 9)
    assert next_move(Survey([1], held), 1) == Move(take=[SHARDS - 1])


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5, 63, 64, 70])
def test_moves_lead_to_equal_shares(nodes: int) -> None:
    """Whoever comes first; nodes that join one after the other, and then one that is gone."""
    held: dict[int, int] = {}
    members: list[int] = []

    def settle() -> None:
        for _ in range(SHARDS):
            before = dict(held)
            for node in members:
                move = next_move(Survey(members, held), node)
                held.update(dict.fromkeys(move.take, node))
                for shard in move.let_go:
                    del held[shard]
            if held == before:
                return

    for node in range(1, nodes + 1):
        members.append(node)
        settle()
    members.pop(0)
    for shard in [shard for shard, node in held.items() if node == 1]:
        del held[shard]
    settle()
    if members:
        counts = [list(held.values()).count(node) for node in members]
        assert sum(counts) == SHARDS
        assert max(counts) - min(counts) <= 1
