"""`logosctl chain checkpoint`: exports one from a node, and shows what a file is.

What comes is hashed as it goes, and nothing is put in place unless it is whole.
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final, Self

import grpc
import typer

from logos.chain.v1 import admin_pb2
from logos.chain.v1.admin_pb2_grpc import ChainAdminStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_json, stderr
from logos_cli.exits import explained
from logos_cli.outputs import output_to
from logos_cli.session import FormOption, session_of

command: Final = typer.Typer(
    help="A chain at its newest final block as a file, for a node to begin with.",
    no_args_is_help=True,
)

HASH_BYTES: Final = 32
PIECE_BYTES: Final = 1024 * 1024
_MAGIC: Final = b"LOGOSCKP"
_VERSION: Final = 1
_HEAD_BYTES: Final = len(_MAGIC) + 1 + 3 * HASH_BYTES + 2 * 8
_TRUST: Final = (
    "who begins with it trusts it: compare the hash with those of other people's nodes first"
)


class CheckpointUnusableError(LogosError):
    """The bytes are no whole checkpoint that this release knows."""

    kind = ErrorKind.DATA_LOSS
    reason = "CHECKPOINT_UNUSABLE"


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a checkpoint (CKP-2)."""

    genesis: bytes
    specification: bytes
    block: bytes
    height: int
    slot: int

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Reads it from a file's first bytes; raises `CheckpointUnusableError`."""
        if not raw.startswith(_MAGIC):
            raise CheckpointUnusableError("it is no checkpoint of a chain")
        if raw[len(_MAGIC) : len(_MAGIC) + 1] != bytes([_VERSION]):
            raise CheckpointUnusableError("it is a checkpoint of a version that is not known here")
        if len(raw) < _HEAD_BYTES:
            raise CheckpointUnusableError("it ends too early")
        at = [len(_MAGIC) + 1 + HASH_BYTES * each for each in range(3)]
        genesis, specification, block = (raw[each : each + HASH_BYTES] for each in at)
        height, slot = raw[_HEAD_BYTES - 16 :][:8], raw[_HEAD_BYTES - 8 :][:8]
        return cls(
            genesis,
            specification,
            block,
            int.from_bytes(height, "little"),
            int.from_bytes(slot, "little"),
        )


class Sums:
    """What of a checkpoint is looked at while its bytes pass. Memory: a piece."""

    def __init__(self) -> None:
        self._hashed = blake2b(digest_size=HASH_BYTES)
        self._first = b""
        self._last = b""
        self._size = 0

    def take(self, piece: bytes) -> None:
        """Takes the next bytes; the last 32 are the hash of those before."""
        self._first += piece[: _HEAD_BYTES - len(self._first)]
        self._size += len(piece)
        held = self._last + piece
        self._hashed.update(held[:-HASH_BYTES])
        self._last = held[-HASH_BYTES:]

    def record(self) -> dict[str, Any]:
        """Returns what the checkpoint is; raises `CheckpointUnusableError` unless it is whole."""
        head = Head.read(self._first)
        if self._last != self._hashed.digest():
            raise CheckpointUnusableError("it was altered or cut off: its hash is another")
        return {
            "hash": self._last.hex(),
            "height": head.height,
            "slot": head.slot,
            "block": head.block.hex(),
            "genesis_id": head.genesis.hex(),
            "spec_hash": head.specification.hex(),
            "size_bytes": self._size,
        }


@command.command("export")
def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="To be written; - is stdout.")],
    output: FormOption = None,
) -> None:
    """Export the node's chain at its newest final block."""
    session = session_of(context)

    async def work(channel: grpc.aio.Channel) -> dict[str, Any]:
        sums = Sums()
        call = ChainAdminStub(channel).ExportCheckpoint(admin_pb2.ExportCheckpointRequest())
        async with output_to(file) as opened:
            async for response in call:
                if response.WhichOneof("part") == "chunk":
                    sums.take(response.chunk)
                    await opened.write(response.chunk)
            return sums.record()

    record = session.call(work)
    if file != "-":  # else stdout has the checkpoint itself
        _print(record, session.form(output))
    stderr().print(f"checkpoint {record['hash']}: {_TRUST}", markup=False, highlight=False)


@command.command("show")
def show(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint.")],
    output: FormOption = None,
) -> None:
    """Show what a checkpoint is, and whether the file is whole; without a node."""
    session = session_of(context)
    with explained(str(file)):
        record = _sums_of(file).record()
    _print(record, session.form(output))


def _print(record: dict[str, Any], form: Output) -> None:
    if form is Output.JSON:
        print_json(record)
        return
    for name, value in record.items():
        print(f"{name.replace('_', ' '):>10}  {value}")


def _sums_of(file: Path) -> Sums:
    sums = Sums()
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            sums.take(piece)
    return sums
