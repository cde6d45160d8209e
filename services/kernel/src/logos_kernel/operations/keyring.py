"""The keys of a kernel, all derived from one master key of 32 bytes (KER-15)."""

from typing import Final

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from logos_base.capabilities import KERNEL, Claims
from logos_module.capabilities.agreement import derived_key, public_key_of
from logos_module.capabilities.proofs import module_key
from logos_module.capabilities.tokens import sign


class Keyring:
    """Derived keys. `generation` counts the rotations of the signing key."""

    def __init__(self, master: bytes, generation: int) -> None:
        self._master = master
        self.generation: Final = generation
        self._signing_key: Final = self._key_of(generation)
        self._signing_keys = [
            self._key_of(number).verify_key.encode()
            for number in range(generation + 1, max(generation - 2, -1), -1)
        ]
        self.agreement: Final[PrivateKey] = module_key(self._derive("agreement"), KERNEL)

    def signing_keys(self) -> list[bytes]:
        """Returns the Ed25519 public keys that tokens may be signed with, newest first.

        The first is the next one: when it is used, every module knows it.
        """
        return list(self._signing_keys)

    def agreement_key(self) -> bytes:
        """Returns the kernel's X25519 public key, 32 bytes."""
        return public_key_of(self.agreement)

    def sign(self, claims: Claims) -> bytes:
        """Makes a token with the key of this generation."""
        return sign(claims, self._signing_key)

    def join_secret(self, module: str) -> bytes:
        """Returns the join secret of a module, 32 bytes."""
        return self._derive(f"join {module}")

    def own_key(self, module: str) -> bytes:
        """Returns a module's own key, 32 bytes (KER-22)."""
        return self._derive(f"own {module}")

    def _key_of(self, generation: int) -> SigningKey:
        return SigningKey(self._derive(f"signing {generation}"))

    def _derive(self, purpose: str) -> bytes:
        return derived_key(self._master, b"logos-kernel-keys-v1 " + purpose.encode())
