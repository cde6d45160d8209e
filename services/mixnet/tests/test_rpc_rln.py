"""`logos.network.v1.Rln` of whole nodes (RLN-33, RLN-34), and LIP-158's exchange (RLN-31)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

pytest.importorskip("logos_native")

from mixnet_nodes import RunningNode, refused, until
from mixnet_registry import TestRegistry, serving
from mixnet_rln import LIMIT, Node
from mixnet_rln_nodes import EPOCHS, RlnNetwork, rln_network

from logos.network.v1 import rln_pb2 as pb
from logos.network.v1 import rln_pb2_grpc
from logos_mixnet.core.rln.allocation import SharedSecret
from logos_mixnet.core.rln.application import Application
from logos_mixnet.store.rln_registry import RegistryMembers, allocate
from mixnet_memory_stores import MemoryMembers

ADA, BOB, CAT = (Node.named(name) for name in ("ada", "bob", "cat"))
ONE, OTHER = b"delivery".ljust(32, b"\0"), b"chat".ljust(32, b"\0")
INVALID: Final = grpc.StatusCode.INVALID_ARGUMENT


def stub(node: Any) -> Any:
    running: RunningNode = node if isinstance(node, RunningNode) else node.running
    return rln_pb2_grpc.RlnStub(running.channel)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[RlnNetwork]:
    async with rln_network(tmp_path) as network:
        yield network


async def test_a_node_says_how_its_rate_limits_stand(network: RlnNetwork) -> None:
    ada = await network.start(ADA)
    await network.start(BOB)
    watching = stub(ada).WatchMembership(pb.WatchMembershipRequest())
    states = [(await watching.read()).membership.state]
    await network.settle(2)
    while states[-1] != pb.MEMBERSHIP_STATE_ACTIVE:
        states.append((await watching.read()).membership.state)
    watching.cancel()

    await ada.refusal(b"p", b"nonsense")
    status = await stub(ada).GetStatus(pb.RlnGetStatusRequest())

    assert len(set(states)) > 1
    assert (status.members, status.is_open, status.ids_left) == (2, True, LIMIT)
    assert status.membership.commitment == ADA.commitment
    assert status.membership.root == status.root == ada.root
    assert status.period.ToMilliseconds() == EPOCHS.period_ms
    assert dict(status.dropped) == {"RLN_PROOF_MALFORMED": 1}
    membership = await stub(ada).GetMembership(pb.GetMembershipRequest())
    assert membership.membership == status.membership
    again = await stub(ada).Register(pb.RegisterRequest())
    assert again.membership == status.membership


async def test_each_identifier_has_a_budget_of_its_own(network: RlnNetwork) -> None:
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    proofs = []
    for number in range(LIMIT):
        request = pb.GenerateProofRequest(rln_identifier=ONE, signal=bytes([number]))
        proofs.append((await stub(ada).GenerateProof(request)).proof)
    spent = pb.GenerateProofRequest(rln_identifier=ONE, signal=b"one more")

    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "RLN_BUDGET_SPENT"):
        await stub(ada).GenerateProof(spent)
    left = {
        name: (await stub(ada).GetQuota(pb.GetQuotaRequest(rln_identifier=name))).left
        for name in (ONE, OTHER)
    }

    assert left == {ONE: 0, OTHER: LIMIT}
    assert ada.rln.proofs.ids.left(network.clock.ms) == LIMIT
    verify = pb.VerifyProofRequest(rln_identifier=ONE, signal=b"\1", proof=proofs[1])
    verdicts = [(await stub(bob).VerifyProof(verify)).verdict for _ in range(2)]
    assert verdicts == [pb.PROOF_VERDICT_VALID, pb.PROOF_VERDICT_DUPLICATE]
    verify.rln_identifier = OTHER  # r2: another identifier's
    judged = await stub(bob).VerifyProof(verify)
    assert (judged.verdict, judged.reason) == (pb.PROOF_VERDICT_INVALID, "PROOF_INVALID")


async def test_a_member_that_spends_an_id_twice_is_told_from_others(network: RlnNetwork) -> None:
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    epoch = EPOCHS.at(network.clock.ms)
    external = Application(ONE).external_nullifier(epoch)
    membership = ADA.membership(ada.rln.members.machine)
    signals = (b"one", b"two")
    proofs = [_raw(membership, external, signal, epoch) for signal in signals]

    verdicts = [
        (
            await stub(bob).VerifyProof(
                pb.VerifyProofRequest(rln_identifier=ONE, signal=signal, proof=proof)
            )
        ).verdict
        for signal, proof in zip(signals, proofs, strict=True)
    ]
    request = pb.RecoverSecretRequest(rln_identifier=ONE, one=proofs[0], other=proofs[1])
    recovered = await stub(bob).RecoverSecret(request)

    assert verdicts == [pb.PROOF_VERDICT_VALID, pb.PROOF_VERDICT_RATE_LIMIT_VIOLATION]
    assert recovered.secret == ADA.identity.secret()
    assert recovered.commitment == ADA.commitment
    assert not bob.rln.members.machine.is_removed(
        ADA.commitment, ADA.peer_id
    )  # it was under a module's identifier
    async with refused(INVALID, "RLN_EVIDENCE_INVALID"):
        await stub(bob).RecoverSecret(
            pb.RecoverSecretRequest(rln_identifier=ONE, one=proofs[0], other=proofs[0])
        )
    with_roots = pb.VerifyWithRootsRequest(
        rln_identifier=ONE, signal=signals[0], proof=proofs[0], roots=[bytes(32), bob.root]
    )
    for _ in range(2):
        judged = await stub(bob).VerifyWithRoots(with_roots)
        assert judged.verdict == pb.PROOF_VERDICT_VALID
    del with_roots.roots[1]
    judged = await stub(bob).VerifyWithRoots(with_roots)
    assert (judged.verdict, judged.reason) == (pb.PROOF_VERDICT_INVALID, "ROOT_UNKNOWN")


@pytest.mark.parametrize("identifier", [b"", b"short", bytes(33), Application().identifier])
async def test_the_mixs_budget_is_not_for_callers(network: RlnNetwork, identifier: bytes) -> None:
    ada = await network.start(ADA)
    requests = [
        (stub(ada).GetQuota, pb.GetQuotaRequest(rln_identifier=identifier)),
        (stub(ada).GenerateProof, pb.GenerateProofRequest(rln_identifier=identifier, signal=b"s")),
        (stub(ada).VerifyProof, pb.VerifyProofRequest(rln_identifier=identifier, signal=b"s")),
        (
            stub(ada).VerifyWithRoots,
            pb.VerifyWithRootsRequest(rln_identifier=identifier, signal=b"s", roots=[bytes(32)]),
        ),
        (stub(ada).RecoverSecret, pb.RecoverSecretRequest(rln_identifier=identifier)),
    ]

    for call, request in requests:
        async with refused(INVALID, "RLN_IDENTIFIER_INVALID"):
            await call(request)


async def test_limits_of_the_contract(network: RlnNetwork) -> None:
    ada = await network.start(ADA)
    for signal in (b"", bytes((1 << 20) + 1)):
        async with refused(INVALID, "RLN_SIGNAL_SIZE"):
            await stub(ada).GenerateProof(
                pb.GenerateProofRequest(rln_identifier=ONE, signal=signal)
            )
    for roots in ([], [bytes(31)], [bytes(32)] * 65):
        async with refused(INVALID, "RLN_ROOTS_INVALID"):
            await stub(ada).VerifyWithRoots(
                pb.VerifyWithRootsRequest(rln_identifier=ONE, signal=b"s", roots=roots)
            )
    for number in range(16):
        request = pb.GetQuotaRequest(rln_identifier=bytes([number]) * 32)
        await stub(ada).GetQuota(request)
    async with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "RLN_TOO_MANY_IDENTIFIERS"):
        await stub(ada).GetQuota(pb.GetQuotaRequest(rln_identifier=b"\xff" * 32))


async def test_a_node_without_rate_limits_says_so(start_node: Any) -> None:
    node = await start_node(1)

    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "RLN_OFF"):
        await stub(node).GetStatus(pb.RlnGetStatusRequest())
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "RLN_OFF"):
        await stub(node).GetQuota(pb.GetQuotaRequest(rln_identifier=ONE))


async def test_a_node_that_has_no_registrys_trust_is_registered_by_one_that_has(
    network: RlnNetwork, tmp_path: Path
) -> None:
    """LIP-158, with a registry of the tests behind the contract that the chain will serve."""
    secret = b"shared"
    async with serving(TestRegistry(LIMIT), tmp_path / "registry.sock") as channel:

        async def connect() -> Any:
            return channel

        stores = [RegistryMembers(connect, MemoryMembers()) for _ in range(3)]

        def provide(rln: Any) -> None:
            async def register(commitment: bytes, limit: int | None) -> Any:
                return await allocate(stores[0], LIMIT, commitment, limit)

            rln.provide(register, [SharedSecret(secret)])

        ada = await network.start(ADA, store=stores[0], prepared=provide)
        bob = await network.start(BOB, store=stores[1])
        cat = await network.start(CAT, store=stores[2])
        await until(lambda: bob.running.connected == 2)
        await stub(ada).Register(pb.RegisterRequest())

        async with refused(grpc.StatusCode.UNAUTHENTICATED, "RLN_NOT_AUTHENTICATED"):
            await stub(bob).RequestAllocation(
                pb.RequestAllocationRequest(peer_id=ada.running.peer_id, shared_secret=b"wrong")
            )
        request = pb.RequestAllocationRequest(peer_id=ada.running.peer_id, shared_secret=secret)
        places = [await stub(bob).RequestAllocation(request) for _ in range(2)]

        assert [each.leaf_index for each in places] == [1, 1]
        await until(lambda: all(_is_registered(each, BOB) for each in network.nodes))
        network.wait_epochs()
        await until(lambda: all(each.rln.members.machine.count == 2 for each in network.nodes))
        assert len({each.root for each in network.nodes}) == 1
        membership = (await stub(bob).GetMembership(pb.GetMembershipRequest())).membership
        assert (membership.state, membership.leaf_index) == (pb.MEMBERSHIP_STATE_ACTIVE, 1)
        state = (await stub(cat).GetMembership(pb.GetMembershipRequest())).membership.state
        assert state == pb.MEMBERSHIP_STATE_NONE


def _is_registered(node: Any, member: Node) -> bool:
    return bool(node.rln.members.machine.is_registered(member.commitment))


def _raw(membership: Any, external: bytes, signal: bytes, epoch: int) -> bytes:
    from logos_crypto import rln  # noqa: PLC0415 -- after importorskip

    proof = membership.prove(external, rln.signal_x(signal), 0)
    return rln.RateLimitProof.of(proof, rln.epoch_bytes(epoch)).to_bytes()
