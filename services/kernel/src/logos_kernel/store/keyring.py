"""The keys of a kernel, all derived from one file (KER-15).

The master key is 32 random bytes in the kernel's state folder. Whoever has it is this kernel.
"""

import secrets
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logos_base.capabilities import KERNEL, Claims
from logos_base.errors import StateError
from logos_module.capabilities.proofs import module_key
from logos_module.capabilities.tokens import sign
from logos_module.private_files import write_private

MASTER_KEY_BYTES: Final = 32
_FILE: Final = "master.key"


class MasterKeyError(StateError):
    """The master key cannot be used."""

    reason = "MASTER_KEY_UNUSABLE"


class Keyring:
    """Derived keys. `generation` counts the rotations of the signing key."""

    def __init__(self, master: bytes, generation: int) -> None:
        self._master = master
        self.generation: Final = generation
        self._signing = [
            Ed25519PrivateKey.from_private_bytes(self._derive(f"signing {number}"))
            for number in (generation, generation - 1)
            if number >= 0
        ]
        self.agreement: Final[X25519PrivateKey] = module_key(self._derive("agreement"), KERNEL)

    def signing_keys(self) -> list[bytes]:
        """Returns the Ed25519 public keys that tokens may be signed with, newest first."""
        return [key.public_key().public_bytes_raw() for key in self._signing]

    def agreement_key(self) -> bytes:
        """Returns the kernel's X25519 public key, 32 bytes."""
        return self.agreement.public_key().public_bytes_raw()

    def sign(self, claims: Claims) -> bytes:
        """Makes a token with the newest key."""
        return sign(claims, self._signing[0])

    def join_secret(self, module: str) -> bytes:
        """Returns the join secret of a module, 32 bytes."""
        return self._derive(f"join {module}")

    def _derive(self, purpose: str) -> bytes:
        info = b"logos-kernel-keys-v1 " + purpose.encode()
        return HKDF(SHA256(), 32, salt=None, info=info).derive(self._master)


def load_master_key(folder: Path) -> bytes:
    """Returns the master key of a state folder that this process has locked; makes it once.

    Raises:
        MasterKeyError: The file has another size or cannot be read.
        OSError: It cannot be written.
    """
    path = folder / _FILE
    try:
        master = path.read_bytes()
    except FileNotFoundError:
        master = secrets.token_bytes(MASTER_KEY_BYTES)
        write_private(path, master)
    except OSError as error:
        raise MasterKeyError(f"{path} cannot be read: {error.strerror}") from error
    if len(master) != MASTER_KEY_BYTES:
        raise MasterKeyError(
            f"{path} has {len(master)} bytes, not {MASTER_KEY_BYTES}: restore it from a backup;"
            " without it, remove it, and all tokens and module secrets of this node are new"
        )
    return master


def write_join_secret(path: Path, secret: bytes) -> None:
    """Writes a module's join secret where the module reads it, unless it is there.

    Raises:
        OSError: It cannot be read or written.
    """
    try:
        if path.read_bytes() == secret:
            return
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, secret)
