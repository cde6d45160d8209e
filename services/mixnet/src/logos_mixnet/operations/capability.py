"""Capability discovery: offer services, find who offers one, keep others' advertisements.

Spec: docs/protocol/discovery.md. The rules are in core/capability.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from logos_crypto import base58
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.capability.advertiser import Advertiser, Registered
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.discoverer import Discoverer
from logos_mixnet.core.capability.distance import BUCKETS, service_id_of
from logos_mixnet.core.capability.keys import PeerId, Signer
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.offers import Offers, OfferStore
from logos_mixnet.core.capability.places import (
    addresses_of_peer,
    ip_of_address,
    own_addresses,
    texts_of,
)
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.registrar import Registrar
from logos_mixnet.core.capability.table import ServiceTable
from logos_mixnet.core.capability.watches import Watches
from logos_mixnet.core.capability.wire import PROTOCOL, Peer
from logos_mixnet.core.ports import StreamHost
from logos_mixnet.operations.asking import Asking
from logos_mixnet.operations.finding import Changed, Finding
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_mixnet.operations.offering import Offering
from logos_mixnet.operations.registrar import RegistrarOperations
from logos_mixnet.operations.streams import StreamOperations


class Peers(Protocol):
    """What discovery needs from the connections of its node."""

    def add_address(self, peer_id: str, address: str) -> None:
        """Takes note of an address at which a peer can be dialled."""
        ...

    def address_of(self, peer_id: str) -> str | None:
        """Returns the multiaddress of the far end of the connection to a peer; None if none is."""
        ...


class _Latest:
    """Who offers a service, as it waits for one reader; at first those known, or none."""

    def __init__(self) -> None:
        self.records: Sequence[SignedRecord] | None = ()

    def take(self) -> Sequence[SignedRecord] | None:
        records, self.records = self.records, None
        return records


class CapabilityOperations:
    """The registrar, the advertiser and the discoverer of one node."""

    def __init__(
        self,
        signer: Signer,
        profile: Profile,
        *,
        streams: StreamOperations,
        host: StreamHost,
        peers: Peers,
        store: OfferStore,
        now_ms: Callable[[], int],
        rng: Rng,
        announced: Sequence[str] = (),
        numbers: RecordNumbers | None = None,
    ) -> None:
        """Takes in `announced` the addresses of this node, if not those that it listens at."""
        self._numbers = numbers or RecordNumbers()
        self._own = own = signer.public_key.peer_id
        self.profile = profile
        self.contacts = Contacts()
        self.watchers: Inboxes[_Latest, Sequence[SignedRecord]] = Inboxes()
        self._peers = peers
        self._listening: dict[str, None] = dict.fromkeys(announced)
        self._is_announced = bool(announced)
        self._connected = 0
        self.asking = Asking(host, peers.add_address, self._unreachable)
        machine = Registrar(signer, profile, self.contacts, rng)
        self.registrar = RegistrarOperations(machine, streams, peers.address_of, now_ms)
        self.offering = Offering(
            Offers(signer, self._numbers),
            Advertiser(own, profile, self.contacts, rng),
            store,
            self.asking,
            now_ms,
        )
        self.finding = Finding(
            Discoverer(own, profile, self.contacts, rng, machine.cache),
            Watches(profile, rng),
            self.asking,
            now_ms,
        )

    async def load(self) -> None:
        """Takes over what was offered in the last run."""
        await self.offering.load(self._numbers)
        self._tell_addresses()

    async def run(self) -> None:
        """Runs until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for work in (
                self.registrar.run(),
                *self.offering.drivers(),
                *self.finding.drivers(),
            ):
                tasks.create_task(work)

    # From the network

    def listens_at(self, address: str) -> None:
        """Takes an address at which this node listens."""
        if not self._is_announced:
            self._listening[address] = None
            self._tell_addresses()

    def identified(self, peer_id: str, protocols: Iterable[str], addresses: Iterable[str]) -> None:
        """Takes what a connected peer claims of itself: whether it is a registrar, and where."""
        if PROTOCOL not in protocols:
            return
        seen = self._peers.address_of(peer_id)
        ip = None if seen is None else ip_of_address(seen)
        peer = Peer(PeerId(base58.decode(peer_id)), addresses_of_peer(addresses, ip))
        self.contacts.met(peer)
        self.offering.met(peer)

    def peers_changed(self, count: int) -> None:
        """Takes the number of connected peers."""
        if count and not self._connected:
            self.finding.connected()
        self._connected = count

    # What is asked for

    async def advertise(self, service: str, data: bytes) -> None:
        """Offers a service of this module's own, until it is withdrawn or the module ends.

        With other data it is a newer record, in place of the former one.
        """
        await self.offering.offer(service, data, None)

    async def withdraw(self, service: str) -> None:
        """Offers a service of this module's own no longer. Idempotent."""
        await self.offering.withdraw(service, is_callers=False)

    def watch(self, service: str, changed: Changed) -> AbstractContextManager[None]:
        """Tells who offers a service, now and at each change, while the context is open."""
        return self.finding.watch(service, changed)

    @contextmanager
    def follow(self, service: str) -> Iterator[Inbox[Sequence[SignedRecord]]]:
        """As `watch`, for a reader: what it has not read is replaced by what is newer."""
        latest = _Latest()

        def changed(records: Sequence[SignedRecord]) -> None:
            latest.records = records
            self.watchers.wake(latest)

        with self.watchers.open(latest, latest.take) as lists, self.watch(service, changed):
            yield lists

    def look_up(self, service: str) -> AbstractContextManager[Inbox[SignedRecord]]:
        """Looks for a service once, for as long as the context is open."""
        return self.finding.look_up(service)

    def make_known(self, signed: SignedRecord) -> str:
        """Has the host know where a peer is, so that a stream can be opened to it at once.

        Returns its peer id as a text.
        """
        peer_id = base58.encode(signed.record.peer_id)
        for address in texts_of(signed.record.addresses):
            self._peers.add_address(peer_id, address)
        return peer_id

    def routing_table(self, service: str) -> list[Registered]:
        """Returns the registrars around a service: in use for it, or to begin with."""
        service_id = service_id_of(service)
        in_use = self.offering.registrations.table_of(service_id)
        if in_use:
            return in_use
        table = ServiceTable(service_id, self._own)
        table.add(self.contacts)
        return [
            Registered(peer, bucket, None)
            for bucket in range(BUCKETS)
            for peer in table.bucket(bucket)
        ]

    def _tell_addresses(self) -> None:
        self.offering.reached_at(own_addresses(self._listening))

    def _unreachable(self, peer: Peer) -> None:
        self.contacts.lost(peer.peer_id)
