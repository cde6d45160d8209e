"""What tokens and proofs cost: each step alone, and `Registry.Resolve`, which makes a token.

The yardstick is an Ed25519 verification of the same run: what a signature for each call would
cost the callee.
"""

import asyncio
import secrets
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import grpc
from benchmarks.report import Figure, arguments, percentile, publish, say
from benchmarks.running import Running, running
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from logos.kernel.v1 import registry_pb2, registry_pb2_grpc
from logos_base.capabilities import Claims, ModuleSubject
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.metadata import PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.proofs import PROOF_BYTES, Prover, shared_key
from logos_module.capabilities.tokens import sign
from logos_module.capabilities.verifier import Verifier

METHOD: Final = "logos.storage.v1.Storage/Put"
CHECK_BAR_US: Final = 200.0
RESOLVE_BAR_MS: Final = 5.0
TOKEN_BYTES: Final = 330
"""As large as tokens of a module are."""
NOW_S: Final = 1_800_000_000


def times_us(step: Callable[[], Any], count: int) -> list[float]:
    """Returns how long each call took, in microseconds."""
    took = []
    for _ in range(count):
        began = time.perf_counter_ns()
        step()
        took.append((time.perf_counter_ns() - began) / 1000)
    return took


def steps(count: int) -> list[Figure]:
    """The steps of one call, in this process."""
    signing, caller, callee = (
        SigningKey.generate(),
        PrivateKey.generate(),
        PrivateKey.generate(),
    )
    own, instance_id = public_key_of(caller), secrets.token_bytes(16)
    subject = ModuleSubject("chat", instance_id, 1)
    claims = Claims(b"t" * 16, subject, "storage", (METHOD,), NOW_S, NOW_S + 600, own)
    token = sign(claims, signing)
    verifier = Verifier("storage", callee, lambda: NOW_S)
    trusted = [signing.verify_key.encode()]
    verifier.trust(trusted)
    other = public_key_of(callee)
    key = shared_key(caller, other, caller=own, callee=other, instance_id=instance_id)
    prover = Prover(key)

    def admit() -> None:
        verifier.admit(token, prover.prove(claims.token_id, METHOD), METHOD)

    def admit_new() -> None:
        verifier.trust(trusted)  # forgets the tokens that are known
        admit()

    public, signature = signing.verify_key, signing.sign(token).signature
    verify = median(times_us(lambda: public.verify(token, signature), count))
    admitted = median(times_us(admit, count))
    return [
        Figure("one Ed25519 verification (yardstick)", verify, "µs"),
        Figure("make a token", median(times_us(lambda: sign(claims, signing), count)), "µs"),
        Figure(
            "prove and admit a call",
            admitted,
            "µs",
            at_most=CHECK_BAR_US,
            ratio=admitted / verify,
            yardstick="one Ed25519 verification",
        ),
        Figure("the first call with a token", median(times_us(admit_new, count)), "µs"),
    ]


async def carried(count: int) -> list[Figure]:
    """The cost in gRPC itself of metadata of that size, without any check."""

    async def echo(request: bytes, _context: Any) -> bytes:
        return request

    handlers = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    metadata = ((TOKEN_FIELD, secrets.token_bytes(TOKEN_BYTES)), (PROOF_FIELD, bytes(PROOF_BYTES)))
    took: dict[str, list[float]] = {"bare": [], "with": []}
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/bare/Echo")
        for _ in range(count):
            for kind, given in (("bare", None), ("with", metadata)):
                began = time.perf_counter_ns()
                await call(b"", metadata=given)
                took[kind].append((time.perf_counter_ns() - began) / 1000)
    await server.stop(0)
    bare, carrying = median(took["bare"]), median(took["with"])
    return [
        Figure("an empty call of a bare grpc.aio server (yardstick)", bare, "µs"),
        Figure(
            "the same with metadata as large as a token and a proof",
            carrying,
            "µs",
            ratio=carrying / bare,
            yardstick="one without",
        ),
    ]


async def resolved(net: Running, count: int) -> list[Figure]:
    """`Registry.Resolve` at a kernel, as a module calls it."""
    async with net.inner("node1", "storage") as channel:
        registry: Any = registry_pb2_grpc.RegistryStub(channel)
        took = []
        for _ in range(count):
            began = time.perf_counter()
            await registry.Resolve(registry_pb2.ResolveRequest(module="mixnet"), timeout=5)
            took.append(1000 * (time.perf_counter() - began))
    return [
        Figure("resolve and mint, p50", median(took), "ms"),
        Figure("resolve and mint, p99", percentile(took, 99), "ms", at_most=RESOLVE_BAR_MS),
    ]


async def main() -> int:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=5000, help="of each step")
    options = parser.parse_args()
    figures = steps(options.calls) + await carried(options.calls)
    async with running(1) as net:
        say("Registry.Resolve")
        figures += await resolved(net, options.calls)
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
