"""Mixes as discovery finds them: a record that names `/mix/1.0.0` with the mix's key (MIX-36).

The data of the service is the public key, 32 bytes, and one byte that says what the key is for.
A record without that byte, as the LIP has it, is read alike.
"""

from collections.abc import Iterable
from typing import Final

from logos_crypto import base58
from logos_mixnet.core.capability.multiaddr import decode_address
from logos_mixnet.core.capability.records import PeerRecord, SignedRecord
from logos_mixnet.core.mixing.frames import MIX_PROTOCOL
from logos_mixnet.core.mixing.pool import Mix
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.errors import AddressUnsuitableError
from logos_mixnet.core.sphinx.geometry import KEY_BYTES
from logos_mixnet.core.sphinx.header import Hop

SUITE: Final = b"\x01"
"""X25519 and the payload cipher of LIP-183."""


def service_data(public_key: bytes) -> bytes:
    """Returns what a mix's record says of its service: 33 bytes."""
    return public_key + SUITE


def mixes_of(records: Iterable[SignedRecord]) -> list[Mix]:
    """Returns the mixes that records describe; those that no packet can be sent to are left out."""
    found = (_mix_of(signed.record) for signed in records)
    return [mix for mix in found if mix is not None]


def address_block(addresses: Iterable[bytes], peer_id: str) -> bytes | None:
    """Returns the block of the first address that fits one (MIX-9); None if none does.

    Args:
        addresses: Binary multiaddresses, the best first.
        peer_id: Base58.
    """
    for raw in addresses:
        address = decode_address(raw)
        if address is None or not address.transport.startswith("/ip4/"):
            continue
        try:
            return MixAddress(address.host, address.port, peer_id).encode()
        except AddressUnsuitableError:
            continue
    return None


def _mix_of(record: PeerRecord) -> Mix | None:
    data = next((each.data for each in record.services if each.id == MIX_PROTOCOL), None)
    if data is None or data[KEY_BYTES:] not in {b"", SUITE} or len(data) < KEY_BYTES:
        return None
    peer_id = base58.encode(record.peer_id)
    block = address_block(record.addresses, peer_id)
    return None if block is None else Mix(peer_id, Hop(data[:KEY_BYTES], block))
