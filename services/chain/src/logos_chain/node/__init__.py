"""Composition root: reads the genesis, opens the database, builds the rooms and joins them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from logos_chain.config import parse
from logos_chain.core.consensus.starting import starting_rule
from logos_chain.core.wallet.keystore import Cost
from logos_chain.node.clocks import unix_ms
from logos_chain.node.registries import refuse_registry
from logos_chain.node.rooms import Rooms
from logos_chain.node.served import http_served, serve_all
from logos_chain.node.surroundings import Surroundings, importing_of, proving_keys
from logos_chain.node.telling import tell
from logos_chain.operations.opening import Opening
from logos_chain.operations.starting import past_of
from logos_chain.operations.wallets.keystores import WalletKeystore
from logos_chain.operations.wallets.purse import Secrets
from logos_chain.rpc.events import paid_event
from logos_chain.store.genesis import Given, read_given
from logos_chain.store.opening import open_store
from logos_module import ModuleContext
from logos_module.outbox import outbox_of
from logos_module.prover import Prover

__all__ = ["DATABASE", "node"]

log = logging.getLogger(__name__)

DATABASE: Final = "chain.db"
OF_KEY: Final = Cost(log2_n=10, r=8, p=1)
"""The passphrase is a key of 32 random bytes: no guess at it needs to be made dear."""


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves the chain while it is entered."""
    config = parse(context.settings)
    given = await asyncio.to_thread(read_given, config.genesis, config.own_genesis)
    _warn(given)
    keystore = WalletKeystore(context.state_dir, cost=OF_KEY)
    secrets = Secrets(keystore, context.key("wallet").hex())
    account = await asyncio.to_thread(keystore.open, secrets.passphrase, given.wallet)
    parameters = given.spec.consensus
    place: Path | str = config.database_url or context.state_dir / DATABASE
    async with (
        open_store(place, keep_slots=parameters.uncle_window_slots, status=context.status) as store,
        Prover() as prover,
        outbox_of(context.events) as outbox,
    ):
        context.status("it takes up the chain")
        around = Surroundings(
            config,
            given,
            store,
            prover,
            await proving_keys(config, given),
            secrets,
            await context.channel("mixnet"),
            context.stopping,
            context.state_dir,
            lambda mark: outbox.put(*paid_event(mark)),
        )
        await _begin_with_checkpoint(around)
        past = await past_of(store.marks, store.chain)
        rule = starting_rule(past, parameters.offline_grace_ms, unix_ms())
        imported = await store.chain.imported()
        if imported is not None:
            refuse_registry(config)
        opening = Opening(store.chain, around.network, imported=imported)
        chain = await opening.open(rule, unix_ms)
        done = list(await store.proposals.slots())
        rooms = Rooms(around, chain, account, past=past, done=done)
        async with (
            rooms.running(),
            http_served(rooms.http, config, context.state_dir),
            asyncio.TaskGroup() as tasks,
        ):
            serve_all(rooms, context.serve)
            telling = tasks.create_task(tell(rooms.information, context.status))
            yield
            telling.cancel()


async def _begin_with_checkpoint(around: Surroundings) -> None:
    importing = importing_of(around)
    if importing is not None:
        await importing.run()


def _warn(given: Given) -> None:
    if given.spec.is_insecure:
        log.warning(
            "INSECURE: all secrets of this chain follow from its seed, those of proofs too",
            extra={"chain": given.spec.chain_id},
        )
