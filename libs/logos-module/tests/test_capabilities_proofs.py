"""Proofs: only the holder of a token's key makes them, and each counts once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.public import PrivateKey

from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.errors import ProofInvalidError
from logos_module.capabilities.proofs import (
    PROOF_BYTES,
    WINDOW,
    ProofChecker,
    Prover,
    module_key,
    shared_key,
)

KEY = b"k" * 32
TOKEN = b"t" * 16
PUT = "logos.storage.v1.Storage/Put"


def test_both_sides_derive_one_key_and_each_direction_another() -> None:
    one, two = PrivateKey.generate(), PrivateKey.generate()
    a, b = public_key_of(one), public_key_of(two)

    forth = shared_key(one, b, caller=a, callee=b, instance_id=b"i")

    assert forth == shared_key(two, a, caller=a, callee=b, instance_id=b"i")
    assert forth != shared_key(one, b, caller=b, callee=a, instance_id=b"i")
    assert forth != shared_key(one, b, caller=a, callee=b, instance_id=b"j")


def test_a_modules_key_follows_from_its_secret_and_its_name() -> None:
    def key(secret: bytes, module: str) -> bytes:
        return module_key(secret, module).encode()

    assert key(bytes(32), "chat") == key(bytes(32), "chat")
    assert len({key(bytes(32), "chat"), key(bytes(32), "mail"), key(b"\1" * 32, "chat")}) == 3


def test_a_point_of_small_order_is_no_key() -> None:
    """RFC 7748 §6.1: the shared secret would be known to all."""
    with pytest.raises(ProofInvalidError):
        shared_key(
            PrivateKey.generate(),
            bytes(32),
            caller=bytes(32),
            callee=bytes(32),
            instance_id=bytes(16),
        )


def test_a_proof_counts_once() -> None:
    checker = ProofChecker(KEY)
    proof = Prover(KEY).prove(TOKEN, PUT)

    checker.check(proof, TOKEN, PUT)

    with pytest.raises(ProofInvalidError, match="before"):
        checker.check(proof, TOKEN, PUT)


@pytest.mark.parametrize(
    ("token_id", "method"), [(b"x" * 16, PUT), (TOKEN, "logos.storage.v1.Storage/Get")]
)
def test_a_proof_is_for_one_token_and_one_method(token_id: bytes, method: str) -> None:
    with pytest.raises(ProofInvalidError, match="hold"):
        ProofChecker(KEY).check(Prover(KEY).prove(TOKEN, PUT), token_id, method)


@given(st.binary(max_size=2 * PROOF_BYTES))
def test_other_bytes_are_no_proof(proof: bytes) -> None:
    with pytest.raises(ProofInvalidError):
        ProofChecker(KEY).check(proof, TOKEN, PUT)


@given(st.lists(st.integers(1, 3 * WINDOW), max_size=60))
def test_the_window_takes_each_counter_once_unless_it_is_too_old(counters: list[int]) -> None:
    checker = ProofChecker(KEY)
    prover = Prover(KEY)
    taken: set[int] = set()
    for counter in counters:
        prover._counter = counter - 1
        proof = prover.prove(TOKEN, PUT)
        is_new = counter not in taken and counter > max(taken, default=0) - WINDOW
        if is_new:
            checker.check(proof, TOKEN, PUT)
            taken.add(counter)
        else:
            with pytest.raises(ProofInvalidError):
                checker.check(proof, TOKEN, PUT)
