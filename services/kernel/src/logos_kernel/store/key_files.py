"""The files of a kernel's keys (KER-15, KER-22).

The master key is 32 random bytes: in the kernel's state folder, there encrypted with a
passphrase, or in a file that an engine gives. Whoever has it is this kernel.
"""

import hashlib
import secrets
from pathlib import Path
from typing import Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from logos_base.errors import StateError
from logos_client.private_files import write_private
from logos_kernel.core.types import MASTER_KEY_BYTES

MIN_PASSPHRASE: Final = 8

_FILE: Final = "master.key"
_MAGIC: Final = b"logos-master-v1\n"
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_SCRYPT: Final = {"n": 2**16, "r": 8, "p": 1, "maxmem": 2**27, "dklen": 32}
"""64 MiB and a fifth of a second, once at a start."""


class MasterKeyError(StateError):
    """The master key cannot be used."""

    reason = "MASTER_KEY_UNUSABLE"


def load_master_key(
    folder: Path, *, given: Path | None = None, passphrase: Path | None = None
) -> bytes:
    """Returns the master key of a state folder that this process has locked; makes it once.

    Args:
        folder: The state folder.
        given: A file with the key, 32 bytes, instead of one in the folder.
        passphrase: A file with the passphrase of the one in the folder. A key that stands
            there in clear text is encrypted with it.

    Raises:
        MasterKeyError: A file cannot be read or has another form, or the passphrase is wrong.
        OSError: The key cannot be written.
    """
    if given is not None:
        return _checked(given, _read(given))
    path = folder / _FILE
    content = _read(path) if path.exists() else secrets.token_bytes(MASTER_KEY_BYTES)
    is_encrypted = content.startswith(_MAGIC)
    if passphrase is not None:
        word = _passphrase(passphrase)
        if is_encrypted:
            return _decrypt(path, content[len(_MAGIC) :], word)
        write_private(path, _MAGIC + _encrypt(_checked(path, content), word))
    elif is_encrypted:
        raise MasterKeyError(f"{path} is encrypted: set LOGOS_PASSPHRASE to a file with its word")
    elif not path.exists():
        write_private(path, content)
    return _checked(path, content)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MasterKeyError(f"{path} cannot be read: {error.strerror}") from error


def _checked(path: Path, master: bytes) -> bytes:
    if len(master) != MASTER_KEY_BYTES:
        raise MasterKeyError(
            f"{path} has {len(master)} bytes, not {MASTER_KEY_BYTES}: restore it from a backup;"
            " without it, remove it, and all tokens and module secrets of this node are new"
        )
    return master


def _passphrase(path: Path) -> bytes:
    word = _read(path).strip(b"\r\n")
    if len(word) < MIN_PASSPHRASE:
        raise MasterKeyError(f"{path}: a passphrase has {MIN_PASSPHRASE} bytes at least")
    return word


def _encrypt(master: bytes, word: bytes) -> bytes:
    salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
    key = hashlib.scrypt(word, salt=salt, **_SCRYPT)
    return salt + nonce + crypto_aead_chacha20poly1305_ietf_encrypt(master, _MAGIC, nonce, key)


def _decrypt(path: Path, content: bytes, word: bytes) -> bytes:
    salt, rest = content[:_SALT_BYTES], content[_SALT_BYTES:]
    nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    key = hashlib.scrypt(word, salt=salt, **_SCRYPT)
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(sealed, _MAGIC, nonce, key)
    except (CryptoError, ValueError) as error:
        raise MasterKeyError(f"{path}: the passphrase is wrong, or the file is damaged") from error


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
