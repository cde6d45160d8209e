"""`TransactionStatus` of how far a transaction has come."""

from logos.chain.v1 import transaction_pb2 as pb
from logos_chain.core.mempool.types import Stage
from logos_chain.operations.information import Information
from logos_chain.operations.transaction_status import TransactionStatus
from logos_chain.rpc import convert


def from_status(found: TransactionStatus, information: Information) -> pb.TransactionStatus:
    status = found.status
    count = 0 if found.confirmations is None else found.confirmations + 1
    is_waiting = status.stage in {Stage.INCLUDED, Stage.SAFE}
    return pb.TransactionStatus(
        stage=convert.from_stage(status.stage),
        block=status.block or b"",
        height=found.height or 0,
        confirmations=count,
        reason=status.reason or "",
        final_in_ms=information.final_in_ms(count) if is_waiting else 0,
    )
