"""Composition root: builds the rooms and joins them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from logos_delivery.config import Config, parse
from logos_delivery.net.registry import NetworkRegistry
from logos_delivery.node.rooms import joined
from logos_delivery.node.served import http_served
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.opening import open_store
from logos_module import ModuleContext

__all__ = ["DATABASE", "http_served", "joined", "node"]

DATABASE: Final = "delivery.db"


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves delivery while it is entered."""
    config = parse(context.settings)
    channel = await context.channel("mixnet")
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(open_store(context.state_dir / DATABASE))
        archive = own.archive
        if config.archive_url and config.keeps:
            url = config.archive_url
            shared = await stack.enter_async_context(open_store(url, is_shared=True))
            archive = shared.archive
        applications = SqlApplications(own.database)
        servicers = await stack.enter_async_context(
            joined(
                channel,
                config,
                applications,
                archive,
                context.stopping,
                state_key=context.key("channels"),
                registry=_registry(config, context),
            )
        )
        servicers.serve(context.serve)
        await stack.enter_async_context(http_served(servicers.http, config, context.state_dir))
        yield


def _registry(config: Config, context: ModuleContext) -> NetworkRegistry | None:
    """Returns the registry of members, where the settings name a module that keeps it."""
    if not config.rln_registry:
        return None
    return NetworkRegistry(partial(context.channel, config.rln_registry))
