"""The folder of a node: its key, its profile, and the environment of its kernel."""

import secrets
from pathlib import Path

from flags import Flags, FlagsError, level_of
from node_profile import NodeProfile, profile_of

from logos_client.private_files import write_private

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1: a key is from 1 to below this."""
IDENTITY = Path("modules", "mixnet", "identity.key")
"""Where the network module has its key (NET-2)."""
OPERATOR_TOKEN = Path("kernel", "operator.token")
"""Where the kernel has the token of who operates it (KER-31)."""
FRONT = "front.sock"


def prepared(
    flags: Flags,
    folder: Path,
    sockets: Path,
    *,
    is_reliable: bool | None = None,
    is_enclosed: bool = False,
) -> dict[str, str]:
    """Writes the key and the profile of a node; returns the environment of its kernel.

    Args:
        flags: What was asked for.
        folder: Of the node's state; what is there of an earlier node is kept.
        sockets: An existing folder with a short path.
        is_reliable: Whether store nodes are asked for what was sent; None: as the preset says.
        is_enclosed: Whether it is alone in a container (DHT-2).

    Raises:
        FlagsError: A flag cannot be used.
    """
    profile = written(flags, folder, is_reliable=is_reliable, is_enclosed=is_enclosed)
    (folder / "profile.toml").write_text(profile.text(), encoding="utf-8")
    return {
        "LOGOS_PROFILE": str(folder / "profile.toml"),
        "LOGOS_STATE_DIR": str(folder / "kernel"),
        "LOGOS_FRONT": f"unix:{sockets / FRONT}",
        "LOGOS_LISTEN": f"unix:{sockets / 'kernel.sock'}",
        "LOGOS_RUN_DIR": str(sockets),
        "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
        "LOGOS_MODULES_LOG_DIR": str(folder / "logs"),
        "LOGOS_LOG_LEVEL": level_of(flags),
        "PYTHONSAFEPATH": "1",
    }


def written(
    flags: Flags, folder: Path, *, is_reliable: bool | None = None, is_enclosed: bool = False
) -> NodeProfile:
    """Makes the folders and the key of a node; returns its profile. FlagsError."""
    for name in ("kernel", "modules", "logs", str(IDENTITY.parent)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _keep_key(flags, folder / IDENTITY)
    return profile_of(flags, is_reliable=is_reliable, is_enclosed=is_enclosed)


def _keep_key(flags: Flags, path: Path) -> None:
    """Writes the key of the node: as it is given, else as it was before, else a new one."""
    if flags.nodekey:
        secret = bytes.fromhex(flags.nodekey)
        if not 0 < int.from_bytes(secret, "big") < ORDER:
            raise FlagsError("--nodekey: not a key of secp256k1")
    elif path.exists():
        return
    else:
        secret = (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")
    if not path.exists() or path.read_bytes() != secret:
        write_private(path, secret)
