"""Files with the key of a sequencer, and with its checkpoints beside them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_json
from logos_cli.exits import explained
from logos_cli.session import FormOption, session_of
from logos_client.private_files import create_private, write_private
from logos_zone_sdk.core.places import Checkpoint
from logos_zone_sdk.key_file import read_key

KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="With the key that writes to the channel.")
]


class KeyInUseError(LogosError):
    """Another command writes with the same key."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_KEY_IN_USE"


def key(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Made if it is not there.")],
    output: FormOption = None,
) -> None:
    """Print the public key in a file, for `create --with` at another node."""
    session = session_of(context)
    with explained():
        public = public_key(make_key(file)).hex()
    if session.form(output) is Output.JSON:
        print_json({"key": public})
    else:
        print(public)


def make_key(file: Path) -> Ed25519PrivateKey:
    """Returns the key in a file, which is made with mode 0600 if it is not there.

    Raises:
        KeyFileError, OSError
    """
    made = Ed25519PrivateKey.generate()
    try:
        create_private(file, made.private_bytes_raw().hex().encode() + b"\n")
    except FileExistsError:
        return read_key(file)
    return made


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Keeps a key to one command at a time: two would write each other's messages off (ZON-6).

    Raises:
        KeyInUseError, OSError
    """
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeyInUseError(f"{file}: another command writes with this key") from error
        yield


def public_key(private: Ed25519PrivateKey) -> bytes:
    """Returns the public key, 32 bytes."""
    return private.public_key().public_bytes_raw()


class CheckpointFile:
    """The last checkpoint of a key on one channel, beside the key."""

    def __init__(self, key_file: Path, channel_id: bytes) -> None:
        self.path = key_file.with_name(f"{key_file.name}.{channel_id.hex()[:16]}.checkpoint")

    def read(self) -> Checkpoint | None:
        """Returns it; None: there is none yet; raises `CheckpointMalformedError`, `OSError`."""
        try:
            return Checkpoint.decode(self.path.read_bytes())
        except FileNotFoundError:
            return None

    async def keep(self, checkpoint: Checkpoint) -> None:
        """Replaces it; durable on return; raises `OSError`."""
        write_private(self.path, checkpoint.encode())
