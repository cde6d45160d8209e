"""RLN through Python: proofs, refusals and what is never shown."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from logos_crypto import rln
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import Expected, Identity, Membership, Proof, RateLimitProof

pytestmark = [pytest.mark.native, pytest.mark.proofs]

MODULUS: Final = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
IDENTIFIER: Final = b"mix-rln-spam-protection/v1"
SIGNAL: Final = b"a packet"


def published(name: str) -> dict[str, Any]:
    path = Path(__file__).parents[3] / "vectors/zerokit" / name
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


VECTORS: Final = published("rln.json")
BUNDLES: Final[list[dict[str, str]]] = published("bundle.json")["cases"]


def value(text: str) -> bytes:
    return int(text, 16).to_bytes(32, "little")


# The member of zerokit's tests, alone in its tree.
CASE: Final[dict[str, Any]] = VECTORS["member"]
LIMIT: Final[int] = CASE["limit"]
ROOT: Final = value(CASE["root"])
SIBLINGS: Final = [value(sibling) for sibling in CASE["path"]]
SECRET: Final = rln.signal_x(CASE["secret_utf8_hashed"].encode())


def external(epoch: int) -> bytes:
    return rln.external_nullifier(rln.epoch_bytes(epoch), IDENTIFIER)


def expected(
    epoch: int = 7, signal: bytes = SIGNAL, roots: tuple[bytes, ...] = (ROOT,)
) -> Expected:
    return Expected(roots, external(epoch), rln.signal_x(signal))


@pytest.fixture(scope="module")
def member() -> Membership:
    return Membership.of(
        Identity.from_secret(SECRET), limit=LIMIT, siblings=SIBLINGS, index=CASE["index"], root=ROOT
    )


@pytest.fixture(scope="module")
def proof(member: Membership) -> Proof:
    return member.prove(external(7), rln.signal_x(SIGNAL), 3)


@pytest.fixture(scope="module")
def multi(member: Membership) -> Proof:
    return member.prove_multi(external(7), rln.signal_x(SIGNAL), [3, 0])


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(RefusedError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    return caught.value.reason


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["identities"], ids=lambda case: str(case["id"]))
def test_a_seed_gives_zerokits_identity(case: dict[str, str]) -> None:
    identity = Identity.from_seed(case["seed_utf8"].encode())

    assert identity.secret() == value(case["secret"])
    assert identity.commitment == value(case["commitment"])


def test_a_proof_verifies_for_its_message_and_window(proof: Proof) -> None:
    proof.verify(expected(roots=(bytes(32), ROOT)))

    (share,) = proof.shares
    assert proof.root == ROOT
    assert proof.public_inputs == [
        share.y,
        ROOT,
        share.nullifier,
        rln.signal_x(SIGNAL),
        external(7),
    ]


def test_a_cached_part_makes_proofs_of_its_member(member: Membership) -> None:
    cached = member.cached()

    for message_id in (0, LIMIT - 1):
        cached.prove(external(7), rln.signal_x(SIGNAL), message_id).verify(expected())

    many = member.cached(multi=True)
    burnt = many.prove(external(7), rln.signal_x(SIGNAL), 0, 1, 2, 3)
    burnt.verify(expected())
    assert len({share.nullifier for share in burnt.shares}) == 4
    assert reason(lambda: cached.prove(external(7), SECRET, 0, 1)) == "MESSAGE_ID_COUNT"


def test_what_differs_is_named(proof: Proof) -> None:
    assert reason(lambda: proof.verify(expected(8))) == "EXTERNAL_NULLIFIER_MISMATCH"
    assert reason(lambda: proof.verify(expected(roots=()))) == "ROOT_UNKNOWN"
    assert reason(lambda: proof.verify(expected(roots=(bytes(32),)))) == "ROOT_UNKNOWN"
    assert reason(lambda: proof.verify(expected(signal=b"another"))) == "SIGNAL_MISMATCH"


def test_a_proof_moved_to_another_message_does_not_verify(proof: Proof) -> None:
    raw = bytearray(proof.to_bytes())
    raw[129 + 3 * 32 : 129 + 4 * 32] = rln.signal_x(b"another")

    moved = Proof.from_bytes(bytes(raw))

    assert reason(lambda: moved.verify(expected(signal=b"another"))) == "PROOF_INVALID"


@pytest.mark.parametrize("big_endian_values", [False, True])
def test_encodings_come_back(proof: Proof, multi: Proof, *, big_endian_values: bool) -> None:
    for one, size in ((proof, 289), (multi, 509)):
        raw = one.to_bytes(big_endian_values=big_endian_values)

        read = Proof.from_bytes(raw, multi=one.multi, big_endian_values=big_endian_values)

        assert len(raw) == size
        assert read == one
        read.verify(expected())


@pytest.mark.vectors
@pytest.mark.parametrize("case", BUNDLES, ids=lambda case: str(case["id"]))
def test_a_bundle_of_an_old_zerokit_is_its_members_message(case: dict[str, str]) -> None:
    proof = Proof.from_bundle(bytes.fromhex(case["bundle"]))

    x = rln.signal_x(case["signal_utf8"].encode())
    proof.verify(Expected((ROOT,), value(case["external_nullifier"]), x))
    assert proof.to_bundle().hex() == case["bundle"]


def test_the_old_bundle_comes_back_and_has_room_for_a_single_proof_only(
    proof: Proof, multi: Proof
) -> None:
    bundle = proof.to_bundle()

    assert len(bundle) == 288
    assert Proof.from_bundle(bundle).to_bytes() == proof.to_bytes()
    assert reason(lambda: Proof.from_bundle(bundle + b"\0")) == "ENCODING_LENGTH"
    assert reason(lambda: Proof.from_bundle(bundle[:-32] + b"\xff" * 32)) == "FIELD_NOT_CANONICAL"
    assert reason(multi.to_bundle) == "ENCODING_TAG"


def test_messages_together_are_refused_each_for_itself(proof: Proof, multi: Proof) -> None:
    bundle = bytearray(proof.to_bundle())
    bundle[128:160] = bytes(32)  # another root, which the window has
    elsewhere = Proof.from_bundle(bytes(bundle))

    refusals = rln.verify_all(
        [
            (proof, expected()),
            (multi, expected()),
            (elsewhere, expected(roots=(ROOT, bytes(32)))),
            (proof, expected(epoch=8)),
            (multi, expected(signal=b"another")),
            (proof, expected(roots=())),
            (proof, expected()),
        ]
    )

    assert refusals == [
        None,
        None,
        "PROOF_INVALID",
        "EXTERNAL_NULLIFIER_MISMATCH",
        "SIGNAL_MISMATCH",
        "ROOT_UNKNOWN",
        None,
    ]
    assert rln.verify_all([]) == []


def test_bytes_that_are_no_proof_are_refused(proof: Proof) -> None:
    raw = proof.to_bytes()
    nullifier = 129 + 2 * 32
    same_residue = int.from_bytes(raw[nullifier : nullifier + 32], "little") + MODULUS
    changed = raw[:nullifier] + same_residue.to_bytes(32, "little") + raw[nullifier + 32 :]
    infinity = bytes(31) + b"\x40" + raw[32:]

    assert reason(lambda: Proof.from_bytes(changed)) == "FIELD_NOT_CANONICAL"
    assert reason(lambda: Proof.from_bytes(raw[:-1])) == "ENCODING_LENGTH"
    assert reason(lambda: Proof.from_bytes(raw + b"\0")) == "ENCODING_LENGTH"
    assert reason(lambda: Proof.from_bytes(infinity)) == "POINT_AT_INFINITY"
    assert reason(lambda: Proof.from_bytes(raw, multi=True)) == "ENCODING_LENGTH"


def test_a_rate_limit_proof_has_301_bytes_and_its_epoch(proof: Proof) -> None:
    raw = RateLimitProof.of(proof, rln.epoch_bytes(7)).to_bytes()

    read = RateLimitProof.from_bytes(raw)

    assert len(raw) == rln.RATE_LIMIT_PROOF_BYTES
    assert read.epoch == rln.epoch_bytes(7)
    read.proof(rln.external_nullifier(read.epoch, IDENTIFIER)).verify(expected())
    assert reason(lambda: RateLimitProof.from_bytes(raw[:-1])) == "ENCODING_LENGTH"
    assert reason(lambda: RateLimitProof.from_bytes(b"\x0b" + raw[1:])) == "ENCODING_TAG"


def test_witnesses_are_refused_by_name(member: Membership) -> None:
    identity = Identity.random()
    x = rln.signal_x(SIGNAL)

    def of(limit: int = LIMIT, index: int = 3, siblings: list[bytes] = SIBLINGS) -> Membership:
        return Membership.of(identity, limit=limit, siblings=siblings, index=index, root=ROOT)

    assert reason(of) == "PATH_NOT_TO_ROOT"
    assert reason(lambda: of(limit=0)) == "LIMIT_OUT_OF_RANGE"
    assert reason(lambda: of(limit=65_536)) == "LIMIT_OUT_OF_RANGE"
    assert reason(lambda: of(index=1 << 20)) == "PATH_INDEX_OUT_OF_RANGE"
    assert reason(lambda: of(siblings=SIBLINGS[1:])) == "PATH_LENGTH"
    assert reason(lambda: member.prove(external(7), x, LIMIT)) == "MESSAGE_ID_OUT_OF_RANGE"
    assert reason(lambda: member.prove(b"", x, 0)) == "FIELD_LENGTH"
    assert reason(lambda: member.prove(b"\xff" * 32, x, 0)) == "FIELD_NOT_CANONICAL"
    assert reason(lambda: member.prove_multi(external(7), x, [1, 1])) == "MESSAGE_ID_REPEATED"
    assert reason(lambda: member.prove_multi(external(7), x, [])) == "MESSAGE_ID_COUNT"


def test_two_shares_of_one_id_give_the_registered_secret(
    member: Membership, proof: Proof, multi: Proof
) -> None:
    other = member.prove(external(7), rln.signal_x(b"another"), 3)

    for one in (proof, multi):
        found = rln.recover(one.shares, other.shares)
        assert found.secret() == SECRET
        assert found.rate_commitment(LIMIT) == rln.rate_commitment(found.commitment, LIMIT)
    next_epoch = member.prove(external(8), rln.signal_x(b"another"), 3)
    assert (
        reason(lambda: rln.recover(proof.shares, next_epoch.shares)) == "SHARES_OF_DIFFERENT_EPOCHS"
    )
    assert reason(lambda: rln.recover(proof.shares, proof.shares)) == "SHARES_OF_ONE_MESSAGE"


def test_the_other_rule_reads_epochs_as_field_values() -> None:
    epoch = rln.epoch_bytes(7)

    assert rln.external_nullifier(epoch, IDENTIFIER, raw=True) != external(7)
    too_large = b"\xff" * 32
    assert reason(lambda: rln.external_nullifier(too_large, b"", raw=True)) == "FIELD_NOT_CANONICAL"
    assert len(rln.external_nullifier(too_large, b"")) == 32


def test_epochs_are_numbers() -> None:
    assert rln.epoch_number(rln.epoch_bytes(2**64 - 1)) == 2**64 - 1
    assert reason(lambda: rln.epoch_number(bytes(31) + b"\1")) == "EPOCH_NOT_NUMBER"
    assert reason(lambda: rln.epoch_number(b"")) == "FIELD_LENGTH"


def test_no_secret_is_in_a_repr_or_a_refusal(member: Membership) -> None:
    identity = Identity.from_secret(SECRET)
    shown = [repr(identity), repr(member), repr(member.cached())]

    with pytest.raises(RefusedError) as caught:
        Membership.of(identity, limit=LIMIT + 1, siblings=SIBLINGS, index=3, root=ROOT)
    shown.append(repr(caught.value))

    for text in shown:
        assert repr(SECRET)[2:-1] not in text
        assert SECRET.hex() not in text
        assert str(int.from_bytes(SECRET, "little")) not in text


def test_other_threads_run_while_a_proof_is_made(member: Membership) -> None:
    turns = 0
    done = threading.Event()

    def prove() -> None:
        member.prove(external(7), rln.signal_x(SIGNAL), 0)
        done.set()

    prover = threading.Thread(target=prove)
    prover.start()
    while not done.wait(0.001):
        turns += 1
    prover.join()

    # A prover that held the interpreter would let this thread wake once, at its end.
    assert turns > 3
