"""The keys of a kernel, all derived from one master key of 32 bytes (KER-15)."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logos_base.capabilities import KERNEL, Claims
from logos_module.capabilities.proofs import module_key
from logos_module.capabilities.tokens import sign


class Keyring:
    """Derived keys. `generation` counts the rotations of the signing key."""

    def __init__(self, master: bytes, generation: int) -> None:
        self._master = master
        self.generation: Final = generation
        self._signing_key: Final = self._key_of(generation)
        self._signing_keys = [
            self._key_of(number).public_key().public_bytes_raw()
            for number in range(generation + 1, max(generation - 2, -1), -1)
        ]
        self.agreement: Final[X25519PrivateKey] = module_key(self._derive("agreement"), KERNEL)

    def signing_keys(self) -> list[bytes]:
        """Returns the Ed25519 public keys that tokens may be signed with, newest first.

        The first is the next one: when it is used, every module knows it.
        """
        return list(self._signing_keys)

    def agreement_key(self) -> bytes:
        """Returns the kernel's X25519 public key, 32 bytes."""
        return self.agreement.public_key().public_bytes_raw()

    def sign(self, claims: Claims) -> bytes:
        """Makes a token with the key of this generation."""
        return sign(claims, self._signing_key)

    def join_secret(self, module: str) -> bytes:
        """Returns the join secret of a module, 32 bytes."""
        return self._derive(f"join {module}")

    def own_key(self, module: str) -> bytes:
        """Returns a module's own key, 32 bytes (KER-22)."""
        return self._derive(f"own {module}")

    def _key_of(self, generation: int) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._derive(f"signing {generation}"))

    def _derive(self, purpose: str) -> bytes:
        info = b"logos-kernel-keys-v1 " + purpose.encode()
        return HKDF(SHA256(), 32, salt=None, info=info).derive(self._master)
