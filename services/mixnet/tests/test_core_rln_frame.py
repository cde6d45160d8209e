"""RLN-11, RLN-17: a proof's 301 bytes before its points are read, and epochs."""

import pytest

pytest.importorskip("logos_native")

from hypothesis import given
from hypothesis import strategies as st
from mixnet_rln import APPLICATION, EPOCH, EPOCHS, MembersRig, Node, packet

from logos_base.errors import RemoteFaultError
from logos_crypto import rln
from logos_crypto.hashes import MODULUS
from logos_crypto.rln import RateLimitProof
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import ProofMalformedError
from logos_mixnet.core.rln.frame import FRAME_BYTES, ProofFrame
from logos_mixnet.core.rln.ports import Registry

VALUES = st.integers(0, MODULUS - 1).map(lambda value: value.to_bytes(32, "little"))
FRAMES = st.builds(
    ProofFrame,
    st.binary(min_size=128, max_size=128),
    VALUES,
    st.integers(0, 2**64 - 1),
    VALUES,
    VALUES,
    VALUES,
)


@pytest.mark.property
@given(frame=FRAMES)
def test_a_frame_comes_back(frame: ProofFrame) -> None:
    raw = frame.encode()

    assert len(raw) == FRAME_BYTES == 301
    assert ProofFrame.decode(raw) == frame


@pytest.mark.proofs
def test_the_bytes_are_those_of_the_native_core() -> None:
    node = Node.named("ada")
    members = MembersRig(Registry(genesis=(node.commitment,))).members
    raw = node.prove(members, packet(1))

    frame = ProofFrame.decode(raw)

    assert frame.encode() == raw
    assert frame.epoch == EPOCH
    native = RateLimitProof.from_bytes(raw).proof(APPLICATION.external_nullifier(EPOCH))
    (share,) = native.shares
    assert (frame.root, frame.groth16) == (native.root, native.groth16)
    assert (frame.share_x, frame.share_y, frame.nullifier) == (share.x, share.y, share.nullifier)
    assert frame.share_x == rln.signal_x(packet(1))


@pytest.mark.property
@given(frame=FRAMES, place=st.integers(0, FRAME_BYTES - 1), bits=st.integers(1, 255))
def test_r5_a_damaged_frame_is_another_one_or_refused(
    frame: ProofFrame, place: int, bits: int
) -> None:
    raw = bytearray(frame.encode())
    raw[place] ^= bits

    try:
        read = ProofFrame.decode(bytes(raw))
    except ProofMalformedError:
        return
    assert read != frame
    assert read.encode() == raw  # no second encoding of anything


@pytest.mark.property
@given(raw=st.binary(max_size=600))
def test_r5_bytes_are_read_or_blamed_on_their_sender(raw: bytes) -> None:
    with pytest.raises(RemoteFaultError) as caught:
        ProofFrame.decode(raw)

    assert caught.value.reason == "RLN_PROOF_MALFORMED"


@pytest.mark.parametrize("size", [0, 300, 302])
def test_another_length_is_refused(size: int) -> None:
    frame = ProofFrame(bytes(128), bytes(32), 1, bytes(32), bytes(32), bytes(32))

    with pytest.raises(ProofMalformedError):
        ProofFrame.decode((frame.encode() + b"\0")[:size])


@pytest.mark.property
@given(now_ms=st.integers(0, 2**50), gap=st.integers(0, 10), away=st.integers(-12, 12))
def test_an_epoch_is_a_floor_and_near_within_the_gap(now_ms: int, gap: int, away: int) -> None:
    epochs = Epochs(7_000, gap)
    epoch = epochs.at(now_ms)

    assert epochs.start_ms(epoch) <= now_ms < epochs.start_ms(epoch + 1)
    assert epochs.is_near(epoch + away, now_ms) == (abs(away) <= gap)


def test_epochs_that_are_none_are_refused() -> None:
    assert EPOCHS.at(0) == 0
    for period_ms, gap in ((0, 1), (1, -1)):
        with pytest.raises(ValueError, match="not a period"):
            Epochs(period_ms, gap)
