"""CON-28, CNW-23: who is followed at a start, and what its failure means."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from logos_base.errors import NetworkUnavailableError
from logos_chain.operations import joining
from logos_chain.operations.joining import Arrival, Joining


class Peers:
    """Those that are connected, and whether one of them can be followed."""

    def __init__(self, *rounds: Sequence[str], is_followed: bool = True) -> None:
        self.rounds = list(rounds)
        self.is_followed = is_followed
        self.asked: list[Sequence[str]] = []
        self.fails = False

    async def connected(self) -> Sequence[str]:
        return self.rounds.pop(0) if self.rounds else ()

    async def download(self, peers: Sequence[str]) -> bool:
        self.asked.append(tuple(peers))
        if self.fails:
            raise NetworkUnavailableError("away")
        return self.is_followed


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "LOOK_S", 0.001)
    monkeypatch.setattr(joining, "PATIENCE_S", 0.05)


async def joined(peers: Peers, *configured: str) -> bool:
    return await Joining(configured, peers.connected, peers.download).join()


async def test_configured_peers_are_followed_and_no_others() -> None:
    peers = Peers(["other"])
    assert await joined(peers, "a", "b")
    assert peers.asked == [("a", "b")]


@pytest.mark.parametrize("fails", [False, True])
async def test_configured_peers_that_cannot_be_followed_end_the_node(fails: bool) -> None:  # noqa: FBT001
    peers = Peers(is_followed=False)
    peers.fails = fails
    assert not await joined(peers, "a")


async def test_without_configured_peers_the_first_that_are_connected_are_followed() -> None:
    peers = Peers((), (), [f"peer{at}" for at in range(9)])
    assert await joined(peers)
    assert peers.asked == [("peer0", "peer1", "peer2", "peer3")]


@pytest.mark.parametrize("fails", [False, True])
async def test_their_failure_ends_nothing(fails: bool) -> None:  # noqa: FBT001
    peers = Peers(["a"], is_followed=False)
    peers.fails = fails
    assert await joined(peers)


@pytest.mark.parametrize("rounds", [(), (["a"],)])
async def test_a_chain_that_was_given_up_is_had_from_a_peer(rounds: tuple[list[str], ...]) -> None:
    """CON-51."""
    peers = Peers(*rounds, is_followed=False)
    assert not await anew(peers, HERE).join()
    peers = Peers(["a"])
    assert await anew(peers, HERE).join()


GENESIS = Arrival(b"genesis", has_blocks=False, is_recent=False, has_followed_all=True)
BEHIND = Arrival(b"behind", has_blocks=True, is_recent=False, has_followed_all=True)
HERE = Arrival(b"here", has_blocks=True, is_recent=True, has_followed_all=False)
LOST = replace(BEHIND, has_followed_all=False)


def anew(peers: Peers, *seen: Arrival, configured: Sequence[str] = ()) -> Joining:
    left = iter(seen)
    return Joining(configured, peers.connected, peers.download, arrival=lambda: next(left))


@pytest.mark.parametrize(
    "seen",
    [
        [HERE],
        [GENESIS, GENESIS, GENESIS, HERE],
        [GENESIS, BEHIND, HERE],
        [BEHIND, BEHIND],
        [LOST, LOST, BEHIND],
    ],
    ids=["recent", "peers at the genesis", "a peer behind", "an old network", "a lost peer"],
)
async def test_peers_are_asked_until_their_chain_is_here(
    seen: list[Arrival], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CON-51."""
    monkeypatch.setattr(joining, "AGAIN_S", 0.0)
    peers = Peers(*[["a"]] * len(seen))
    assert await anew(peers, *seen).join()
    assert len(peers.asked) == len(seen)


async def test_all_that_are_known_are_asked_for_the_chain() -> None:
    """CON-51."""
    peers = Peers([f"peer{at}" for at in range(9)])
    assert await anew(peers, HERE, configured=("a", "peer3")).join()
    [asked] = peers.asked
    assert set(asked) == {"a", *(f"peer{at}" for at in range(9))}


async def test_a_node_that_is_alone_goes_on_by_itself() -> None:
    peers = Peers()
    assert await joined(peers)
    assert not peers.asked
