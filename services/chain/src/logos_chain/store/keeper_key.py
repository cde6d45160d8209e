"""The key of a registry's keeper in a file, as `logosctl channel key` makes it.

Spec: docs/protocol/rln-registry.md, RLC-12.
"""

import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.registry.errors import KeeperKeyError
from logos_mantle.octets import KEY_BYTES

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_FILE_BYTES: Final = 200


def read_keeper_key(path: Path, public: bytes | None) -> Ed25519PrivateKey:
    """Reads a key; blocks.

    Args:
        path: A file with 64 hexadecimal digits, which others may not read.
        public: The key that the registry's rules name, 32 bytes.

    Raises:
        KeeperKeyError: There is none, others may read it, or it is another one.
    """
    try:
        with path.open("rb") as opened:
            mode, content = path.stat().st_mode, opened.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise KeeperKeyError(f"{path} cannot be read: {error.strerror}") from error
    if mode & _OTHERS:
        raise KeeperKeyError(f"{path}: others may read it; `chmod 600` it, if they have not")
    try:
        raw = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeeperKeyError(f"{path}: not a key, which is 64 hexadecimal digits")
    key = Ed25519PrivateKey.from_private_bytes(raw)
    if key.public_key().public_bytes_raw() != public:
        raise KeeperKeyError(f"{path}: the key is not that of the setting rln_keeper")
    return key
