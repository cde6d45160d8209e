"""Encryption of what a channel sends, one message of SDS at a time.

Spec: docs/protocol/channels.md, CHN-28, CHN-29. Source: LIP reliable-channel-api, encryption.
"""

from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from logos_delivery.core.channels.errors import ChannelKeyInvalidError, ChannelSealError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
MESSAGE_DOMAIN: Final = b"logos-channel/1|"
STATE_DOMAIN: Final = b"logos-channel-key/1|"
"""Of the key itself, as a node keeps it."""


class Sealing(Protocol):
    """Encrypts the messages of one channel."""

    def encrypt(self, content: bytes, nonce: bytes) -> bytes:
        """Encrypts one message of SDS; takes 12 random bytes that are used once."""
        ...

    def decrypt(self, raw: bytes) -> bytes:
        """Reverses `encrypt`. Raises `ChannelSealError`."""
        ...


class Unsealed:
    """Leaves messages as they are."""

    def encrypt(self, content: bytes, _nonce: bytes) -> bytes:
        """Returns the content."""
        return content

    def decrypt(self, raw: bytes) -> bytes:
        """Returns the content."""
        return raw


class KeySealing:
    """ChaCha20-Poly1305 with a key that all participants have (CHN-29)."""

    def __init__(self, key: bytes, channel_id: str, domain: bytes = MESSAGE_DOMAIN) -> None:
        """Takes 32 bytes; raises `ChannelKeyInvalidError`."""
        if len(key) != KEY_BYTES:
            raise ChannelKeyInvalidError(f"a key of {len(key)} bytes, not {KEY_BYTES}")
        self._cipher = ChaCha20Poly1305(key)
        self._bound = domain + channel_id.encode()

    def encrypt(self, content: bytes, nonce: bytes) -> bytes:
        """Returns nonce, ciphertext and tag."""
        return nonce + self._cipher.encrypt(nonce, content, self._bound)

    def decrypt(self, raw: bytes) -> bytes:
        """Returns the content."""
        if len(raw) < NONCE_BYTES + TAG_BYTES:
            raise ChannelSealError("a message that is shorter than its nonce and its tag")
        try:
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], self._bound)
        except InvalidTag as error:
            raise ChannelSealError("a message that was not encrypted with this key") from error


def sealing_of(key: bytes, channel_id: str) -> Sealing:
    """Returns the encryption with a key, or none where it is empty."""
    return KeySealing(key, channel_id) if key else Unsealed()
