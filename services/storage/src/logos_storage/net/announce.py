"""Announces the manifests of what this node holds, and withdraws what it deletes.

The network module repeats an announcement by itself; the sweep renews all of
them, and makes good what was missed while that module was away.

Spec: docs/protocol/storage.md, STO-29.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import discovery_pb2
from logos_storage.core.cid import Cid
from logos_storage.core.ports import Datasets

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.discovery_pb2_grpc import DiscoveryAsyncStub


log = logging.getLogger(__name__)

KEYS_PER_CALL: Final = 1000
RETRY_S: Final = 1.0
CALL_TIMEOUT_S: Final = 30.0


class Announcer:
    """`Announcing` through the network module."""

    def __init__(
        self, discovery: "DiscoveryAsyncStub", datasets: Datasets, *, interval_s: float
    ) -> None:
        self._discovery = discovery
        self._datasets = datasets
        self._interval_s = interval_s
        self._wanted: dict[Cid, bool] = {}
        """What is to be said next: whether a manifest is here."""
        self._changed = asyncio.Event()

    def announce(self, cid: Cid) -> None:
        """Announces a manifest soon. Returns at once."""
        self._wanted[cid] = True
        self._changed.set()

    def withdraw(self, cid: Cid) -> None:
        """Stops announcing a manifest soon. Returns at once."""
        self._wanted[cid] = False
        self._changed.set()

    async def sweep(self) -> None:
        """Announces everything, at once and then every interval, for ever."""
        while True:
            for cid in await self._datasets.held_cids():
                self._wanted.setdefault(cid, True)
            self._changed.set()
            await asyncio.sleep(self._interval_s)

    async def run(self) -> None:
        """Passes on what is wanted, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted, self._wanted = self._wanted, {}
            try:
                await self._pass_on(wanted)
            except grpc.aio.AioRpcError as error:
                log.info("not announcing, trying again", extra={"code": error.code().name})
                self._wanted = {**wanted, **self._wanted}
                self._changed.set()
                await asyncio.sleep(RETRY_S)

    async def _pass_on(self, wanted: dict[Cid, bool]) -> None:
        for keys in _pages(cid for cid, is_here in wanted.items() if is_here):
            advertise = discovery_pb2.AdvertiseRequest(keys=keys)
            await self._discovery.Advertise(advertise, timeout=CALL_TIMEOUT_S)
        for keys in _pages(cid for cid, is_here in wanted.items() if not is_here):
            withdraw = discovery_pb2.WithdrawRequest(keys=keys)
            await self._discovery.Withdraw(withdraw, timeout=CALL_TIMEOUT_S)


def _pages(cids: Iterable[Cid]) -> Iterator[list[bytes]]:
    keys = [cid.binary for cid in cids]
    for start in range(0, len(keys), KEYS_PER_CALL):
        yield keys[start : start + KEYS_PER_CALL]
