"""The key of a registry's keeper in a file, as `logosctl channel key` makes it.

Spec: docs/protocol/rln-registry.md, RLC-12.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.registry.errors import KeeperKeyError
from logos_zone_sdk.key_file import KeyFileError, read_key


def read_keeper_key(path: Path, public: bytes | None) -> Ed25519PrivateKey:
    """Reads a key; blocks.

    Args:
        path: A file with 64 hexadecimal digits, which others may not read.
        public: The key that the registry's rules name, 32 bytes.

    Raises:
        KeeperKeyError: There is none, others may read it, or it is another one.
    """
    try:
        key = read_key(path)
    except OSError as error:
        raise KeeperKeyError(f"{path} cannot be read: {error.strerror}") from error
    except KeyFileError as error:
        raise KeeperKeyError(str(error)) from error
    if key.public_key().public_bytes_raw() != public:
        raise KeeperKeyError(f"{path}: the key is not that of the setting rln_keeper")
    return key
