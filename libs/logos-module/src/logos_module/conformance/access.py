"""Checks of whom a module lets call it (KER-15, KER-16)."""

import asyncio
from collections.abc import Iterator
from typing import Final

import grpc
from nacl.signing import SigningKey

from logos.kernel.v1 import registry_pb2
from logos_client.authorized import Metadata
from logos_module.capabilities.metadata import PROOF_FIELD, TOKEN_FIELD
from logos_module.conformance.bench import Bench, Running
from logos_module.conformance.broken import broken, expect
from logos_module.conformance.caller import Outcome, Tester, outcome_of
from logos_module.conformance.contract import describe, methods_of
from logos_module.errors import DOMAIN

PREPARE_STOP: Final = "logos.module.v1.ModuleHost/PrepareStop"
DENIED: Final = grpc.StatusCode.PERMISSION_DENIED
NOBODY: Final = grpc.StatusCode.UNAUTHENTICATED
_ASK_AGAIN_S: Final = 0.1


async def refuses_calls_without_a_good_token(bench: Bench) -> None:
    """Every kind of wrong token is refused, each with its reason; then a good one is taken."""
    async with bench.ready() as running:
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        own = methods_of(await describe(running))[:1]
        for method in [*own, PREPARE_STOP]:
            for what, metadata, code, reason in _wrong(tester, method):
                outcome = await outcome_of(running.channel, method, metadata)
                _expect_refusal(f"a call of {method} with {what}", outcome, code, reason)
        for method in own:
            outcome = await outcome_of(running.channel, method, tester.metadata(method))
            if outcome.code in {NOBODY, DENIED}:
                broken(f"a call of {method} with a good token is refused: {outcome.reason}")


async def takes_a_call_once(bench: Bench) -> None:
    """A copy of a call is refused; calls that overtake one another are not."""
    async with bench.ready() as running:
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        for method in methods_of(await describe(running))[:1]:
            first, second = tester.metadata(method), tester.metadata(method)
            for metadata in (second, first):
                outcome = await outcome_of(running.channel, method, metadata)
                if outcome.reason == "PROOF_INVALID":
                    broken("a call that came after a later one is refused")
            for metadata in (first, second):
                outcome = await outcome_of(running.channel, method, metadata)
                _expect_refusal("a copy of a call", outcome, NOBODY, "PROOF_INVALID")


async def heeds_revocations(bench: Bench) -> None:
    """What the kernel revokes on the session holds no longer, at the same process."""
    async with bench.ready() as running:
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        for method in methods_of(await describe(running))[:1]:
            revocation = registry_pb2.Revocation(module=tester.name, before_epoch=Tester.EPOCH + 1)
            running.kernel.answer.revocations.append(revocation)
            await _until_refused(running, tester, method, "TOKEN_REVOKED")


async def heeds_new_keys(bench: Bench) -> None:
    """Tokens of a key that the kernel names no more hold no longer; those of the new one do."""
    async with bench.ready() as running:
        tester = Tester(running.subject.manifest.name, running.kernel.now_s())
        for method in methods_of(await describe(running))[:1]:
            key = SigningKey(bytes(31) + b"\x01")
            public = key.verify_key.encode()
            running.kernel.answer.signing_keys.append(public)
            await _until_refused(running, tester, method, "TOKEN_INVALID")
            metadata = tester.metadata(method, tester.token(key))
            outcome = await outcome_of(running.channel, method, metadata)
            if outcome.code in {NOBODY, DENIED}:
                broken(f"a token of the new key is refused: {outcome.reason}")


async def demands_a_proof_of_its_kernel(bench: Bench) -> None:
    """With a kernel that does not know the join secret it has no session."""
    bench.kernel.is_proven = False
    async with bench.serving(), bench.process() as running:
        kernel = running.kernel
        await running.until(
            lambda: running.has_ended or bool(kernel.beats) or len(kernel.registered) > 1,
            "neither ends nor tries again",
        )
        expect("heartbeats to a kernel that has proved nothing", len(kernel.beats), 0)


def _wrong(tester: Tester, method: str) -> Iterator[tuple[str, Metadata, grpc.StatusCode, str]]:
    """Calls that must be refused: what is wrong, metadata, code and reason."""
    token, claims = tester.token(), tester.claims
    (_, good), (_, proof) = tester.metadata(method)
    stranger = SigningKey(bytes(31) + b"\x02")
    yield "no token", (), NOBODY, "TOKEN_MISSING"
    yield "no proof", ((TOKEN_FIELD, good),), NOBODY, "TOKEN_MISSING"
    yield "a proof alone", ((PROOF_FIELD, proof),), NOBODY, "TOKEN_MISSING"
    for what, wrong in (
        ("an empty token", b""),
        ("a token of 600 bytes", token + bytes(600 - len(token))),
        ("a token without its end", token[:-1]),
        ("a token with a bit of its signature flipped", _flipped(token, 0)),
        ("a token with a bit of its claims flipped", _flipped(token, len(token) - 1)),
        ("a token of another kernel", tester.token(stranger)),
        ("a token for another module", tester.token(audience="somebody-else")),
    ):
        yield what, ((TOKEN_FIELD, wrong), _proof(tester, method)), NOBODY, "TOKEN_INVALID"
    # A minute ago: a module knows its kernel's time by messages that may take their time.
    past_s = claims.issued_at_s - 60
    expired = tester.token(issued_at_s=past_s - 60, expires_at_s=past_s)
    yield "a token that has expired", tester.metadata(method, expired), NOBODY, "TOKEN_EXPIRED"
    others = tester.token(methods=("conformance.v1.Nothing/*",))
    yield "a token for other methods", tester.metadata(method, others), DENIED, "METHOD_DENIED"
    for what, wrong in (
        ("an empty proof", b""),
        ("a proof with a flipped bit", _flipped(_proof(tester, method)[1], 20)),
        ("the proof of another method", _proof(tester, "conformance.v1.Nothing/Do")[1]),
    ):
        yield what, ((TOKEN_FIELD, token), (PROOF_FIELD, wrong)), NOBODY, "PROOF_INVALID"
    thief = Tester(claims.audience, claims.issued_at_s)
    stolen = ((TOKEN_FIELD, token), _proof(thief, method))
    yield "the token of another process", stolen, NOBODY, "PROOF_INVALID"


def _proof(tester: Tester, method: str) -> tuple[str, bytes]:
    name, value = tester.metadata(method)[1]
    return name, bytes(value) if isinstance(value, bytes) else value.encode()


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _expect_refusal(what: str, outcome: Outcome, code: grpc.StatusCode, reason: str) -> None:
    found = (outcome.code.name, outcome.reason, outcome.domain)
    expect(f"the answer to {what}", found, (code.name, reason, DOMAIN))


async def _until_refused(running: Running, tester: Tester, method: str, reason: str) -> None:
    """Calls until the refusal is that: the module learns of it with its next heartbeat."""
    try:
        async with asyncio.timeout(running.patience_s):
            while True:
                outcome = await outcome_of(running.channel, method, tester.metadata(method))
                if outcome.reason == reason:
                    return
                await asyncio.sleep(_ASK_AGAIN_S)
    except TimeoutError:
        broken(f"a token that holds no longer is taken: there is no {reason}")
