"""The identity key of a node: 32 bytes in a private file (NET-2)."""

import os
import secrets
from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError
from logos_mixnet.core.identity import SECRET_KEY_BYTES, is_valid_secret

PRIVATE: Final = 0o600


def load_or_create_secret(path: Path) -> bytes:
    """Returns the secret key in a file, written there first if there is none.

    The file is complete or absent at any time, and only its owner can read it.

    Raises:
        ConfigError: The file holds anything but a secret key.
    """
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return _create(path)
    if not is_valid_secret(secret):
        raise ConfigError([f"{path}: holds no secret key of {SECRET_KEY_BYTES} bytes"])
    return secret


def _create(path: Path) -> bytes:
    secret = secrets.token_bytes(SECRET_KEY_BYTES)
    while not is_valid_secret(secret):
        secret = secrets.token_bytes(SECRET_KEY_BYTES)
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return secret
