"""Pages about one thing: a block, a transaction; as they are, and as they change."""

from collections import OrderedDict
from typing import Any, Final

import grpc
from starlette.responses import Response

from logos.chain.v1 import chain_pb2 as pb
from logos_app.clock import now_ms
from logos_app.panels.chain import client, ids
from logos_app.panels.chain import words as chain_words
from logos_app.panels.chain.following import chain_of
from logos_app.panels.contract import At, Place
from logos_app.panels.explorer import operations, words
from logos_app.shown.problems import Problem

OPERATIONS: Final = 5
"""Of a transaction, on a page: each has up to 255 notes on either side."""
LOOKED_AGAIN_MS: Final = 2_000
_REMEMBERED: Final = 100
_WORDS: Final = {"words": words, "said": chain_words, "doing": operations}


async def block_page(at: At, identifier: bytes, token: str, picked: str = "") -> Response:
    """A block with a page of its transactions. `picked`: why this node, where none is named."""
    try:
        block = await client.block(at.channel, identifier)
        listed, older = await client.transactions_of(at.channel, identifier, token)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    return at.page(
        "block.html",
        topics=(f"{at.panel.slug}:{at.node}:block-{identifier.hex()}",),
        transactions=listed,
        older=older,
        token=token,
        picked=picked,
        **_block_view(at, block),
    )


def _block_view(at: Place, block: pb.GetBlockResponse) -> dict[str, Any]:
    seen = chain_of(at)
    return {
        **_WORDS,
        "block": block,
        "seen": seen,
        "sentence": words.block_sentence(block, seen),
        "state": words.block_state(block.summary, seen),
    }


async def transaction_page(at: At, hash_: bytes, page: int, picked: str = "") -> Response:
    """A transaction: how far it has come, and what its operations do."""
    try:
        found = await client.transaction(at.channel, hash_)
    except grpc.aio.AioRpcError as error:
        return at.failed(error, 404)
    every = found.transaction.operations
    first = min(page, max(len(every) - 1, 0) // OPERATIONS) * OPERATIONS
    return at.page(
        "transaction.html",
        topics=(f"{at.panel.slug}:{at.node}:tx-{hash_.hex()}",),
        hash=hash_.hex(),
        transaction=found.transaction if found.HasField("transaction") else None,
        operations=every[first : first + OPERATIONS],
        first=first,
        number=first // OPERATIONS,
        is_last=first + OPERATIONS >= len(every),
        picked=picked,
        **_transaction_view(found),
    )


def _transaction_view(found: pb.GetTransactionResponse) -> dict[str, Any]:
    said = chain_words.status_said(found.status)
    return {**_WORDS, "far": found.status, "sentence": f"The transaction {said}."}


def thing_of(thing: str) -> tuple[str, bytes] | None:
    """What a topic is about: a kind and an id; None if it is about nothing that changes."""
    kind, _, digits = thing.partition("-")
    identifier = ids.id_of(digits)
    return (kind, identifier) if kind in {"block", "tx"} and identifier is not None else None


async def live_of(at: Place, thing: str) -> str:
    """The part of a page about one thing, anew when the chain has moved, or every two seconds."""
    about = thing_of(thing)
    if about is None:
        return ""
    kept: OrderedDict[str, tuple[bytes, int, str]] = at.kept(OrderedDict())
    at.keep(kept)
    tip = chain_of(at).tip
    place = b"" if tip is None else tip.id
    if thing in kept and kept[thing][0] == place:
        _, asked_ms, text = kept[thing]
        if now_ms() - asked_ms < LOOKED_AGAIN_MS:
            return text
    text = await _part(at, *about)
    kept[thing] = (place, now_ms(), text)
    kept.move_to_end(thing)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
    return text


async def _part(at: Place, kind: str, identifier: bytes) -> str:
    if kind == "block":
        block = await client.block(at.channel, identifier)
        return at.partial("block_part.html", **_block_view(at, block))
    found = await client.or_none(client.transaction(at.channel, identifier))
    if found is None:
        return ""
    return at.partial("transaction_part.html", **_transaction_view(found))


def not_an_id(what: str) -> Problem:
    """What is said of an address with something that is no id."""
    return Problem(f"This is no id of {what}: one has 64 hexadecimal digits.", "INVALID_ID")
