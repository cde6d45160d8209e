"""Blocks, transactions and statuses as records of the output; ids on the command line."""

from typing import Annotated, Any, Final

import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_cli.console import sized

ADVICE: Final = {
    "BLOCK_UNKNOWN": "`logosctl chain blocks` lists those of the chain",
    "TRANSACTION_UNKNOWN": "it never came here, or was dropped long ago; `logosctl chain mempool`",
    "NOTE_UNKNOWN": "it was spent: `logosctl wallet notes` lists those that are not",
    "CURSOR_UNKNOWN": "begin without --after",
    "WALLET_FUNDS_INSUFFICIENT": "`logosctl wallet faucet` asks for tokens, on a testnet",
    "NO_FAUCET": "a testnet has one unless its setting `genesis_faucet` is 0",
    "WALLET_VOUCHER_UNAVAILABLE": "rewards can be claimed once the epoch of the block has ended",
    "START_OVER_ALONE": "connect it to the side that stays: `logosctl peers --connected`",
    "START_OVER_CHECKPOINT": "take one of the side that stays, or take the setting away",
    "CHAIN_DOWNLOADING": "wait until it has downloaded the chain: `logosctl chain info`",
}
"""What to do about an error, by its reason."""
ID_DIGITS: Final = 64
DROPPED: Final = "DROPPED"
MAX_U64: Final = 2**64 - 1


def to_id(text: str) -> bytes:
    """Reads 64 hexadecimal digits, with or without 0x; raises `BadParameter`."""
    digits = text.strip().removeprefix("0x").removeprefix("0X")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(digits) != ID_DIGITS or len(raw) != ID_DIGITS // 2:
        raise typer.BadParameter(f"{ID_DIGITS} hexadecimal digits, with or without 0x")
    return raw


def an_id(text: str) -> str:
    """Refuses what is no id; for the callback of an argument."""
    to_id(text)
    return text


def an_id_or_none(text: str) -> str:
    """Refuses what is neither an id nor empty; for the callback of an argument or option."""
    return an_id(text) if text else text


HashArgument = Annotated[
    str, typer.Argument(metavar="HASH", help="64 hexadecimal digits.", callback=an_id)
]


def point_record(point: pb.BlockPoint) -> dict[str, Any]:
    """Where a block is."""
    return {"id": point.id.hex(), "height": point.height, "slot": point.slot}


def block_record(block: pb.BlockSummary) -> dict[str, Any]:
    """A block in a line."""
    return {
        **point_record(block.point),
        "time": block.time.ToJsonString(),
        "transactions": block.transactions,
        "size_bytes": block.size_bytes,
        "size": sized(block.size_bytes),
        "parent": block.parent.hex(),
        "state": "final" if block.is_final else "on chain" if block.is_on_chain else "fork",
    }


def transaction_record(one: transaction_pb2.Transaction) -> dict[str, Any]:
    """A transaction."""
    record = {
        "hash": one.hash.hex(),
        "operations": [operation_record(each) for each in one.operations],
        "size_bytes": one.size_bytes,
        "execution_gas": one.execution_gas,
    }
    return record | ({"raw": one.raw.hex()} if one.raw else {})


def operation_record(one: transaction_pb2.Operation) -> dict[str, Any]:
    """An operation; what it does not have is left out."""
    outputs = [
        {"id": id_.hex(), "value": note.value, "public_key": note.public_key.hex()}
        for id_, note in zip(one.output_ids, one.outputs, strict=True)
    ]
    fields: dict[str, Any] = {
        "kind": one.kind,
        "inputs": [each.hex() for each in one.inputs],
        "outputs": outputs,
        "channel": one.channel.hex(),
        "inscription_bytes": len(one.inscription),
    }
    return {name: value for name, value in fields.items() if value}


def kinds_said(one: dict[str, Any]) -> str:
    """The operations of a transaction for people, e.g. `TRANSFER, LEADER_CLAIM`."""
    return ", ".join(each["kind"] for each in one["operations"])


def stage_name(stage: "transaction_pb2.TransactionStage.ValueType") -> str:
    """The name of a stage, e.g. `INCLUDED`."""
    if stage not in transaction_pb2.TransactionStage.values():
        return str(stage)  # of a newer node
    name: str = transaction_pb2.TransactionStage.Name(stage)
    return name.removeprefix("TRANSACTION_STAGE_")


def status_record(status: transaction_pb2.TransactionStatus) -> dict[str, Any]:
    """How far a transaction has come."""
    return {
        "stage": stage_name(status.stage),
        "block": status.block.hex(),
        "height": status.height,
        "confirmations": status.confirmations,
        "final_in_s": -(-status.final_in_ms // 1000),
        "reason": status.reason,
    }


def status_said(record: dict[str, Any]) -> str:
    """How far a transaction has come, in a sentence."""
    match record["stage"]:
        case "PENDING":
            return "it waits for a block"
        case "DROPPED":
            return f"it will not come: {record['reason']}"
        case "FINAL":
            return f"it is final, in block {record['height']}"
        case "INCLUDED":
            return f"it is in {_depth(record)}"
        case "SAFE":
            return f"it is safe in {_depth(record)}"
        case stage:
            return f"it is {stage}"


def _depth(record: dict[str, Any]) -> str:
    wait = f", final in about {record['final_in_s']} s" if record["final_in_s"] else ""
    count = record["confirmations"]
    plural = "" if count == 1 else "s"
    return f"block {record['height']}, {count} confirmation{plural}{wait}"
