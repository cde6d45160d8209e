"""What a text may mean on the chain: a height or an id, with or without 0x."""

import grpc

from logos_app.panels.chain import client, ids
from logos_app.panels.contract import Found, Place
from logos_app.shown import formats


async def find(at: Place, query: str) -> list[Found]:
    """The pages of a node for a height, or for an id of any kind."""
    identifier, height = ids.id_of(query), ids.number_of(query)
    if identifier is not None:
        return _pages(at, identifier.hex(), await client.known(at.channel, identifier))
    if height is not None:
        block = await client.or_none(client.block(at.channel, height))
        if block is not None:
            return [_block(at, block.summary.point.height, block.summary.point.id.hex())]
    return []


def _block(at: Place, height: int, digits: str) -> Found:
    return Found(f"Block {formats.number(height)}", f"{at.root}block/{digits}")


def _pages(at: Place, digits: str, known: client.Known) -> list[Found]:
    short = formats.short_id(digits)
    found = []
    if known.block is not None:
        found.append(_block(at, known.block.summary.point.height, digits))
    if known.transaction is not None:
        found.append(Found(f"Transaction {short}", f"{at.root}tx/{digits}"))
    if known.note is not None:
        found.append(Found(f"Note {short}", f"{at.root}note/{digits}"))
    if known.channel is not None:
        found.append(Found(f"Channel {short}", f"{at.root}channel/{digits}"))
    return found


async def knows(channel: grpc.aio.Channel, kind: str, identifier: bytes) -> bool:
    """Whether a node has a block, or knows a transaction."""
    try:
        if kind == "block":
            return await client.or_none(client.block(channel, identifier)) is not None
        return await client.status(channel, identifier) is not None
    except grpc.aio.AioRpcError:
        return False
