"""A process that writes a chain until it is killed; `python chain_store_writer.py FILE`.

For each line that it is sent it forks one writer, tells its id, and tells when it has ended.
Writers tell what they were told is durable: `final HEIGHT`, `added ID`.
"""

import os
from pathlib import Path

from chain_store import Author, opened
from chain_writers import forked, say

from logos_chain.store.sql import SqlChainStore


async def resumed(store: SqlChainStore) -> Author:
    author = Author()
    found = await store.load()
    if found is None:
        await store.begin(author.genesis, author.settled)
        say("final 0")
        return author
    author.state, author.head, author.root = found.state, found.head, found.root
    newest = await store.block(found.root.id)
    assert newest is not None
    author.kept = {each.id: each for each in (newest, *await store.unsettled(0, 1000))}
    return author


async def write(place: Path) -> None:
    async with opened(place) as store:
        author = await resumed(store)
        while True:
            older = [each for each in author.kept.values() if each.id != author.root.id]
            chain = [author.block(author.root.id, os.getpid())]
            chain.append(author.block(chain[0].id, "next"))
            fork = author.block(author.root.id, f"fork {os.getpid()}")
            for block in (*chain, fork):
                await store.add(block)
                say(f"added {block.id.hex()}")
            cut = [each.id for each in (*older, fork)]
            await store.settle(author.execute(chain), cut)
            say(f"final {author.root.height}")
            author.kept = {chain[-1].id: chain[-1]}


if __name__ == "__main__":
    forked(write)
