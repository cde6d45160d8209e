"""The chain: blocks validated, downloaded and executed, payments, and nodes that idle with it.

- `block`: a block of 100 transfers, from its bytes to disk, all its proofs real. The yardstick is
  the same proofs verified one by one.
- `sync`: downloads by `SyncOperations` from a peer through memory, onto SQLite: empty blocks, and
  full ones, of 1,024 transfers and of 2 MiB. The yardstick is the same blocks executed and stored
  without proofs. Of a few blocks each has a proof of its own. What would take hours to prove bears
  null proofs, and the verifier verifies real ones of those few instead, as many and as together.
- `payment`: from the wallet's command to the mempool, the proof made and verified. The yardstick is
  the making of the proof alone.
- `growth`: what a block costs with more notes in the ledger. The yardstick is the fewest.
- `testnet`: five idle nodes for some minutes: processor time, memory, and whether leaders' proofs
  are ready in time. Only where it is named. Some 6 blocks come in a minute: 99 % need 17 of them.

    python -m benchmarks.chain
    python -m benchmarks.chain --only sync --empty 200 --full 4
    python -m benchmarks.chain --only testnet --minutes 30
"""

import asyncio
import sys
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.chain_growth import growth_figures
from benchmarks.chain_idle import idle_figures
from benchmarks.chain_made import Proving
from benchmarks.chain_payment import payment_figures
from benchmarks.chain_sync import block_figures, sync_figures
from benchmarks.report import Figure, arguments, publish

USUAL: Final = {
    "block": block_figures,
    "sync": sync_figures,
    "payment": payment_figures,
    "growth": growth_figures,
}
"""Parts that need keys, and run in this process."""
PARTS: Final = (*USUAL, "testnet")


async def measure(options: Namespace, folder: Path) -> list[Figure]:
    """All figures."""
    parts, figures = options.only or list(USUAL), list[Figure]()
    usual = [part for part in USUAL if part in parts]
    if usual:
        async with Proving.made(folder / "keys") as proving:
            for part in usual:
                figures += await USUAL[part](proving, folder / part, options)
    if "testnet" in parts:
        figures += await idle_figures(options)
    return figures


def main() -> int:
    """Measures, and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the parts")
    parser.add_argument("--rounds", type=int, default=3, help="of `block` and of `growth`")
    parser.add_argument("--transfers", type=int, default=100, help="of the block, at most 255")
    parser.add_argument("--led", type=int, default=40, help="blocks with proofs of their own")
    parser.add_argument("--empty", type=int, default=1000, help="empty blocks to download")
    parser.add_argument("--full", type=int, default=10, help="full blocks of each kind")
    parser.add_argument("--payments", type=int, default=18, help="at most 19: the wallet's gap")
    parser.add_argument("--notes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--grown-blocks", type=int, default=10, help="with each number of notes")
    parser.add_argument("--grown-transfers", type=int, default=50, help="of each of them")
    parser.add_argument("--nodes", type=int, default=5, help="of the testnet")
    parser.add_argument("--minutes", type=float, default=20.0, help="of the testnet")
    parser.add_argument("--folder", help="on the disk to measure")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        figures = asyncio.run(measure(options, Path(folder)))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
