"""The secret of a node as a member: a private file beside its identity, or of a seed (RLN-24)."""

from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError
from logos_client.private_files import write_private
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Identity
from logos_mixnet.core.identity import seeded_secret

_SEED_LABEL: Final = "rln "


def load_or_create_member(path: Path, *, given: bytes | None = None) -> Identity:
    """Returns the identity whose secret a file holds, written there first if there is none.

    Args:
        path: The file.
        given: The secret that is written; None: a random one.

    Raises:
        ConfigError: The file holds anything but a secret.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        identity = Identity.random() if given is None else Identity.from_secret(given)
        write_private(path, identity.secret())
        return identity
    try:
        return Identity.from_secret(raw)
    except RefusedError as error:
        raise ConfigError([f"{path}: holds no secret of a member: {error}"]) from error


def seeded_member(seed: int, node: str) -> Identity:
    """Returns the identity of a node of a seeded testnet; anyone with the seed can make it."""
    return Identity.from_seed(seeded_secret(seed, _SEED_LABEL + node))
