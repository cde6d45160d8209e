"""Peer exchange: a light client asks for records of other nodes.

Spec: docs/protocol/delivery-light.md, DLC-20 to DLC-23, DLC-39 to DLC-41.
Source: 34/WAKU2-PEER-EXCHANGE.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from logos_crypto.node_record import MAX_RECORD_BYTES
from logos_crypto.protobuf import Fields, bytes_field, bytes_fields, number_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.enr.errors import EnrMalformedError, EnrSignatureError
from logos_delivery.core.enr.fields import is_of_other_cluster, read
from logos_delivery.core.enr.record import Record, decode
from logos_delivery.core.light.errors import LightMessageMalformedError

PROTOCOL: Final = "/vac/waku/peer-exchange/2.0.0-alpha1"
MAX_PEERS: Final = 60
"""Records kept, and of one response."""
DEFAULT_PEERS: Final = 5
REFRESH_MS: Final = 10 * 60_000
FIRST_PAUSE_MS: Final = 2_000
FOUND_MS: Final = 60 * 60_000
"""A node of which discovery finds nothing for so long is not given away."""
MAX_FOUND: Final = 256
_MAX_DOUBLED: Final = 16

_REQUEST: Final = 1
_RESPONSE: Final = 2
_COUNT: Final = 1
_PEERS: Final = 1
_RECORD: Final = 1
_STATUS: Final = 10
_DESCRIPTION: Final = 11


class PeerExchangeStatus(IntEnum):
    """Of a response; 401, 599 and 0 are the client's own."""

    UNKNOWN = 0
    OK = 200
    BAD_REQUEST = 400
    BAD_RESPONSE = 401
    TOO_MANY_REQUESTS = 429
    SERVICE_UNAVAILABLE = 503
    DIAL_FAILURE = 599


_SENT: Final = frozenset({200, 400, 429, 503})


@dataclass(frozen=True, slots=True)
class PeersRequest:
    """From a client."""

    count: int = DEFAULT_PEERS


@dataclass(frozen=True, slots=True)
class PeersResponse:
    """From a service node."""

    records: tuple[bytes, ...] = ()
    """Encoded records, not yet judged."""
    status: PeerExchangeStatus = PeerExchangeStatus.OK
    description: str | None = None


def encode_request(request: PeersRequest) -> bytes:
    """Encodes a request; with an empty response, as the reference sends it."""
    body = number_field(_COUNT, request.count)
    return bytes_field(_REQUEST, body) + bytes_field(_RESPONSE, number_field(_STATUS, 0))


def decode_request(raw: bytes) -> PeersRequest:
    """Reads a request; raises `LightMessageMalformedError`."""
    try:
        fields = Fields(raw)
        if not fields.has(_REQUEST):
            raise LightMessageMalformedError("MissingRequiredField request")
        return PeersRequest(min(Fields(fields.raw(_REQUEST)).number(_COUNT), MAX_PEERS))
    except ProtobufError as error:
        raise LightMessageMalformedError(str(error)) from error


def encode_response(response: PeersResponse) -> bytes:
    """Encodes a response; with an empty request, as the reference sends it."""
    records = bytes_fields(_PEERS, (bytes_field(_RECORD, raw) for raw in response.records))
    body = records + number_field(_STATUS, response.status)
    if response.description is not None:
        body += bytes_field(_DESCRIPTION, response.description.encode())
    return bytes_field(_REQUEST, number_field(_COUNT, 0)) + bytes_field(_RESPONSE, body)


def decode_response(raw: bytes) -> PeersResponse:
    """Reads a response (DLC-20); records of over 300 bytes are left out.

    Raises:
        LightMessageMalformedError: It is none, or has over 60 records.
    """
    try:
        fields = Fields(raw)
        if not fields.has(_REQUEST):
            raise LightMessageMalformedError("MissingRequiredField request")
        if not fields.has(_RESPONSE):
            return PeersResponse(status=PeerExchangeStatus.UNKNOWN)
        body = Fields(fields.raw(_RESPONSE))
        found = body.repeated(_PEERS)
        if len(found) > MAX_PEERS:
            raise LightMessageMalformedError(f"over {MAX_PEERS} records in a response")
        records = [Fields(each).raw(_RECORD) for each in found]
        return PeersResponse(
            records=tuple(each for each in records if 0 < len(each) <= MAX_RECORD_BYTES),
            status=_status(body, has_peers=bool(found)),
            description=body.text(_DESCRIPTION) if body.has(_DESCRIPTION) else None,
        )
    except ProtobufError as error:
        raise LightMessageMalformedError(str(error)) from error


def refused(status: PeerExchangeStatus, description: str | None = None) -> PeersResponse:
    """Returns a response without records."""
    return PeersResponse(status=status, description=description)


@dataclass(frozen=True, slots=True)
class Judged:
    """What of a response can be used."""

    records: tuple[Record, ...]
    """Verified, of this node's cluster or of none, the newest of each node."""
    refused: int
    """Records that are none, or that their nodes have not signed."""


def judge(records: Iterable[bytes], *, cluster: int, but: str = "") -> Judged:
    """Verifies records of a response (DLC-23); leaves out that of the node `but`. Never raises."""
    newest: dict[str, Record] = {}
    refused = 0
    for raw in records:
        try:
            one = decode(raw)
        except (EnrMalformedError, EnrSignatureError):
            refused += 1
            continue
        known = newest.get(one.peer_id)
        is_newer = known is None or known.sequence < one.sequence
        if is_newer and one.peer_id != but and not is_of_other_cluster(read(one), cluster):
            newest[one.peer_id] = one
    return Judged(tuple(newest.values()), refused)


class FoundNodes:
    """Nodes that others may learn of: those that a look-up has found, by their own word (DLC-41).

    Bounded: 256 nodes, for an hour each.
    """

    def __init__(self, given: Iterable[Record] = ()) -> None:
        """`given` are records of the settings, which stay."""
        self._given = tuple(given)
        self._found: dict[str, tuple[Record, int]] = {}
        """Records by peer id, and when they came: the longest ago first."""

    def take(self, record: Record, now_ms: int) -> None:
        """Takes the record that a node has given of itself, after a look-up has found it."""
        known = self._found.pop(record.peer_id, None)
        if known is not None and known[0].sequence > record.sequence:
            record = known[0]
        self._found[record.peer_id] = record, now_ms
        while len(self._found) > MAX_FOUND:
            del self._found[next(iter(self._found))]

    def fresh(self, now_ms: int) -> list[Record]:
        """Returns the records that may be given away."""
        for peer, (_, at_ms) in list(self._found.items()):
            if at_ms + FOUND_MS <= now_ms:
                del self._found[peer]
        return [*self._given, *(record for record, _ in self._found.values())]


def pause_ms(rounds: int) -> int:
    """Returns how long it is until others are asked again, after so many rounds: doubled."""
    return min(FIRST_PAUSE_MS << min(rounds, _MAX_DOUBLED), REFRESH_MS)


class PeerPool:
    """Records of nodes that others may learn of: at most 60 (DLC-21, DLC-22)."""

    def __init__(self, cluster: int) -> None:
        self._cluster = cluster
        self._records: tuple[Record, ...] = ()

    def refresh(self, found: Sequence[Record], seed: bytes) -> None:
        """Replaces what is kept by a sample of what discovery has found lately.

        Args:
            found: Verified records. Never those of peers chosen by this node itself.
            seed: At least 16 random bytes.
        """
        fitting = [each for each in found if not is_of_other_cluster(read(each), self._cluster)]
        self._records = _sample(fitting, MAX_PEERS, seed)

    def answer(
        self, request: PeersRequest, seed: bytes, own: Record | None = None
    ) -> PeersResponse:
        """Returns as many records as were asked for, if there are so many, at random.

        Args:
            request: Untrusted.
            seed: At least 16 random bytes.
            own: That of this node, which comes first: it is how others learn of it (DLC-39).
        """
        count = min(request.count, MAX_PEERS)
        first = [own.raw] if own is not None and count else []
        others = [one for one in self._records if own is None or one.peer_id != own.peer_id]
        chosen = _sample(others, count - len(first), seed)
        return PeersResponse((*first, *(each.raw for each in chosen)))


def _sample(records: Sequence[Record], count: int, seed: bytes) -> tuple[Record, ...]:
    """Returns the newest record of some nodes, at random by the seed."""
    newest: dict[str, Record] = {}
    for each in records:
        known = newest.get(each.peer_id)
        if known is None or known.sequence < each.sequence:
            newest[each.peer_id] = each
    ranked = sorted(
        newest.items(), key=lambda item: hashlib.sha256(seed + item[0].encode()).digest()
    )
    return tuple(record for _, record in ranked[:count])


def _status(body: Fields, *, has_peers: bool) -> PeerExchangeStatus:
    """Reads a status; older nodes send none."""
    if not body.has(_STATUS):
        return PeerExchangeStatus.OK if has_peers else PeerExchangeStatus.SERVICE_UNAVAILABLE
    number = body.number(_STATUS)
    return PeerExchangeStatus(number) if number in _SENT else PeerExchangeStatus.UNKNOWN
