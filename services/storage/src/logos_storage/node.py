"""Composition root: builds the rooms and joins them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from logos.network.v1.discovery_pb2_grpc import DiscoveryStub
from logos.storage.v1.storage_pb2_grpc import add_StorageServicer_to_server
from logos_module import ModuleContext
from logos_storage.config import parse
from logos_storage.net.announce import Announcer
from logos_storage.net.fetcher import Fetcher
from logos_storage.net.server import ExchangeServer
from logos_storage.net.streams import streams_of
from logos_storage.rpc.servicer import Defaults, StorageServicer
from logos_storage.store.opening import open_store


def monotonic_ms() -> int:
    """Milliseconds that only go forward."""
    return time.monotonic_ns() // 1_000_000


def wall_clock_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves storage while it is entered."""
    config = parse(context.settings)
    async with open_store(
        context.state_dir,
        quota_bytes=config.quota_bytes,
        monotonic_ms=monotonic_ms,
        wall_clock_us=wall_clock_us,
    ) as datasets:
        if datasets.aside.trees:
            context.status(f"set aside: {datasets.aside}")
        channel = await context.channel("mixnet")
        streams, discovery = streams_of(channel), DiscoveryStub(channel)
        announcer = Announcer(discovery, datasets, interval_s=config.advertise_interval_s)
        server = ExchangeServer(streams, datasets)
        async with asyncio.TaskGroup() as tasks:
            fetcher = Fetcher(
                streams, discovery, tasks, monotonic_ms, stall_ms=config.stall_timeout_ms
            )
            defaults = Defaults(config.block_size_bytes, config.fetch_timeout_ms)
            servicer = StorageServicer(datasets, fetcher, announcer, defaults)
            loops = [
                tasks.create_task(loop)
                for loop in (
                    announcer.run(),
                    announcer.sweep(),
                    server.serve_manifests(),
                    server.serve_blocks(),
                )
            ]
            context.serve(add_StorageServicer_to_server, servicer)
            yield
            for loop in loops:
                loop.cancel()
