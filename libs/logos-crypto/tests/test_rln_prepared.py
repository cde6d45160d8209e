"""Proofs prepared before their message (RLN-16), through Python."""

import copy
import gc
import pickle
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from hypothesis import given, settings
from hypothesis import strategies as st

from logos_crypto import rln
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Expected, Identity, Membership, Preparer
from logos_crypto.rln_refusals import PreparationSpentError, ProofInvalidError
from logos_crypto.trees import RlnTree

pytestmark = [pytest.mark.native, pytest.mark.proofs]

LIMIT: Final = 7
SIGNAL: Final = bytes(4608)
X: Final = rln.signal_x(SIGNAL)


def external(epoch: int) -> bytes:
    return rln.external_nullifier(rln.epoch_bytes(epoch), b"mix-rln-spam-protection/v1")


@pytest.fixture(scope="module")
def member() -> Membership:
    identity = Identity.from_seed(b"a member that prepares")
    tree = RlnTree()
    tree.set(41, identity.rate_commitment(LIMIT))
    return Membership.of(
        identity, limit=LIMIT, siblings=tree.path(41).siblings, index=41, root=tree.root
    )


@pytest.fixture(scope="module")
def preparer(member: Membership) -> Preparer:
    return member.preparer()


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    return caught.value.reason


@settings(max_examples=10, deadline=None)
@given(
    epoch=st.integers(0, 2**64 - 1),
    message_id=st.integers(0, LIMIT - 1),
    signal=st.binary(max_size=4608),
)
def test_a_finished_proof_shows_what_a_whole_one_does(
    member: Membership, preparer: Preparer, epoch: int, message_id: int, signal: bytes
) -> None:
    x = rln.signal_x(signal)

    proof = preparer.prepare(external(epoch), message_id).finish(x)

    proof.verify(Expected((member.root,), external(epoch), x))
    assert proof.shares == member.prove(external(epoch), x, message_id).shares
    assert proof.root == preparer.root == member.root


def test_a_preparation_serves_one_message(preparer: Preparer) -> None:
    prepared = preparer.prepare(external(7), 0)
    assert reason(lambda: prepared.finish(X[:31])) == "FIELD_LENGTH"  # and is kept
    prepared.finish(X)

    with pytest.raises(PreparationSpentError):
        prepared.finish(X)


def test_of_threads_that_finish_at_once_one_gets_the_proof(preparer: Preparer) -> None:
    prepared = preparer.prepare(external(7), 0)
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def finish() -> None:
        start.wait()
        try:
            prepared.finish(X)
            outcomes.append("proof")
        except PreparationSpentError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=finish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["PREPARATION_SPENT"] * 3 + ["proof"]


@pytest.mark.parametrize("message_id", [-1, LIMIT, LIMIT + 1, 65_536, 2**32])
def test_an_id_beyond_the_limit_is_refused(preparer: Preparer, message_id: int) -> None:
    assert reason(lambda: preparer.prepare(external(7), message_id)) == "MESSAGE_ID_OUT_OF_RANGE"


def test_a_proof_for_another_message_is_refused(member: Membership, preparer: Preparer) -> None:
    proof = preparer.prepare(external(7), 1).finish(X)
    raw = bytearray(proof.to_bytes())
    for value in range(5):
        changed = raw.copy()
        changed[129 + 32 * value] ^= 1
        moved = rln.Proof.from_bytes(bytes(changed))
        y, root, nullifier, x, external_nullifier = moved.public_inputs
        assert [y, root, nullifier, x, external_nullifier] != proof.public_inputs

        with pytest.raises(ProofInvalidError):
            moved.verify(Expected((root,), external_nullifier, x))
    proof.verify(Expected((member.root,), external(7), X))


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_preparation_is_neither_stored_nor_copied(
    preparer: Preparer, copied: Callable[[Any], object]
) -> None:
    prepared = preparer.prepare(external(7), 2)

    with pytest.raises(TypeError):
        copied(prepared.native)
    assert "Prepared" in repr(prepared)
    prepared.finish(X)


def test_a_preparation_that_is_never_finished_can_be_dropped(preparer: Preparer) -> None:
    kept = [preparer.prepare(external(8), message_id) for message_id in range(LIMIT)]
    kept.clear()
    gc.collect()

    preparer.prepare(external(8), 0).finish(X)
