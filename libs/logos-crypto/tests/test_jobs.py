"""Jobs over the native provers: real proofs, named refusals, no secrets in sight."""

import pytest
from oracle import predicates as of
from oracle.witnesses import SATISFIED
from test_circuits import native

from logos_crypto.circuits import Cancellation, CircuitKey
from logos_crypto.jobs import CircuitJob, RlnJob
from logos_crypto.prover import ProofFailedError, WitnessError
from logos_crypto.rln import Expected, Identity, Membership
from logos_crypto.trees import RlnTree

pytestmark = pytest.mark.proofs

EPOCH, X = b"\x01" + bytes(31), b"\x02" + bytes(31)


@pytest.fixture(scope="module")
def key() -> CircuitKey:
    return CircuitKey.insecure_from_seed("signature2", bytes(32))


@pytest.fixture(scope="module")
def membership() -> Membership:
    identity, tree = Identity.from_seed(b"sixteen bytes at least"), RlnTree()
    tree.set(5, identity.rate_commitment(3))
    path = tree.path(5)
    return Membership.of(identity, limit=3, siblings=path.siblings, index=5, root=tree.root)


def test_a_circuits_job_proves_whole_and_with_its_cached_part(key: CircuitKey) -> None:
    witness = native(SATISFIED[of.SIGNATURE_2](1))
    cached = key.prove_fixed(witness.public, witness.private, Cancellation())

    for job in (CircuitJob(witness, key), CircuitJob(witness, key, cached)):
        job.check()
        assert key.verifier().verify(witness.public, job.run(Cancellation()))
        assert job.circuit == "signature2"


def test_a_false_witness_is_named_by_its_relation(key: CircuitKey) -> None:
    case = SATISFIED[of.POC](2)
    false = native(case.but("another nullifier", None, voucher_nullifier=1))

    with pytest.raises(WitnessError) as refused:
        CircuitJob(false, key).check()

    assert (refused.value.circuit, refused.value.relation) == ("claim", "voucher_nullifier")
    assert refused.value.__cause__ is None
    assert str(case.private["secret_voucher"]) not in repr(CircuitJob(false, key))


def test_another_fixed_part_and_a_cancellation_end_a_job_by_name(key: CircuitKey) -> None:
    witness = native(SATISFIED[of.SIGNATURE_2](1))
    other = native(SATISFIED[of.SIGNATURE_2](2))
    cached = key.prove_fixed(other.public, other.private, Cancellation())
    cancelled = Cancellation()
    cancelled.cancel()

    with pytest.raises(ProofFailedError) as changed:
        CircuitJob(witness, key, cached).run(Cancellation())
    with pytest.raises(ProofFailedError) as stopped:
        CircuitJob(witness, key).run(cancelled)

    assert changed.value.failure == "FIXED_PART_CHANGED"
    assert stopped.value.failure == "CANCELLED"


@pytest.mark.parametrize("multi", [False, True])
def test_an_rln_job_proves_a_message(membership: Membership, *, multi: bool) -> None:
    job = RlnJob(membership.cached(multi=multi), EPOCH, X, (0, 2) if multi else (2,))

    job.check()
    proof = job.run(Cancellation())

    proof.verify(Expected([membership.root], EPOCH, X))
    assert job.circuit == ("rln-multi" if multi else "rln")
    assert "message_ids" not in repr(job)


def test_an_rln_job_names_a_spent_limit_and_is_not_begun_once_cancelled(
    membership: Membership,
) -> None:
    beyond = RlnJob(membership.cached(), EPOCH, X, (3,))
    cancelled = Cancellation()
    cancelled.cancel()

    with pytest.raises(WitnessError) as refused:
        beyond.run(Cancellation())
    with pytest.raises(ProofFailedError) as stopped:
        beyond.run(cancelled)

    assert refused.value.relation == "MESSAGE_ID_OUT_OF_RANGE"
    assert stopped.value.failure == "CANCELLED"
