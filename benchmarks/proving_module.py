"""A module's server beside a pool of provers that never rests: what prover.py asks.

It runs in a process of its own: `python -m benchmarks.proving_module ADDRESS JOBS`. JOBS
proofs of leadership are always under way or wait; 0 leaves the prover alone.
"""

import asyncio
import sys
from importlib import import_module
from typing import Final

import uvloop
from benchmarks.running import ROOT  # it puts tests/ on the path

from logos_crypto.circuits import CircuitKey, Witness
from logos_crypto.jobs import CircuitJob
from logos_module.process import prepare_process
from logos_module.prover import Prover
from logos_module.server import Server
from open_access import OpenAccess

SEED: Final = bytes(32)


def leadership() -> Witness:
    """A true witness: that of the tests, which make it by the specification's text."""
    sys.path.insert(0, str(ROOT / "libs" / "logos-crypto" / "tests"))
    circuits, witnesses = map(import_module, ("test_circuits", "oracle.witnesses"))
    made: Witness = circuits.native(witnesses.SATISFIED[circuits.of.POL](1))
    return made


async def prove_on(prover: Prover, job: CircuitJob) -> None:
    """One proof after the other."""
    while True:
        await prover.prove(job)


async def serve(address: str, jobs: int) -> None:
    """Serves health and proves until the process is ended."""
    server = Server(OpenAccess())
    await server.start([address])
    async with Prover() as prover, asyncio.TaskGroup() as tasks:
        if jobs:
            key = await asyncio.to_thread(CircuitKey.insecure_from_seed, "leadership", SEED)
            job = CircuitJob(leadership(), key)
            for _ in range(jobs):
                tasks.create_task(prove_on(prover, job))
            await prover.prove(job)
        await server.set_serving([""], serving=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    prepare_process()
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
