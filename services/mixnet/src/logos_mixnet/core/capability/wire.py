"""Requests and responses of capability discovery, as messages of Kademlia.

Spec: docs/protocol/discovery.md, DIS-1, DIS-19. Source: LIP-107, "RPC Messages".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from logos_crypto.protobuf import bytes_field, bytes_fields, number_field
from logos_mixnet.core.capability.distance import ID_BYTES, ServiceId
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.fields import Fields
from logos_mixnet.core.capability.keys import MAX_PEER_ID_BYTES, PeerId
from logos_mixnet.core.capability.multiaddr import MAX_ADDRESS_BYTES
from logos_mixnet.core.capability.records import MAX_RECORD_BYTES
from logos_mixnet.core.capability.tickets import Ticket, decode_ticket

PROTOCOL: Final = "/logos/service-discovery/1.0.0"
MAX_MESSAGE_BYTES: Final = 4096
MAX_PEERS: Final = 16
"""Closer peers of one response: one for each bucket."""
MAX_PEER_ADDRESSES: Final = 4

_TYPE: Final = 1
_KEY: Final = 2
_CLOSER_PEERS: Final = 8
_REGISTER: Final = 21
_GET_ADS: Final = 22
_ADVERTISEMENT: Final = 1
_STATUS: Final = 2
_TICKET: Final = 3
_PEER_ID: Final = 1
_PEER_ADDRESSES: Final = 2


class _Kind(IntEnum):
    REGISTER = 6
    GET_ADS = 7


class Status(IntEnum):
    """What became of a registration."""

    CONFIRMED = 0
    WAIT = 1
    REJECTED = 2


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, and where it is said to be."""

    peer_id: PeerId
    addresses: tuple[bytes, ...] = ()
    """Binary multiaddresses (DIS-8)."""


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """Asks for the admission of an advertisement."""

    service_id: ServiceId
    advertisement: bytes
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class GetAdsRequest:
    """Asks for advertisements of a service."""

    service_id: ServiceId


@dataclass(frozen=True, slots=True)
class RegisterResponse:
    """What became of a registration; with WAIT there is a ticket."""

    status: Status
    ticket: Ticket | None = None
    closer_peers: tuple[Peer, ...] = ()


@dataclass(frozen=True, slots=True)
class GetAdsResponse:
    """Advertisements, not yet verified."""

    advertisements: tuple[bytes, ...] = ()
    closer_peers: tuple[Peer, ...] = ()


def encode_request(request: RegisterRequest | GetAdsRequest) -> bytes:
    """Encodes a request."""
    if isinstance(request, GetAdsRequest):
        return number_field(_TYPE, _Kind.GET_ADS) + bytes_field(_KEY, request.service_id)
    body = bytes_field(_ADVERTISEMENT, request.advertisement)
    if request.ticket is not None:
        body += bytes_field(_TICKET, request.ticket.encode())
    return (
        number_field(_TYPE, _Kind.REGISTER)
        + bytes_field(_KEY, request.service_id)
        + bytes_field(_REGISTER, body)
    )


def decode_request(raw: bytes) -> RegisterRequest | GetAdsRequest:
    """Reads a request; raises `MessageMalformedError`."""
    fields = _message(raw)
    kind, key = fields.number(_TYPE), fields.raw(_KEY)
    if len(key) != ID_BYTES:
        raise MessageMalformedError(f"the id of a service has {ID_BYTES} bytes, not {len(key)}")
    if kind == _Kind.GET_ADS:
        return GetAdsRequest(ServiceId(key))
    if kind != _Kind.REGISTER:
        raise MessageMalformedError(f"a message of type {kind}")
    body = Fields(fields.raw(_REGISTER))
    advertisement = body.raw(_ADVERTISEMENT)
    if not 0 < len(advertisement) <= MAX_RECORD_BYTES:
        raise MessageMalformedError(f"an advertisement of {len(advertisement)} bytes")
    ticket = decode_ticket(body.raw(_TICKET)) if body.has(_TICKET) else None
    return RegisterRequest(ServiceId(key), advertisement, ticket)


def encode_response(response: RegisterResponse | GetAdsResponse) -> bytes:
    """Encodes a response; what would make it longer than a message is left out, peers first."""
    if isinstance(response, GetAdsResponse):
        kind, field = _Kind.GET_ADS, _GET_ADS
        parts = [bytes_field(_ADVERTISEMENT, each) for each in response.advertisements]
        body = b"".join(_fitting(parts, MAX_MESSAGE_BYTES - 16))
    else:
        kind, field = _Kind.REGISTER, _REGISTER
        body = number_field(_STATUS, response.status)
        if response.ticket is not None:
            body += bytes_field(_TICKET, response.ticket.encode())
    head, tail = number_field(_TYPE, kind), bytes_field(field, body)
    peers = [bytes_field(_CLOSER_PEERS, _encode_peer(each)) for each in response.closer_peers]
    room = MAX_MESSAGE_BYTES - len(head) - len(tail)
    return head + b"".join(_fitting(peers[:MAX_PEERS], room)) + tail


def decode_register_response(raw: bytes) -> RegisterResponse:
    """Reads the response to a registration; raises `MessageMalformedError`."""
    fields = _response(raw, _Kind.REGISTER)
    body = Fields(fields.raw(_REGISTER))
    try:
        status = Status(body.number(_STATUS))
    except ValueError as error:
        raise MessageMalformedError(str(error)) from error
    ticket = decode_ticket(body.raw(_TICKET)) if body.has(_TICKET) else None
    if (status == Status.WAIT) != (ticket is not None):
        raise MessageMalformedError("a ticket belongs to WAIT, and to nothing else")
    return RegisterResponse(status, ticket, _closer_peers(fields))


def decode_get_ads_response(raw: bytes) -> GetAdsResponse:
    """Reads the response to a query; raises `MessageMalformedError`."""
    fields = _response(raw, _Kind.GET_ADS)
    advertisements = Fields(fields.raw(_GET_ADS)).repeated(_ADVERTISEMENT)
    return GetAdsResponse(tuple(advertisements), _closer_peers(fields))


def _message(raw: bytes) -> Fields:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MessageMalformedError(f"a message of {len(raw)} bytes, over {MAX_MESSAGE_BYTES}")
    return Fields(raw)


def _response(raw: bytes, kind: _Kind) -> Fields:
    fields = _message(raw)
    if fields.number(_TYPE) != kind:
        raise MessageMalformedError(f"a response of type {fields.number(_TYPE)}, not {kind}")
    return fields


def _encode_peer(peer: Peer) -> bytes:
    addresses = bytes_fields(_PEER_ADDRESSES, peer.addresses[:MAX_PEER_ADDRESSES])
    return bytes_field(_PEER_ID, peer.peer_id) + addresses


def _closer_peers(fields: Fields) -> tuple[Peer, ...]:
    return tuple(map(_decode_peer, fields.repeated(_CLOSER_PEERS)[:MAX_PEERS]))


def _decode_peer(raw: bytes) -> Peer:
    fields = Fields(raw)
    peer_id, addresses = fields.raw(_PEER_ID), fields.repeated(_PEER_ADDRESSES)
    if not 0 < len(peer_id) <= MAX_PEER_ID_BYTES:
        raise MessageMalformedError(f"a peer id of {len(peer_id)} bytes")
    usable = [each for each in addresses if 0 < len(each) <= MAX_ADDRESS_BYTES]
    return Peer(PeerId(peer_id), tuple(usable[:MAX_PEER_ADDRESSES]))


def _fitting(parts: Sequence[bytes], room: int) -> list[bytes]:
    fitting = []
    for part in parts:
        room -= len(part)
        if room < 0:
            break
        fitting.append(part)
    return fitting
