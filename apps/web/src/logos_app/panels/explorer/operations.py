"""Operations of transactions, in words. Pure."""

from collections.abc import Iterable
from typing import Final

from logos.chain.v1 import transaction_pb2 as pb
from logos_app.panels.chain.words import tokens
from logos_app.shown import formats, words

_SAID: Final = {
    "CHANNEL_CONFIG": "sets who may write to a channel",
    "CHANNEL_DEPOSIT": "gives {inputs} to a channel",
    "CHANNEL_INSCRIBE": "writes {size} to a channel",
    "CHANNEL_TRANSFER": "moves {inputs} of a channel into {outputs}",
    "CHANNEL_WITHDRAW": "takes {inputs} out of a channel",
    "LEADER_CLAIM": "claims the reward of a block, and does not tell of which",
    "SDP_ACTIVE": "tells that a service was active",
    "SDP_DECLARE": "declares a service, and locks a note for it",
    "SDP_WITHDRAW": "withdraws the declaration of a service",
    "TRANSFER": "spends {inputs} and makes {outputs}",
}


def operation_said(operation: pb.Operation) -> str:
    """What an operation does."""
    pattern = _SAID.get(operation.kind)
    if pattern is None:
        return f"does {formats.shown(operation.kind) or 'something that this app does not know'}"
    worth = sum(each.value for each in operation.outputs)
    made = words.counted(len(operation.outputs), "note")
    return pattern.format(
        inputs=words.counted(len(operation.inputs), "note"),
        outputs=f"{made} of {tokens(worth)}" if operation.outputs else made,
        size=formats.size(len(operation.inscription)),
    )


def kinds_said(operations: Iterable[pb.Operation]) -> str:
    """The kinds of operations that a transaction has: `TRANSFER` and three claims."""
    counts: dict[str, int] = {}
    for each in operations:
        kind = formats.shown(each.kind[:40])
        counts[kind] = counts.get(kind, 0) + 1
    named = [kind if count == 1 else f"{count} × {kind}" for kind, count in counts.items()]  # noqa: RUF001
    shown = ", ".join(named[:4])
    return f"{shown} and more" if len(named) > 4 else shown or "nothing"
