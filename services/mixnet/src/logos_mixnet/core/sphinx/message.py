"""Messages within a payload: a codec, what it carries, and reply blocks.

    padded   padding length 2, big-endian | zeros | message | sequence number 4     3,968 bytes
    message  codec length 1 | codec | body
    body     number of reply blocks 1 | reply blocks, 734 each | content

The body of an answer is its content alone; its codec is empty. Messages of internal codecs have
no reply blocks either.

Spec: docs/protocol/mix.md, MIX-10. Source: LIP-99 §8.5.2 step 1; nim-libp2p-mix for the fields
that it leaves open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.sphinx.errors import CodecError, MessageTooLargeError, MixMessageError
from logos_mixnet.core.sphinx.geometry import MESSAGE_BYTES, SURB_BYTES
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw
from logos_mixnet.core.sphinx.surb import Surb

MAX_CODEC_BYTES: Final = 127
MAX_SURBS: Final = 255
"""In a message that is sent in fragments; one packet has room for 5."""
PADDING_LENGTH_BYTES: Final = 2
SEQUENCE_BYTES: Final = 4
DATA_BYTES: Final = MESSAGE_BYTES - PADDING_LENGTH_BYTES - SEQUENCE_BYTES
"""The most that a message has in one packet. 3,962."""
REPLY_CODEC: Final = ""


@dataclass(frozen=True, slots=True)
class MixMessage:
    """A message as a packet, or fragments together, carry it."""

    codec: str
    """At most 127 bytes; of an answer: empty."""
    body: bytes

    def encode(self) -> bytes:
        """Returns the message; raises `CodecError` if the codec is too long."""
        codec = self.codec.encode()
        if len(codec) > MAX_CODEC_BYTES:
            raise CodecError(f"a codec has at most {MAX_CODEC_BYTES} bytes, this has {len(codec)}")
        return bytes([len(codec)]) + codec + self.body

    @classmethod
    def decode(cls, raw: bytes) -> "MixMessage":
        """Reads a message; raises `MixMessageError` if it is none."""
        if not raw or raw[0] > MAX_CODEC_BYTES or len(raw) <= raw[0]:
            raise MixMessageError("a message is shorter than its codec, or its codec is too long")
        end = 1 + raw[0]
        try:
            return cls(raw[1:end].decode(), raw[end:])
        except UnicodeDecodeError as error:
            raise MixMessageError("a codec is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class ForwardBody:
    """The body of a message that is not an answer."""

    content: bytes
    surbs: Sequence[Surb] = ()

    def encode(self) -> bytes:
        """Returns the body; raises `MessageTooLargeError` for more than 255 reply blocks."""
        if len(self.surbs) > MAX_SURBS:
            raise MessageTooLargeError(f"a message has at most {MAX_SURBS} reply blocks")
        return bytes([len(self.surbs)]) + b"".join(s.encode() for s in self.surbs) + self.content

    @classmethod
    def decode(cls, raw: bytes) -> "ForwardBody":
        """Reads a body; raises `MixMessageError` if it is none."""
        if not raw or len(raw) < 1 + raw[0] * SURB_BYTES:
            raise MixMessageError("a body is shorter than its reply blocks")
        end = 1 + raw[0] * SURB_BYTES
        starts = range(1, end, SURB_BYTES)
        surbs = tuple(Surb.decode(raw[start : start + SURB_BYTES]) for start in starts)
        return cls(raw[end:], surbs)


def room(codec: str, surbs: int) -> int:
    """Returns how many bytes of content fit beside so many reply blocks; negative: none."""
    return DATA_BYTES - len(MixMessage(codec, b"").encode()) - 1 - surbs * SURB_BYTES


def pad(message: bytes, random_bytes: RandomBytes) -> bytes:
    """Pads an encoded message to 3,968 bytes.

    The sequence number says nothing: it is random. The reference derives it from the
    sender's peer id and the message, by which an exit recognises the sender.

    Raises:
        MessageTooLargeError: It has more than 3,962 bytes.
    """
    padding = DATA_BYTES - len(message)
    if padding < 0:
        raise MessageTooLargeError(f"{len(message)} bytes, but a packet has room for {DATA_BYTES}")
    head = padding.to_bytes(PADDING_LENGTH_BYTES, "big")
    return head + bytes(padding) + message + draw(random_bytes, SEQUENCE_BYTES)


def unpad(padded: bytes) -> bytes:
    """Returns the encoded message of 3,968 bytes; raises `MixMessageError` if there is none."""
    if len(padded) != MESSAGE_BYTES:
        raise MixMessageError(f"a padded message has {MESSAGE_BYTES} bytes")
    padding = int.from_bytes(padded[:PADDING_LENGTH_BYTES], "big")
    start = PADDING_LENGTH_BYTES + padding
    if padding > DATA_BYTES or any(padded[PADDING_LENGTH_BYTES:start]):
        raise MixMessageError("padding is longer than the message, or not zeros")
    return padded[start : MESSAGE_BYTES - SEQUENCE_BYTES]
