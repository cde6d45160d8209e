"""Files with the secret of a channel's key, as `logosctl channel key` makes them."""

import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import ErrorKind, LogosError
from logos_mantle.octets import KEY_BYTES

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MAX_FILE_BYTES: Final = 200


class KeyFileError(LogosError):
    """A file that should have a channel's key, and has none, or shows it to others."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ZONE_KEY_FILE"


def read_key(file: Path) -> Ed25519PrivateKey:
    """Returns the key in a file: 64 hexadecimal digits, which others may not read. Blocks.

    Raises:
        KeyFileError, OSError
    """
    with file.open("rb") as opened:
        mode, content = file.stat().st_mode, opened.read(_MAX_FILE_BYTES)
    if mode & _OTHERS:
        raise KeyFileError(f"{file}: others may read it; `chmod 600` it, if they have not")
    try:
        raw = bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise KeyFileError(f"{file}: not a key, which is 64 hexadecimal digits")
    return Ed25519PrivateKey.from_private_bytes(raw)
