"""Between the contract's messages and the core's values."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.errors import IdInvalidError
from logos_chain.core.mempool.types import Stage
from logos_chain.operations.exploring import BlockView
from logos_mantle.channels import ChannelInscribe, ChannelTransfer
from logos_mantle.fees import total_execution_gas
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, encode_operation, operation_id
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

ID_BYTES: Final = 32

_STAGES: Final = {
    Stage.PENDING: transaction_pb2.TRANSACTION_STAGE_PENDING,
    Stage.INCLUDED: transaction_pb2.TRANSACTION_STAGE_INCLUDED,
    Stage.SAFE: transaction_pb2.TRANSACTION_STAGE_SAFE,
    Stage.FINAL: transaction_pb2.TRANSACTION_STAGE_FINAL,
    Stage.DROPPED: transaction_pb2.TRANSACTION_STAGE_DROPPED,
}


def identifier(raw: bytes, field: str) -> bytes:
    """Returns an id of 32 bytes; raises `IdInvalidError`."""
    if len(raw) != ID_BYTES:
        raise IdInvalidError(f"32 bytes, not {len(raw)}", field=field)
    return raw


def at(unix_ms: int) -> Timestamp:
    """Returns a time; Unix milliseconds."""
    stamp = Timestamp()
    stamp.FromMilliseconds(unix_ms)
    return stamp


def from_stage(stage: Stage) -> "transaction_pb2.TransactionStage.ValueType":
    return _STAGES[stage]


def from_tree(block: TreeBlock) -> pb.BlockPoint:
    return pb.BlockPoint(id=block.id, height=block.height, slot=block.slot)


def from_view(view: BlockView) -> pb.BlockSummary:
    outline = view.outline
    return pb.BlockSummary(
        point=pb.BlockPoint(id=outline.id, height=outline.height, slot=outline.slot),
        parent=outline.parent,
        time=at(view.time_ms),
        transactions=outline.transactions,
        size_bytes=outline.size_bytes,
        is_final=view.is_final,
        is_on_chain=view.is_on_chain,
    )


def from_note(note: Note) -> transaction_pb2.Note:
    return transaction_pb2.Note(value=note.value, public_key=note.public_key)


def from_transaction(
    signed: SignedTransaction, *, with_raw: bool = False
) -> transaction_pb2.Transaction:
    encoded = signed.encoded
    return transaction_pb2.Transaction(
        hash=signed.hash,
        operations=[from_operation(each) for each in signed.transaction.operations],
        size_bytes=len(encoded),
        execution_gas=total_execution_gas(signed),
        raw=encoded if with_raw else b"",
    )


def from_operation(operation: Operation) -> transaction_pb2.Operation:
    """Returns what people look at; what an operation does not have stays empty."""
    outputs = operation.outputs if isinstance(operation, Transfer | ChannelTransfer) else ()
    made_by = operation_id(operation) if outputs else b""
    return transaction_pb2.Operation(
        kind=operation.opcode.name,
        inputs=getattr(operation, "inputs", ()),
        outputs=[from_note(each) for each in outputs],
        output_ids=[note_id(made_by, place, each) for place, each in enumerate(outputs)],
        channel=getattr(operation, "channel", b""),
        inscription=operation.inscription if isinstance(operation, ChannelInscribe) else b"",
        raw=encode_operation(operation),
    )
