"""M9 of the proofs at the ends of packets: they look like chance, and differ from hop to hop.

Some of a proof is the same at all hops, of all packets alike: its root, its epoch, and the headers
of its fields. docs/anonymity.md says so; here nothing else is.

Proofs are blinded with the system's randomness, so bounds are such as chance exceeds once in 10^6.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations, product
from random import Random  # noqa: TID251 - a test must run the same every time
from typing import Final

import pytest

pytest.importorskip("logos_native")

from mixnet_rln import APPLICATION, EPOCH, LIMIT, MembersRig, Node

from logos_anonymity.octets import compressed, shared_windows, uniformity
from logos_crypto import rln
from logos_crypto.rln import Preparer, RateLimitProof
from logos_mixnet.core.rln.frame import FRAME_BYTES
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.message import MixMessage, pad
from logos_mixnet.core.sphinx.packet import Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.primitives import public_key

pytestmark = [pytest.mark.native, pytest.mark.proofs, pytest.mark.timeout(600)]

PACKETS: Final = 24
KEYS: Final = [bytes([number]) * 32 for number in range(1, 4)]
PROVERS: Final = [Node.named(name) for name in ("the sender", "the first mix", "the second")]
SAME: Final = slice(131, 201)
"""Root and epoch with the two bytes of their headers, and the header that follows."""
FIELDS: Final[Mapping[str, slice]] = {
    # without the last byte of each value: it has the top bits of a number below the modulus, and
    # of a point the signs
    "A": slice(3, 34),
    "B, first half": slice(35, 66),
    "B, second half": slice(67, 98),
    "C": slice(99, 130),
    "share x": slice(201, 232),
    "share y": slice(235, 266),
    "nullifier": slice(269, 300),
}

Link = tuple[bytes, bytes]
"""A packet, and the proof that travels with it."""


def prove(preparer: Preparer, packet: bytes, number: int) -> bytes:
    """A member's proof for a packet, under its next id."""
    epoch, message_id = EPOCH + number // LIMIT, number % LIMIT
    prepared = preparer.prepare(APPLICATION.external_nullifier(epoch), message_id)
    proof = prepared.finish(rln.signal_x(packet))
    return RateLimitProof.of(proof, rln.epoch_bytes(epoch)).to_bytes()


@cache
def crossings() -> Sequence[Sequence[Link]]:
    """Packets of one message, on each link with the proof of that link's sender."""
    rng = Random(1)  # noqa: S311
    members = MembersRig(Registry(genesis=tuple(each.commitment for each in PROVERS))).members
    preparers = [each.membership(members).preparer() for each in PROVERS]
    hops = [Hop(public_key(key), bytes([at]) * ADDRESS_BYTES) for at, key in enumerate(KEYS, 1)]
    message = MixMessage("/test/1.0.0", b"always the same").encode()
    found = []
    for number in range(PACKETS):
        packet = create_packet(
            Path(hops, [1_000] * 2), HERE, pad(message, rng.randbytes), rng.randbytes
        )
        links: list[Link] = []
        for preparer, key in zip(preparers, KEYS, strict=True):
            links.append((packet, prove(preparer, packet, number)))
            content = unwrap(receive(packet, key))
            packet = content.packet if isinstance(content, Relay) else b""
        found.append(links)
    return found


@pytest.mark.parametrize("name", FIELDS)
def test_m9_every_field_of_a_proof_looks_like_chance(name: str) -> None:
    proofs = [proof for links in crossings() for _, proof in links]
    parts = [proof[FIELDS[name]] for proof in proofs]

    assert {len(proof) for proof in proofs} == {FRAME_BYTES}
    assert len(set(parts)) == len(parts) == PACKETS * len(PROVERS)
    assert uniformity(parts) > 1e-6
    assert compressed(parts) > 0.999


def shared(one: Link, other: Link) -> frozenset[bytes]:
    """What two packets with their proofs have in common, but for what all of a time have."""
    assert one[1][SAME] == other[1][SAME]
    pairs = product(_apart(*one), _apart(*other))
    return frozenset[bytes]().union(*(shared_windows(*pair) for pair in pairs))


def _apart(packet: bytes, proof: bytes) -> tuple[bytes, bytes]:
    return packet + proof[: SAME.start], proof[SAME.stop :]


def test_m9_on_two_links_of_a_packet_root_and_epoch_are_the_same_and_nothing_else() -> None:
    for links in crossings():
        for one, other in combinations(links, 2):
            assert shared(one, other) == frozenset()


def test_m9_two_proofs_of_one_member_share_no_more_than_those_of_two() -> None:
    for sender in range(len(PROVERS)):
        for one, other in combinations([links[sender] for links in crossings()[:LIMIT]], 2):
            assert shared(one, other) == frozenset()


def test_m9_a_value_that_goes_along_would_be_found() -> None:
    """The control: as if a proof told the share of the hop before."""
    one, (packet, proof), *_ = crossings()[0]
    share = FIELDS["share y"]
    copied = proof[: share.start] + one[1][share] + proof[share.stop :]

    assert shared(one, (packet, copied)) >= shared_windows(one[1][share], one[1][share])
    assert uniformity([proof[SAME] for links in crossings() for _, proof in links]) < 1e-6
