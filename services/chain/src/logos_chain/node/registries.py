"""The registry of members, where the settings have one."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from logos_chain.config import Config
from logos_chain.core.consensus.starting import Phase
from logos_chain.core.registry.errors import RegistryNeedsAllBlocksError
from logos_chain.core.registry.rules import RegistryRules
from logos_chain.node.surroundings import Surroundings
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.registry.keeping import Keeper
from logos_chain.operations.registry.members import RegistryOperations
from logos_chain.operations.registry.reading import RegistryReader
from logos_chain.operations.wallets.submitting import Submit
from logos_chain.operations.wallets.wallet import WalletOperations
from logos_chain.store.keeper_key import read_keeper_key

_BEFORE: Final = {Phase.STOPPED, Phase.DOWNLOADING}
"""Phases in which a node may not have the network's final blocks."""


@dataclass(frozen=True, slots=True)
class RegistryRooms:
    """The registry of one node."""

    reader: RegistryReader
    operations: RegistryOperations
    keeper: Keeper | None
    """Where this node has the keeper's key."""

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Returns what runs as long as the node does."""
        keeping = [] if self.keeper is None else [self.keeper.run()]
        return [self.reader.run(), *keeping]


def refuse_registry(config: Config) -> None:
    """Refuses a registry where the chain begins with a checkpoint.

    Raises:
        RegistryNeedsAllBlocksError: The settings have one.
    """
    if config.rln_registry:
        raise RegistryNeedsAllBlocksError(
            "the registry of members is read from the genesis on, and the chain of this node "
            "begins with a checkpoint: switch rln_registry off, or use a node with all blocks"
        )


def registry_rooms(
    around: Surroundings,
    follow: FollowOperations,
    wallet: WalletOperations,
    submit: Submit,
    phase: Callable[[], Phase],
) -> RegistryRooms | None:
    """Builds them; None: the settings have no registry.

    Raises:
        KeeperKeyError: The file of the keeper's key has none.
    """
    config = around.config
    if not config.rln_registry:
        return None
    rules = RegistryRules(
        genesis=around.given.spec.genesis_id,
        limit=config.rln_limit,
        stake=config.rln_stake,
        keeper=config.rln_keeper,
    )
    store = around.store
    reader = RegistryReader(
        rules, follow, store.chain, store.registries, lambda: phase() not in _BEFORE
    )
    there = _channels(follow)
    operations = RegistryOperations(reader, wallet.deposit, there, around.stopping)
    return RegistryRooms(reader, operations, _keeper(around, reader, wallet, submit))


def _keeper(
    around: Surroundings, reader: RegistryReader, wallet: WalletOperations, submit: Submit
) -> Keeper | None:
    path = around.config.rln_keeper_key
    if path is None:
        return None
    key = read_keeper_key(path, reader.rules.keeper)
    return Keeper(reader, key, wallet.prepare, submit)


def _channels(follow: FollowOperations) -> Callable[[bytes], Awaitable[bool]]:
    async def is_there(channel: bytes) -> bool:
        found = await follow.at_tip(lambda ledger: ledger.channel(channel) is not None)
        return found.value

    return is_there
