"""Composition root: builds the rooms and joins them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import grpc

from logos.network.v1.discovery_pb2_grpc import DiscoveryStub
from logos.storage.v1.storage_pb2_grpc import add_StorageServicer_to_server
from logos_module import ModuleContext
from logos_module.network.streams import PeerStreams
from logos_module.outbox import outbox_of
from logos_module.settings import Outcome
from logos_storage.config import Config, parse
from logos_storage.core.happenings import Tell
from logos_storage.core.ports import Datasets
from logos_storage.net.discovery import NetworkProviders
from logos_storage.net.exchange import ExchangeListener, StreamExchange
from logos_storage.operations.adopt import Adopt
from logos_storage.operations.announce import Announcer
from logos_storage.operations.delete import Delete
from logos_storage.operations.fetch import Fetches
from logos_storage.operations.get import Get
from logos_storage.operations.keep import Keep
from logos_storage.operations.put import Put
from logos_storage.operations.serve import ServeBlocks
from logos_storage.rpc.events import event_of
from logos_storage.rpc.servicer import StorageServicer
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.opening import open_store


def monotonic_ms() -> int:
    """Milliseconds of the monotonic clock."""
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
        async with (
            outbox_of(context.events) as outbox,
            joined(
                channel,
                datasets,
                config,
                context.stopping,
                tell=lambda happening: outbox.put(*event_of(happening)),
            ) as servicer,
        ):
            context.serve(add_StorageServicer_to_server, servicer)
            context.settings.on_change(partial(change_settings, datasets, config))
            yield


def change_settings(
    datasets: DatasetStore, started: Config, settings: Mapping[str, object]
) -> Outcome:
    """Goes by another quota at once; all else that differs from the start needs a restart."""
    wanted = parse(settings)
    if replace(wanted, quota_bytes=started.quota_bytes) != started:
        return Outcome.REQUIRES_RESTART
    datasets.limit(wanted.quota_bytes)
    return Outcome.APPLIED


@asynccontextmanager
async def joined(
    network: grpc.aio.Channel,
    datasets: Datasets,
    config: Config,
    stopping: asyncio.Event,
    *,
    tell: Tell,
) -> AsyncIterator[StorageServicer]:
    """Joins the rooms; serves other nodes and advertises as long as this is open.

    `stopping` is set before that, so that no call lasts until then. `tell` gets what happens.
    """
    streams = PeerStreams(network, "storage")
    listener = ExchangeListener(streams)
    providers = NetworkProviders(DiscoveryStub(network))
    interval_ms = config.advertise_interval_s * 1000
    announcer = Announcer(providers, datasets, monotonic_ms, interval_ms=interval_ms)
    async with asyncio.TaskGroup() as tasks:
        fetches = Fetches(
            exchange=StreamExchange(streams),
            providers=providers,
            tasks=tasks,
            monotonic_ms=monotonic_ms,
            stall_ms=config.stall_timeout_ms,
            tell=tell,
        )
        adopt = Adopt(datasets, fetches, announcer)
        keep = Keep(datasets, fetches, adopt, monotonic_ms, attempt_ms=config.fetch_timeout_ms)
        loops = [
            tasks.create_task(loop)
            for loop in (
                announcer.run(),
                keep.run(),
                keep.drain_when(stopping),
                listener.serve_manifests(datasets.manifest),
                listener.serve_blocks(ServeBlocks(datasets)),
            )
        ]
        yield StorageServicer(
            datasets,
            put=Put(datasets, announcer, tell, config.block_size_bytes),
            get=Get(datasets, fetches, adopt),
            keep=keep,
            delete=Delete(datasets, announcer, keep, tell),
            fetch_timeout_ms=config.fetch_timeout_ms,
        )
        for loop in loops:
            loop.cancel()
