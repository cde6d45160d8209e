"""A member that spends ids as fast as it can, and says which: to be killed.

python rln_spender.py FOLDER PERIOD_MS LIMIT listed|announced
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mixnet_rln import Node, has_signed

from logos_base.errors import LogosError
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.net.clock import unix_ms
from logos_mixnet.operations.rln import RlnMember, RlnOperations
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.rln_secret import load_or_create_member
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import open_database


async def main(folder: Path, period_ms: int, limit: int, how: str) -> None:
    ada, epochs = Node.named("ada"), Epochs(period_ms)
    identity = load_or_create_member(folder / "rln.key")
    member = RlnMember(identity, ada.peer_id, ada.sign, has_signed, limit, epochs)
    async with (
        open_database(folder / "mixnet.sqlite", SCHEMA) as database,
        asyncio.TaskGroup() as tasks,
    ):
        listed = [identity.commitment] if how == "listed" else []
        members = SqlMembers(database, genesis=listed, is_open=not listed)
        spender = RlnOperations(
            member, members, lambda name: SqlMessageIdStore(database, name), unix_ms
        )
        await spender.load()
        tasks.create_task(spender.run())
        number = 0
        while True:
            number += 1
            try:
                proof = await spender.prove(number.to_bytes(8, "big"), Purpose.OWN)
            except LogosError as error:
                say(error.reason)
                await asyncio.sleep(0.02)
            else:
                say(proof.hex())


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
