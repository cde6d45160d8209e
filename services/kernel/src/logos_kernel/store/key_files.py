"""The files of a kernel's keys (KER-15).

The master key is 32 random bytes in the kernel's state folder. Whoever has it is this kernel.
"""

import secrets
from pathlib import Path
from typing import Final

from logos_base.errors import StateError
from logos_client.private_files import write_private
from logos_kernel.core.types import MASTER_KEY_BYTES

_FILE: Final = "master.key"


class MasterKeyError(StateError):
    """The master key cannot be used."""

    reason = "MASTER_KEY_UNUSABLE"


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
