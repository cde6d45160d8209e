"""Extensible peer records: where a peer is, and which services it offers.

A record in its signed envelope is an advertisement of each of its services.

Spec: docs/protocol/discovery.md, DIS-4 to DIS-6. Source: LIP-74; libp2p RFC 0003.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import bytes_field, bytes_fields, number_field
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.envelope import open_envelope, seal
from logos_mixnet.core.capability.errors import (
    EnvelopeTypeError,
    RecordMalformedError,
    RecordSignerError,
    RecordSizeError,
    RecordTooLargeError,
    ServiceNotAdvertisedError,
)
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.keys import PeerId, Signer

DOMAIN: Final = "libp2p-peer-record"
PAYLOAD_TYPE: Final = bytes.fromhex("0301")
MAX_RECORD_BYTES: Final = 1024
"""The record together with its envelope."""
MAX_DATA_BYTES: Final = 33

_PEER_ID: Final = 1
_SEQ: Final = 2
_ADDRESSES: Final = 3
_SERVICES: Final = 4
_MULTIADDR: Final = 1
_ID: Final = 1
_DATA: Final = 2


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service that a peer offers."""

    id: str
    """A protocol id, e.g. `/mix/1.0.0`."""
    data: bytes | None = None
    """What is needed to use it, at most 33 bytes, e.g. the key of a mix node."""


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """What a peer says of itself."""

    peer_id: PeerId
    seq: int
    """Of two records of a peer the one with the greater number is valid; 64 bits."""
    addresses: tuple[bytes, ...] = ()
    """Binary multiaddresses (DIS-8), of any transport."""
    services: tuple[ServiceInfo, ...] = ()

    def encode(self) -> bytes:
        """Returns its bytes as they are signed: fields by number, no default values."""
        addresses = [bytes_field(_MULTIADDR, address) for address in self.addresses]
        return (
            bytes_field(_PEER_ID, self.peer_id)
            + (number_field(_SEQ, self.seq) if self.seq else b"")
            + bytes_fields(_ADDRESSES, addresses)
            + bytes_fields(_SERVICES, map(_encode_service, self.services))
        )

    def offers(self, service_id: ServiceId) -> bool:
        """Says whether it names a service."""
        return any(service_id_of(service.id) == service_id for service in self.services)


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record that its peer has signed."""

    record: PeerRecord
    encoded: bytes
    """The envelope."""


def sign_record(
    signer: Signer, seq: int, addresses: Sequence[bytes], services: Sequence[ServiceInfo]
) -> SignedRecord:
    """Signs a record of the signer's own.

    Raises:
        RecordTooLargeError: It is over 1024 bytes, or a service's data over 33.
    """
    record = PeerRecord(signer.public_key.peer_id, seq, tuple(addresses), tuple(services))
    for service in services:
        if len(service.data or b"") > MAX_DATA_BYTES:
            raise RecordTooLargeError(f"over {MAX_DATA_BYTES} bytes of data for {service.id}")
    encoded = seal(signer, DOMAIN, PAYLOAD_TYPE, record.encode()).encode()
    if len(encoded) > MAX_RECORD_BYTES:
        raise RecordTooLargeError(
            f"a record of {len(encoded)} bytes, over {MAX_RECORD_BYTES}: name fewer addresses"
        )
    return SignedRecord(record, encoded)


def open_record(raw: bytes) -> SignedRecord:
    """Reads and verifies a signed record.

    Raises:
        RecordSizeError, RecordMalformedError, RecordSignerError, EnvelopeTypeError,
        EnvelopeSignatureError, MessageMalformedError, KeyMalformedError
    """
    if len(raw) > MAX_RECORD_BYTES:
        raise RecordSizeError(f"a record of {len(raw)} bytes, over {MAX_RECORD_BYTES}")
    envelope = open_envelope(raw, DOMAIN)
    if envelope.payload_type != PAYLOAD_TYPE:
        raise EnvelopeTypeError("the envelope does not hold a peer record")
    record = decode_record(envelope.payload)
    if record.peer_id != envelope.public_key.peer_id:
        raise RecordSignerError("the record is about another peer than signed it")
    return SignedRecord(record, raw)


def open_advertisement(raw: bytes, service_id: ServiceId) -> SignedRecord:
    """Reads and verifies an advertisement of a service.

    Raises:
        ServiceNotAdvertisedError: It names other services only.
        RemoteFaultError: As `open_record`.
    """
    signed = open_record(raw)
    if not signed.record.offers(service_id):
        raise ServiceNotAdvertisedError("the record does not name the service")
    return signed


def decode_record(raw: bytes) -> PeerRecord:
    """Reads a record without its envelope. Unknown fields are ignored.

    Raises:
        MessageMalformedError, RecordMalformedError, RecordSizeError
    """
    fields = Fields(raw)
    peer_id = fields.raw(_PEER_ID)
    addresses = [Fields(each).raw(_MULTIADDR) for each in fields.repeated(_ADDRESSES)]
    if not peer_id or not all(addresses):
        raise RecordMalformedError("a record without a peer id, or with an empty address")
    services = map(_decode_service, fields.repeated(_SERVICES))
    return PeerRecord(PeerId(peer_id), fields.number(_SEQ), tuple(addresses), tuple(services))


def _encode_service(service: ServiceInfo) -> bytes:
    name = bytes_field(_ID, service.id.encode())
    return name if service.data is None else name + bytes_field(_DATA, service.data)


def _decode_service(raw: bytes) -> ServiceInfo:
    fields = Fields(raw)
    name, data = fields.text(_ID), fields.raw(_DATA)
    if not name:
        raise RecordMalformedError("a service without an id")
    if len(data) > MAX_DATA_BYTES:
        raise RecordSizeError(f"{len(data)} bytes of data for a service, over {MAX_DATA_BYTES}")
    return ServiceInfo(name, data if fields.has(_DATA) else None)
