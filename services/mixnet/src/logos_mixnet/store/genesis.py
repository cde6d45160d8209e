"""The genesis of a testnet on disk: its first members, and each one's secrets (RLN-39).

Its job imports this, and has testnets wait for it: it imports little.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logos_client.private_files import write_private
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Identity
from logos_mixnet.core.identity import SECRET_KEY_BYTES, is_valid_secret
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import GenesisDamagedError
from logos_mixnet.core.rln.genesis import MAX_GENESIS_BYTES, decode_members, encode_members
from logos_mixnet.core.rln.signing import is_signed_by

MEMBERS: Final = "members"
"""In the public folder."""
IDENTITY: Final = "identity.key"
MEMBER: Final = "rln.key"
"""In a private folder, and in a node's state."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Those of one node that is a member from the first start on, 32 bytes each."""

    identity: bytes = field(repr=False)
    member: bytes = field(repr=False)

    def write(self, folder: Path) -> None:
        """Writes them, durably and for the node alone."""
        write_private(folder / IDENTITY, self.identity)
        write_private(folder / MEMBER, self.member)


def random_secret() -> bytes:
    """Returns a new secret key of an identity."""
    secret = secrets.token_bytes(SECRET_KEY_BYTES)
    while not is_valid_secret(secret):
        secret = secrets.token_bytes(SECRET_KEY_BYTES)
    return secret


def given_secrets(folder: Path | None, state: Path) -> Secrets | None:
    """Returns the secrets that a node is given, if it has no others and still lacks one.

    Both or none: a peer with another commitment than that of its genesis would have announced
    two, and be out for good (RLN-36).

    Args:
        folder: Its part of the genesis; None, missing or empty if it has none.
        state: Its state.

    Raises:
        GenesisDamagedError: The folder holds anything but both.
    """
    kept = {name: _read(state / name) for name in (IDENTITY, MEMBER)}
    if folder is None or None not in kept.values():
        return None
    given = {name: _read(folder / name) for name in kept}
    if set(given.values()) == {None}:
        return None
    found = Secrets(given[IDENTITY] or b"", given[MEMBER] or b"")
    if not (is_valid_secret(found.identity) and _is_member(found.member)):
        raise GenesisDamagedError(
            f"{folder}: does not hold the two secrets of a member; purge the testnet, or empty"
            " this folder, and the node begins with secrets of its own"
        )
    return found if all(kept[each] in {None, given[each]} for each in kept) else None


def write_members(folder: Path, announcements: Iterable[Announcement]) -> None:
    """Writes the file that every node reads."""
    (folder / MEMBERS).write_bytes(encode_members(announcements))


def first_members(
    folder: Path | None, *, peer_id: bytes, commitment: bytes, limit: int
) -> tuple[Announcement, ...]:
    """Returns whom a node knows as members from its first start on; none unless it is one.

    Args:
        folder: The genesis; None, missing or empty if there is none.
        peer_id: The node's.
        commitment: The node's.
        limit: The network's. Members with another one are left out.

    Raises:
        GenesisDamagedError: The file was changed.
    """
    if folder is None:
        return ()
    path = folder / MEMBERS
    try:
        with path.open("rb") as file:
            members = decode_members(file.read(MAX_GENESIS_BYTES + 1), is_signed_by)
    except FileNotFoundError:
        return ()
    except GenesisDamagedError as error:
        raise GenesisDamagedError(
            f"{path}: {error}; purge the testnet, or remove this file, and nodes become members"
            " by announcing themselves"
        ) from error
    found = tuple(each for each in members if each.limit == limit)
    is_one = any((each.peer_id, each.commitment) == (peer_id, commitment) for each in found)
    return found if is_one else ()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _is_member(secret: bytes) -> bool:
    try:
        Identity.from_secret(secret)
    except RefusedError:
        return False
    return True
