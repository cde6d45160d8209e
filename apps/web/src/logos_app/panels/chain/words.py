"""How both panels say amounts, stages and reasons. Pure."""

from typing import Final

from logos.chain.v1 import transaction_pb2 as pb
from logos_app.shown import formats, words

_DROPPED: Final = {
    "ALREADY_INCLUDED": "a block has it already",
    "BUSY": "the node had too much to verify",
    "CHANNEL_NOTE": "a note that it spends belongs to a channel now",
    "CONFLICT": "another transaction spends the same, and came first",
    "DUPLICATE_NULLIFIER": "its voucher was claimed already",
    "DUPLICATE_NOTE": "a note that it makes is there already",
    "EXPIRED": "no block took it for three hours",
    "FEE_TOO_LOW": "prices have risen above its fee",
    "INVALID_PROOF": "a proof of it does not hold",
    "LOCKED_NOTE": "a note that it spends is locked now",
    "MEMPOOL_FULL": "the mempool was full, and others pay more",
    "NO_REWARD": "there is no reward to claim",
    "REPLAYED_CONFIGURATION": "its channel has this configuration already",
    "SPENT_NOTE": "another transaction has spent a note of it",
    "TOO_MANY_ANCESTORS": "it follows too many that wait",
    "UNKNOWN_NOTE": "a note that it spends is not there",
    "WRONG_CHANNEL_PARENT": "another message came first on its channel",
    "WRONG_REWARDS_ROOT": "a new epoch has begun since it was made",
}
_STAGES: Final[dict[int, str]] = {
    pb.TRANSACTION_STAGE_PENDING: "waits",
    pb.TRANSACTION_STAGE_INCLUDED: "in a block",
    pb.TRANSACTION_STAGE_SAFE: "safe",
    pb.TRANSACTION_STAGE_FINAL: "final",
    pb.TRANSACTION_STAGE_DROPPED: "dropped",
}
_PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")


def tokens(value: int) -> str:
    """`1,204 tokens`, `1 token`."""
    return f"{formats.number(value)} token{'' if value == 1 else 's'}"


def tokens_shortly(value: int) -> str:
    """An amount where there is little room: `9,204`, `1.2 M`, `18.4 E`; never more than it is."""
    if value < 100_000:
        return formats.number(value)
    power = (len(str(value)) - 1) // 3
    tenths = value // 10 ** (3 * power - 1)
    whole, tenth = divmod(tenths, 10)
    return f"{whole}{f'.{tenth}' if tenth else ''} {_PREFIXES[power]}"


def change(received: int, spent: int) -> str:
    """`+12`, or a minus before it: what a transaction has done to the wallet."""
    value = received - spent
    sign = "−" if value < 0 else "+" if value else ""  # noqa: RUF001 - a minus sign
    return f"{sign}{formats.number(abs(value))}"


def stage_word(stage: int) -> str:
    """A stage in a word."""
    return _STAGES.get(stage, "not known yet")


def is_over(status: pb.TransactionStatus | None) -> bool:
    """Whether nothing more becomes of a transaction."""
    return status is not None and status.stage in {
        pb.TRANSACTION_STAGE_FINAL,
        pb.TRANSACTION_STAGE_DROPPED,
    }


def status_said(status: pb.TransactionStatus | None) -> str:
    """How far a transaction has come, without a subject: `waits for a block`."""
    if status is None:
        return "is not known here"
    match status.stage:
        case pb.TRANSACTION_STAGE_PENDING:
            return "waits for a block"
        case pb.TRANSACTION_STAGE_INCLUDED | pb.TRANSACTION_STAGE_SAFE:
            is_safe = status.stage == pb.TRANSACTION_STAGE_SAFE
            where = f"is {'safe ' if is_safe else ''}in block {formats.number(status.height)}"
            count = words.counted(status.confirmations, "confirmation")
            return f"{where}, with {count}{_final_in(status)}"
        case pb.TRANSACTION_STAGE_FINAL:
            return f"is final, in block {formats.number(status.height)}"
        case pb.TRANSACTION_STAGE_DROPPED:
            return f"was dropped: {dropped_because(status.reason)}"
    return "is not known here"


def _final_in(status: pb.TransactionStatus) -> str:
    if not status.final_in_ms:
        return ""
    return f", and final in about {formats.about(status.final_in_ms)}"


def dropped_because(reason: str) -> str:
    """Why a transaction was dropped."""
    return _DROPPED.get(reason, "it breaks a rule of the ledger")


def text_of(raw: bytes, most: int = 400) -> str:
    """Bytes for people: their text, or how many they are."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return f"{formats.size(len(raw))} that are not text"
    parts = [formats.shown(text[at : at + 200]) for at in range(0, most, 200)]
    return "".join(parts) + ("…" if len(text) > most else "")
