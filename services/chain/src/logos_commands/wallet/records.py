"""Notes, entries and sums of a wallet as records of the output."""

from typing import Any, Final

from logos.chain.v1 import wallet_pb2 as pb
from logos_commands.chain.records import stage_name

SUMS: Final = (
    "available",
    "confirmed",
    "safe",
    "final",
    "pending",
    "reserved",
    "locked",
    "in_channels",
    "watched",
)


def balance_record(found: pb.GetBalanceResponse) -> dict[str, Any]:
    """All sums, and up to which block they were counted."""
    sums: dict[str, Any] = {name: getattr(found, name) for name in SUMS}
    return sums | {"height": found.height, "scan_target_height": found.scan_target_height}


def note_record(one: pb.ListNotesResponse.OwnNote) -> dict[str, Any]:
    """A note of the wallet."""
    return {
        "value": one.note.value,
        "id": one.id.hex(),
        "public_key": one.note.public_key.hex(),
        "since_height": one.since_height,
        "state": _state(one),
        "channel": one.channel.hex(),
        "declaration": one.declaration.hex(),
    }


def _state(one: pb.ListNotesResponse.OwnNote) -> str:
    if one.is_watched:
        return "watched"
    if one.channel:
        return "in a channel"
    if one.declaration:
        return "locked"
    return "reserved" if one.is_reserved else "free"


def entry_record(one: pb.ListHistoryResponse.Entry) -> dict[str, Any]:
    """What came and went."""
    return {
        "time": one.time.ToJsonString() if one.HasField("time") else "",
        "height": one.height,
        "received": one.received,
        "spent": one.spent,
        "change": one.received - one.spent,
        "stage": stage_name(one.stage),
        "transaction": one.transaction.hex(),
        "block": one.block.hex(),
        "watched": one.is_watched,
    }
