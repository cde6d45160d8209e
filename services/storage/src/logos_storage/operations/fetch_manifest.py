"""Fetches a manifest that this node does not hold (STO-21, STO-22)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from logos_base.errors import NetworkDeniedError, StreamLostError
from logos_module.driver import Driver
from logos_storage.core.cid import Cid
from logos_storage.core.errors import FalseDataError
from logos_storage.core.fetch_manifest import Ask, Effect, FetchManifest, Found, Search
from logos_storage.core.ports import Exchange, Providers
from logos_storage.core.types import MonotonicMs

ASK_TIMEOUT_S: Final = 5.0


async def fetch_manifest(
    cid: Cid,
    exchange: Exchange,
    providers: Providers,
    monotonic_ms: MonotonicMs,
    *,
    patience_ms: int,
) -> Found:
    """Returns a manifest, verified, and the peer that sent it.

    Raises:
        NoProvidersError, ProvidersUnreachableError, BadDataError, NetworkDeniedError
    """
    machine = FetchManifest(cid)

    def perform(effect: Effect) -> None:
        match effect:
            case Search():
                driver.start(_search(driver, machine, providers.find(cid)))
            case Ask(peer=peer):
                driver.start(ask(peer))

    driver: Driver[Effect] = Driver(machine, perform, monotonic_ms)

    async def ask(peer: str) -> None:
        try:
            async with asyncio.timeout(ASK_TIMEOUT_S):
                raw = await exchange.manifest(peer, cid)
        except (StreamLostError, TimeoutError):
            driver.put(machine.unreachable, peer)
        except NetworkDeniedError as error:
            driver.put(machine.fail, error)
        except FalseDataError:
            driver.put(machine.lied, peer)
        else:
            driver.put(machine.answered, peer, raw)

    async with driver.running():
        found: Found = await driver.ask(machine.fetch, patience_ms)
    return found


async def _search(
    driver: Driver[Effect], machine: FetchManifest, found: AsyncGenerator[str, None]
) -> None:
    try:
        async with aclosing(found) as peers:
            async for peer in peers:
                driver.put(machine.found, peer)
    except NetworkDeniedError as error:
        driver.put(machine.fail, error)
    driver.put(machine.search_ended)
