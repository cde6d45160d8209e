"""The identity key of a node: 32 bytes in a private file (NET-2)."""

from pathlib import Path

from logos_base.errors import ConfigError
from logos_client.private_files import write_private
from logos_mixnet.core.errors import IdentityLostError
from logos_mixnet.core.identity import SECRET_KEY_BYTES, is_valid_secret
from logos_mixnet.store.genesis import random_secret
from logos_module.database import database_files, set_aside_command


def load_or_create_secret(path: Path, *, database: Path, given: bytes | None = None) -> bytes:
    """Returns the secret key in a file, written there first if the node is new.

    The file is complete or absent at any time, and only its owner can read it. It is
    durable before there is a database, so a database without it has lost it.

    Args:
        path: The file.
        database: The node's.
        given: The key of a new node; None: a random one.

    Raises:
        ConfigError: The file holds anything but a secret key.
        IdentityLostError: It is missing beside the database.
    """
    try:
        secret = path.read_bytes()
    except FileNotFoundError as error:
        if files := database_files(database):
            raise IdentityLostError(
                f"{path} is missing, but {database.name} beside it is of a node that had an"
                " identity; restore the key from a backup, set `seed` again if there was one,"
                f" or begin with a new identity: {set_aside_command(database.parent, files)}"
            ) from error
        return _create(path, given)
    if not is_valid_secret(secret):
        raise ConfigError([f"{path}: holds no secret key of {SECRET_KEY_BYTES} bytes"])
    return secret


def _create(path: Path, given: bytes | None) -> bytes:
    secret = random_secret() if given is None else given
    write_private(path, secret)
    return secret
