"""The chain that is followed, on a database: whenever it stops, it goes on from there."""

from pathlib import Path

import pytest
from chain_ledger import contents
from chain_world import TWO, World, give, node, quiet, state_of

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.store.opening import open_store

Place = Path | str


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return tmp_path / "chain.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.mark.parametrize("rule", list(Rule))
async def test_a_restart_at_every_height_ends_with_the_same_tip(place: Place, rule: Rule) -> None:
    world = World(TWO)
    main = world.chain(world.root, "main", 12)
    parents = [world.root, *main]
    forks = [world.make(parents[at], f"fork {at}", [world.spend(23)]) for at in range(12)]

    for block, fork in zip(main, forks, strict=True):
        async with (
            open_store(place, keep_slots=TWO.uncle_window_slots) as store,
            node(world, store.chain, rule=rule) as follow,
        ):
            await give(follow, [block, fork])
            await quiet(follow)
            tip, final, state = follow.tip, follow.latest_immutable, await state_of(follow)
        async with (
            open_store(place, keep_slots=TWO.uncle_window_slots) as store,
            node(world, store.chain, rule=rule) as follow,
        ):
            assert follow.tip.id == tip.id
            assert follow.tip.state == tip.state
            assert follow.latest_immutable.id == final.id
            assert await state_of(follow) == state
            assert store.chain.is_final(follow.latest_immutable.id)

    assert state == contents(world.replayed(main[-1].id))
