"""Peers with keys of their own, which can sign records."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from mixnet_nodes import fake_address, seeded

from logos_base.machine import Ticket
from logos_crypto import base58
from logos_mixnet.core.address_book import AddressBook, Connection, PeerEntry
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.records import sign_record
from logos_mixnet.core.exchange import Ask, Exchange
from logos_mixnet.core.exchange_wire import ExchangeResponse
from logos_mixnet.core.own_record import OwnRecord

TICKET = Ticket(1)
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Party:
    """A peer."""

    number: int

    @property
    def secret(self) -> bytes:
        return sha256(b"party %d" % self.number).digest()

    @property
    def signer(self) -> Secp256k1Signer:
        return signer_of_party(self.number)

    @property
    def peer_id(self) -> str:
        return base58.encode(self.signer.public_key.peer_id)

    @property
    def address(self) -> str:
        return fake_address(self.number)

    def record(self, seq: int = 1, addresses: Sequence[str] | None = None) -> bytes:
        """Its record, signed by it."""
        named = [self.address] if addresses is None else addresses
        encoded = [encode_address(parse_address(each)) for each in named]
        return sign_record(self.signer, seq, encoded, ()).encoded


@cache
def signer_of_party(number: int) -> Secp256k1Signer:
    return Secp256k1Signer(Party(number).secret)


OWN, *OTHERS = (Party(number) for number in range(40))
HERE = "/ip4/127.0.0.1/tcp/9"


class Side:
    """The exchange of one node, with its book and its connections."""

    def __init__(
        self, party: Party = OWN, *, target_peers: int = 8, seed: int = 1, **book: Any
    ) -> None:
        self.party = party
        self.book = AddressBook(seeded(seed), **book)
        self.connected: dict[str, PeerEntry] = {}
        self.machine = Exchange(
            self.book,
            self.connected,
            {party.address: None},
            party.peer_id,
            target_peers=target_peers,
            rng=seeded(seed),
            own=OwnRecord(party.signer, RecordNumbers()),
            is_on=True,
        )

    def connect(self, *parties: Party, at: str = HERE, now_ms: int = 0) -> None:
        for party in parties:
            entry = self.book.add(party.peer_id)
            entry.connection = Connection(at, outbound=True, since_ms=now_ms)
            self.connected[party.peer_id] = entry

    def disconnect(self, party: Party, now_ms: int = 0) -> None:
        self.connected.pop(party.peer_id).connection = None
        self.machine.lost(party.peer_id, now_ms)

    def meet(self, *parties: Party, now_ms: int = 0) -> list[str]:
        """Connects and identifies peers; returns who is asked for it."""
        self.connect(*parties, now_ms=now_ms)
        for party in parties:
            self.machine.met(party.peer_id, now_ms)
        return asked(self.machine.tick(now_ms))

    def hear(self, asked_one: Party, *raws: bytes, own: bytes = b"", now_ms: int = 0) -> list[Any]:
        """Has a peer that was asked answer."""
        response = ExchangeResponse(own, raws).encode()
        return list(self.machine.answered(asked_one.peer_id, response, now_ms))

    def knows(self, party: Party) -> list[str]:
        """The addresses of a peer in the book."""
        entry = self.book.get(party.peer_id)
        return [] if entry is None else entry.best_first()


def asked(effects: Any) -> list[str]:
    return [effect.peer_id for effect in effects if isinstance(effect, Ask)]
