"""`python compat/logos-delivery --flag=value …`: a node that is started as the reference is.

Its state is in the folder that `LOGOS_DELIVERY_DIR` names, else in `logos-delivery` here. With
`LOGOS_DELIVERY_ENCLOSED`, as in its image, it is alone in a container (DHT-2).
"""

import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from flags import Flags, FlagsError, level_of, parse, told
from node_profile import address_of, profile_of

from logos_client.private_files import write_private
from logos_module.process import STOPPING

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1: a key is from 1 to below this."""
IDENTITY = Path("modules", "mixnet", "identity.key")
"""Where the network module has its key (NET-2)."""


ENCLOSED = "LOGOS_DELIVERY_ENCLOSED"
ATTACH_S = 4.0
"""For a network to be attached to this container, as is done right after its start."""


def main(arguments: list[str]) -> int:
    """Starts the kernel in the place of this process; returns 2 if it cannot.

    A signal to stop that comes before the kernel takes signals waits until then: the first process
    of a container would not hear it.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    folder = Path(os.environ.get("LOGOS_DELIVERY_DIR", "logos-delivery")).absolute()
    try:
        flags = parse(arguments)
        told(flags)
        if ENCLOSED in os.environ:
            await_address(address_of(flags), ATTACH_S)
        variables = prepared(flags, folder, Path(tempfile.mkdtemp(prefix="ld")))
    except FlagsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    command = [sys.executable, "-m", "logos_kernel"]
    os.execve(sys.executable, command, {**os.environ, **variables})  # noqa: S606 -- our own
    return 0  # this process is the kernel by then


def await_address(address: str, limit_s: float) -> None:
    """Waits until an address is this machine's, or the time is over.

    What is dialled before leaves by another network, and hangs.
    """
    end = time.monotonic() + limit_s
    while address and not _is_ours(address) and time.monotonic() < end:
        time.sleep(0.05)


def _is_ours(address: str) -> bool:
    try:
        with socket.socket() as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True


def prepared(flags: Flags, folder: Path, sockets: Path) -> dict[str, str]:
    """Writes the key and the profile of a node; returns the environment of its kernel.

    Raises FlagsError.
    """
    for name in ("kernel", "modules", "logs", str(IDENTITY.parent)):
        (folder / name).mkdir(parents=True, exist_ok=True)
    secret = _secret(flags, folder / IDENTITY)
    profile = profile_of(flags, secret, is_enclosed=ENCLOSED in os.environ)
    (folder / "profile.toml").write_text(profile.text(), encoding="utf-8")
    return {
        "LOGOS_PROFILE": str(folder / "profile.toml"),
        "LOGOS_STATE_DIR": str(folder / "kernel"),
        "LOGOS_FRONT": f"unix:{sockets / 'front.sock'}",
        "LOGOS_LISTEN": f"unix:{sockets / 'kernel.sock'}",
        "LOGOS_RUN_DIR": str(sockets),
        "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
        "LOGOS_MODULES_LOG_DIR": str(folder / "logs"),
        "LOGOS_LOG_LEVEL": level_of(flags),
        "PYTHONSAFEPATH": "1",
    }


def _secret(flags: Flags, path: Path) -> bytes:
    """The key of the node: as it is given, else as it was before, else a new one."""
    if flags.nodekey:
        secret = bytes.fromhex(flags.nodekey)
        if not 0 < int.from_bytes(secret, "big") < ORDER:
            raise FlagsError("--nodekey: not a key of secp256k1")
    elif path.exists():
        return path.read_bytes()
    else:
        secret = (secrets.randbelow(ORDER - 1) + 1).to_bytes(32, "big")
    if not path.exists() or path.read_bytes() != secret:
        write_private(path, secret)
    return secret


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
