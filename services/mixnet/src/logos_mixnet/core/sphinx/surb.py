"""Single-use reply blocks: a header for the way back, and a key to encrypt the answer with.

Spec: docs/protocol/mix.md, MIX-11. Source: LIP-99 §8.7, LIP-183 §6.2.2 and §7.3.
"""

from dataclasses import dataclass, field

from logos_mixnet.core.sphinx.errors import MixMessageError, PayloadDamagedError
from logos_mixnet.core.sphinx.geometry import (
    ADDRESS_BYTES,
    HEADER_BYTES,
    HERE,
    KAPPA,
    KEY_BYTES,
    MESSAGE_BYTES,
    PAYLOAD_BYTES,
    SURB_BYTES,
)
from logos_mixnet.core.sphinx.header import NO_SURB, Path, create_header
from logos_mixnet.core.sphinx.payload import LIP_183, PayloadCipher, sealed, unsealed
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw


@dataclass(frozen=True, slots=True)
class Surb:
    """What the answering side gets, to be used once: two uses show that both are one sender's."""

    first_hop: bytes
    """An address block: where the answer is sent."""
    header: bytes
    reply_key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Returns 734 bytes."""
        return self.first_hop + self.header + self.reply_key

    @classmethod
    def decode(cls, raw: bytes) -> "Surb":
        """Reads 734 bytes; raises `MixMessageError` for another number of them."""
        if len(raw) != SURB_BYTES:
            raise MixMessageError(f"a reply block has {SURB_BYTES} bytes, this has {len(raw)}")
        end = ADDRESS_BYTES + HEADER_BYTES
        return cls(raw[:ADDRESS_BYTES], raw[ADDRESS_BYTES:end], raw[end:])

    def answer(self, message: bytes, cipher: PayloadCipher = LIP_183) -> bytes:
        """Wraps a padded message of 3,968 bytes; returns the packet for the first hop.

        Raises:
            ValueError: The message has another size.
        """
        if len(message) != MESSAGE_BYTES:
            raise ValueError(f"expected a message of {MESSAGE_BYTES} bytes")
        return self.header + cipher.encrypt_reply(self.reply_key, sealed(message))


@dataclass(frozen=True, slots=True)
class ReplyKeys:
    """What the maker of a reply block keeps. Secret; worthless once the answer is there."""

    surb_id: bytes
    reply_key: bytes = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)

    def recover(self, payload: bytes, cipher: PayloadCipher = LIP_183) -> bytes:
        """Returns the padded message of the answer; the payload is that of `packet.Reply`.

        Raises:
            PayloadDamagedError: It was changed on its way, or answers another block.
        """
        if len(payload) != PAYLOAD_BYTES:
            raise PayloadDamagedError(f"a payload has {PAYLOAD_BYTES} bytes")
        # Each hop has removed a layer that was never there: put them back, the last one's first.
        for secret in reversed(self.secrets):
            payload = cipher.encrypt(secret, payload)
        return unsealed(cipher.decrypt_reply(self.reply_key, payload))


def create_surb(path: Path, random_bytes: RandomBytes) -> tuple[Surb, ReplyKeys]:
    """Makes a reply block for a path that ends at this node.

    Raises:
        PathError: A hop's public key is not a usable point.
    """
    ephemeral = draw(random_bytes, KEY_BYTES)
    surb_id = draw(random_bytes, KAPPA)
    while surb_id == NO_SURB:
        surb_id = draw(random_bytes, KAPPA)
    reply_key = draw(random_bytes, KAPPA)
    header = create_header(path, HERE, surb_id, ephemeral)
    surb = Surb(path.hops[0].address, header.raw, reply_key)
    return surb, ReplyKeys(surb_id, reply_key, header.secrets)
