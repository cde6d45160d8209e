"""RLN-39: the file with a testnet's first members."""

import hashlib

import pytest

pytest.importorskip("logos_native")

from mixnet_rln import Node
from mixnet_rln import has_signed as signed

from logos_mixnet.core.rln.announced import MAX_ANNOUNCED
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import GenesisDamagedError
from logos_mixnet.core.rln.genesis import MAX_GENESIS_BYTES, decode_members, encode_members

DIGEST = "5882d52f64182be447dd430a23e838942a7e87eab7d7eb64e7466822b55b5261"
"""Of the file with the members of the next test."""


def announced(*names: str) -> list[Announcement]:
    return [Announcement.decode(Node.named(name).announce(), signed) for name in names]


def test_the_same_members_have_one_file() -> None:
    members = announced("a", "b", "c")

    raw = encode_members(members)

    assert raw == encode_members(reversed(members))
    assert decode_members(raw, signed) == tuple(sorted(members, key=lambda each: each.peer_id))


def test_the_octets_of_a_file_stay_as_they_are() -> None:
    raw = encode_members(announced("a", "b"))

    assert raw[:3] == b"\x01\x02\x00"
    assert hashlib.sha256(raw).hexdigest() == DIGEST


def test_a_testnet_may_begin_without_a_member() -> None:
    assert decode_members(encode_members([]), signed) == ()


def damaged() -> dict[str, bytes]:
    raw = encode_members(announced("a", "b"))
    first = raw[3 : 5 + int.from_bytes(raw[3:5], "little")]
    second = raw[3 + len(first) :]
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    return {
        "nothing": b"",
        "another version": b"\x02" + raw[1:],
        "a byte less": raw[:-1],
        "a byte more": raw + b"\0",
        "one less than its count": raw[:3] + first,
        "one more than its count": b"\x01\x01\x00" + first + second,
        "out of order": raw[:3] + second + first,
        "one peer twice": raw[:3] + first + first,
        "not signed": flipped,
        "too many": b"\x01" + (MAX_ANNOUNCED + 1).to_bytes(2, "little") + first * 2,
        "too long": raw.ljust(MAX_GENESIS_BYTES + 1, b"\0"),
        "only a count": b"\x01\xff\xff",
    }


@pytest.mark.parametrize("what", damaged())
def test_a_file_that_was_changed_is_refused_with_one_reason(what: str) -> None:
    with pytest.raises(GenesisDamagedError) as refused:
        decode_members(damaged()[what], signed)

    assert refused.value.reason == "GENESIS_DAMAGED"
