"""What rate limits cost a node, through the operations that the mix calls.

`prove` with a proof that was prepared, its message id from a database on disk; `check` of proofs
that arrive together, per second of one core; the processor time of one preparation; and what the
keys and a membership add to the memory of a process.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.report import Figure, arguments, percentile, publish, say

from logos_crypto import rln
from logos_crypto.rln import Identity, Preparer
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.message_ids import Purpose, Reserved, Save
from logos_mixnet.core.rln.signing import is_signed_by
from logos_mixnet.net.clock import unix_ms
from logos_mixnet.operations.rln import RlnMember, RlnOperations
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import Database, open_database

PACKET_BYTES: Final = 4608
LIMIT: Final = 1_000
PERIOD_MS: Final = 3_600_000
FINISH_BAR_MS: Final = 1.5
CHECKS_BAR: Final = 350.0
MIB: Final = 1024.0


def pss_mib() -> float:
    """The memory of this process, what it shares counted in part."""
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line) / MIB


async def member(database: Database, name: str, listed: list[bytes]) -> RlnOperations:
    """One node of a list, which has run before."""
    identity = Identity.from_seed(f"the benchmark's member {name}".encode())
    signer = Secp256k1Signer(name.encode().rjust(32, b"k"))
    epochs = Epochs(PERIOD_MS)
    own = RlnMember(identity, signer.public_key.peer_id, signer.sign, is_signed_by, LIMIT, epochs)
    await SqlMessageIdStore(database, Application().identifier).save(Save(Reserved(1, 1), -1))
    members = SqlMembers(database, genesis=listed)
    node = RlnOperations(own, members, lambda of: SqlMessageIdStore(database, of), unix_ms)
    await node.load()
    return node


async def spend(node: RlnOperations, count: int) -> tuple[list[tuple[bytes, bytes]], list[float]]:
    """Proves packets, each when a proof is prepared; returns them, and the times in ms."""
    sent, times = [], []
    while len(sent) < count:
        while node.proofs.pool.missing(node.proofs.ids, unix_ms()) is not None:  # noqa: ASYNC110 - the pool sends no signal
            await asyncio.sleep(0.01)
        packet = os.urandom(PACKET_BYTES)
        began, before = time.perf_counter(), node.proofs.pool.found
        proof = await node.prove(packet, Purpose.OWN)
        if node.proofs.pool.found > before:
            times.append(1000 * (time.perf_counter() - began))
        sent.append((packet, proof))
    return sent, times


def prepare_cost_ms(preparer: Preparer, count: int) -> float:
    """The processor time of one preparation, of whichever threads."""
    external = Application().external_nullifier(7)
    began = time.process_time()
    for number in range(count):
        preparer.prepare(external, number)
    return 1000 * (time.process_time() - began) / count


async def measure(count: int, folder: Path) -> list[Figure]:
    """All figures, of two nodes."""
    at_rest = pss_mib()
    began = time.perf_counter()
    rln.load_keys()
    loaded_ms = 1000 * (time.perf_counter() - began)
    with_keys = pss_mib()
    identities = [Identity.from_seed(f"the benchmark's member {n}".encode()) for n in "ab"]
    listed = [each.commitment for each in identities]
    async with (
        open_database(folder / "a.sqlite", SCHEMA) as one,
        open_database(folder / "b.sqlite", SCHEMA) as other,
        asyncio.TaskGroup() as tasks,
    ):
        sender, relay = await member(one, "a", listed), await member(other, "b", listed)
        running = [tasks.create_task(each.run()) for each in (sender, relay)]
        sent, times = await spend(sender, count)
        with_pool = pss_mib()
        preparer = await sender.standing.preparer()
        running[0].cancel()  # or it would go on preparing
        await asyncio.wait([running[0]])
        await asyncio.sleep(1)
        cost_ms = prepare_cost_ms(preparer, max(4, count // 8))
        say(f"{len(sent)} proofs made, {len(times)} of them prepared before")
        began_cpu, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(relay.check(*each) for each in sent))
        cpu_s, wall_s = time.process_time() - began_cpu, time.perf_counter() - began
        running[1].cancel()
    return [
        Figure("prove, prepared: p50", median(times), "ms", at_most=FINISH_BAR_MS),
        Figure("prove, prepared: p99", percentile(times, 99), "ms"),
        Figure("preparing one proof, processor time", cost_ms, "ms"),
        Figure("check, together: per second of a core", count / cpu_s, "1/s", at_least=CHECKS_BAR),
        Figure("check, together: per second here", count / wall_s, "1/s"),
        Figure("keys, read once", loaded_ms, "ms"),
        Figure("memory of the keys (PSS)", with_keys - at_rest, "MiB"),
        Figure("memory of two members at work (PSS)", with_pool - with_keys, "MiB"),
    ]


def main() -> int:
    """Runs the program; returns its exit code."""
    parser = arguments(__doc__)
    parser.add_argument("--proofs", type=int, default=128)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures = asyncio.run(measure(options.proofs, Path(folder)))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
