"""Composition root: builds the rooms and joins them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from logos.network.v1.discovery_pb2_grpc import DiscoveryStub
from logos.storage.v1.storage_pb2_grpc import add_StorageServicer_to_server
from logos_module import ModuleContext
from logos_storage.config import Config, parse
from logos_storage.core.ports import Datasets
from logos_storage.net.discovery import NetworkProviders
from logos_storage.net.exchange import ExchangeListener, StreamExchange
from logos_storage.net.streams import streams_of
from logos_storage.operations.announce import Announcer
from logos_storage.operations.delete import Delete
from logos_storage.operations.fetch import Fetches
from logos_storage.operations.get import Get
from logos_storage.operations.put import Put
from logos_storage.operations.serve import ServeBlocks
from logos_storage.rpc.servicer import StorageServicer
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
        async with Storage(channel, datasets, config).running() as servicer:
            context.serve(add_StorageServicer_to_server, servicer)
            yield


class Storage:
    """The rooms of one node, joined."""

    def __init__(self, network: grpc.aio.Channel, datasets: Datasets, config: Config) -> None:
        streams = streams_of(network)
        self._config = config
        self._datasets = datasets
        self._exchange = StreamExchange(streams)
        self._listener = ExchangeListener(streams)
        self._providers = NetworkProviders(DiscoveryStub(network))
        self._announcer = Announcer(
            self._providers, datasets, monotonic_ms, interval_ms=config.advertise_interval_s * 1000
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[StorageServicer]:
        """Serves other nodes and advertises as long as this is open."""
        async with asyncio.TaskGroup() as tasks:
            loops = [
                tasks.create_task(loop)
                for loop in (
                    self._announcer.run(),
                    self._listener.serve_manifests(self._datasets.manifest),
                    self._listener.serve_blocks(ServeBlocks(self._datasets)),
                )
            ]
            yield self._servicer(tasks)
            for loop in loops:
                loop.cancel()

    def _servicer(self, tasks: asyncio.TaskGroup) -> StorageServicer:
        config, datasets, announcer = self._config, self._datasets, self._announcer
        fetches = Fetches(
            self._exchange, self._providers, tasks, monotonic_ms, stall_ms=config.stall_timeout_ms
        )
        return StorageServicer(
            datasets,
            put=Put(datasets, announcer, config.block_size_bytes),
            get=Get(datasets, fetches, announcer),
            delete=Delete(datasets, announcer),
            fetch_timeout_ms=config.fetch_timeout_ms,
        )
