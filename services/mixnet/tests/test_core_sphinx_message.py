"""Messages within payloads (MIX-10), and what an exit may learn of who sent them."""

import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_paths import counting, path_of, private_keys, walk

from logos_mixnet.core.sphinx.errors import (
    CodecError,
    MessageTooLargeError,
    MixMessageError,
    MixRefusedError,
)
from logos_mixnet.core.sphinx.geometry import HERE, MESSAGE_BYTES
from logos_mixnet.core.sphinx.message import (
    DATA_BYTES,
    MAX_CODEC_BYTES,
    ForwardBody,
    MixMessage,
    pad,
    room,
    unpad,
)
from logos_mixnet.core.sphinx.packet import Exit, create_packet
from logos_mixnet.core.sphinx.surb import create_surb

CODEC = "/logos/test/1.0.0"
KEYS = private_keys(3)
SURB = create_surb(path_of(KEYS), counting(9))[0]


@given(message=st.binary(max_size=DATA_BYTES))
def test_padding_is_taken_off_again(message: bytes) -> None:
    padded = pad(message, counting(1))

    assert len(padded) == MESSAGE_BYTES
    assert unpad(padded) == message


def test_layout_of_a_padded_message() -> None:
    padded = pad(b"abc", lambda size: b"\x11" * size)

    assert (
        padded == (DATA_BYTES - 3).to_bytes(2, "big") + bytes(DATA_BYTES - 3) + b"abc" + b"\x11" * 4
    )


def test_messages_beyond_a_packet_are_refused() -> None:
    with pytest.raises(MessageTooLargeError):
        pad(bytes(DATA_BYTES + 1), counting(1))


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(MESSAGE_BYTES - 1),
        b"\xff\xff" + bytes(MESSAGE_BYTES - 2),
        (DATA_BYTES + 1).to_bytes(2, "big") + bytes(MESSAGE_BYTES - 2),
        (2).to_bytes(2, "big") + b"\0\x01" + bytes(MESSAGE_BYTES - 4),
    ],
    ids=["empty", "short", "all", "one too many", "not zeros"],
)
def test_other_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(MixMessageError):
        unpad(padded)


@given(raw=st.binary(max_size=2000))
def test_arbitrary_bytes_raise_nothing_else(raw: bytes) -> None:
    try:
        message = MixMessage.decode(raw)
        ForwardBody.decode(message.body)
    except MixRefusedError:
        return
    assert message.encode() == raw


@settings(deadline=None)
@given(
    codec=st.text(max_size=30),
    surbs=st.integers(0, 5),
    content=st.binary(max_size=100),
)
def test_a_request_crosses_the_mix(codec: str, surbs: int, content: bytes) -> None:
    body = ForwardBody(content, (SURB,) * surbs)
    sent = pad(MixMessage(codec, body.encode()).encode(), counting(2))

    last = walk(create_packet(path_of(KEYS), HERE, sent, counting(3)), KEYS)[-1]

    assert isinstance(last, Exit)
    arrived = MixMessage.decode(unpad(last.message))
    assert (arrived.codec, ForwardBody.decode(arrived.body)) == (codec, body)


@pytest.mark.parametrize("surbs", range(6))
def test_room_beside_reply_blocks(surbs: int) -> None:
    def whole(size: int) -> bytes:
        return MixMessage(CODEC, ForwardBody(bytes(size), (SURB,) * surbs).encode()).encode()

    most = room(CODEC, surbs)

    assert len(pad(whole(most), counting(1))) == MESSAGE_BYTES
    with pytest.raises(MessageTooLargeError):
        pad(whole(most + 1), counting(1))


def test_a_sixth_reply_block_has_no_room() -> None:
    assert room(CODEC, 0) == 3943
    assert room(CODEC, 6) < 0


def test_limits_of_codecs_and_reply_blocks() -> None:
    assert MixMessage.decode(MixMessage("c" * MAX_CODEC_BYTES, b"").encode()).body == b""
    with pytest.raises(CodecError):
        MixMessage("c" * (MAX_CODEC_BYTES + 1), b"").encode()
    with pytest.raises(MessageTooLargeError):
        ForwardBody(b"", (SURB,) * 256).encode()


@pytest.mark.parametrize("raw", [b"", b"\x80", b"\x05abc", b"\x01\xff", b"\x81\x01" + bytes(200)])
def test_malformed_messages_are_refused(raw: bytes) -> None:
    with pytest.raises(MixMessageError):
        MixMessage.decode(raw)


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01" + bytes(733)])
def test_malformed_bodies_are_refused(raw: bytes) -> None:
    with pytest.raises(MixMessageError):
        ForwardBody.decode(raw)


def word(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big")


def derived(sender: bytes, message: bytes, second: int) -> int:
    """The reference's sequence number (libp2p_mix/seqno_generator.nim at 48c77ad)."""
    return (word(sender) + word(message + (second * 1000).to_bytes(8, "big"))) % 0xFFFFFFFF


def senders_found(
    sequence: int, message: bytes, senders: dict[int, bytes], second: int
) -> set[bytes]:
    """An exit that knows the peers and the message, and the time to half a minute."""
    found = set()
    for guess in range(second - 30, second + 31):
        salt = word(message + (guess * 1000).to_bytes(8, "big"))
        found.add(senders.get((sequence - salt) % 0xFFFFFFFF, b""))
    return found - {b""}


def test_the_sequence_number_names_no_sender() -> None:
    """mixnet.md 11, P6. The control is the reference's formula, which names each one."""
    peers = [b"peer %d" % number for number in range(1000)]
    senders = {word(peer) % 0xFFFFFFFF: peer for peer in peers}
    second = 1_800_000_000
    named = 0

    for number, peer in enumerate(peers[:50]):
        message = b"message %d" % number
        theirs = derived(peer, message, second - number % 30)
        assert senders_found(theirs, message, senders, second) == {peer}
        ours = int.from_bytes(pad(message, os.urandom)[-4:], "big")
        named += peer in senders_found(ours, message, senders, second)

    assert named == 0
