"""Reply blocks and answers (MIX-11)."""

import mix_oracle as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mix_paths import counting, path_of, private_keys, walk
from mix_variants import VARIANTS

from logos_mixnet.core.sphinx.errors import MixMessageError, PayloadDamagedError
from logos_mixnet.core.sphinx.geometry import KAPPA, MESSAGE_BYTES, PACKET_BYTES, SURB_BYTES
from logos_mixnet.core.sphinx.packet import Relay, Reply, receive, unwrap
from logos_mixnet.core.sphinx.payload import PayloadCipher
from logos_mixnet.core.sphinx.surb import Surb, create_surb

ANSWER = bytes(i % 241 for i in range(MESSAGE_BYTES))


@pytest.mark.parametrize("hops", [3, 4, 5])
@pytest.mark.parametrize("cipher", VARIANTS.values(), ids=VARIANTS)
def test_an_answer_comes_back(hops: int, cipher: PayloadCipher) -> None:
    keys = private_keys(hops)
    surb, secret = create_surb(path_of(keys), counting(1))

    last = walk(Surb.decode(surb.encode()).answer(ANSWER, cipher), keys, cipher)[-1]

    assert surb.first_hop == path_of(keys).hops[0].address
    assert isinstance(last, Reply)
    assert last.surb_id == secret.surb_id
    assert secret.recover(last.payload, cipher) == ANSWER


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), hops=st.integers(3, 5))
def test_a_second_decoder_reads_the_answer(seed: int, hops: int) -> None:
    keys = private_keys(hops)
    surb, secret = create_surb(path_of(keys), counting(seed))
    packet: bytes | None = surb.answer(ANSWER)

    for key in keys:
        assert packet is not None
        peeled = oracle.peel(packet, key)
        packet = peeled.packet

    assert packet is None
    assert peeled.surb_id == secret.surb_id
    recovered = oracle.recover(surb.reply_key, list(secret.secrets), peeled.payload)
    assert recovered == bytes(KAPPA) + ANSWER


@settings(max_examples=50, deadline=None)
@given(bit=st.integers(0, 8 * (PACKET_BYTES - 624) - 1))
def test_an_answer_that_was_changed_is_refused(bit: int) -> None:
    keys = private_keys(3)
    surb, secret = create_surb(path_of(keys), counting(2))
    packet = bytearray(surb.answer(ANSWER))
    packet[624 + bit // 8] ^= 1 << bit % 8

    last = walk(bytes(packet), keys)[-1]

    assert isinstance(last, Reply)
    with pytest.raises(PayloadDamagedError):
        secret.recover(last.payload)


def test_the_second_use_of_a_block_has_the_tag_of_the_first() -> None:
    keys = private_keys(3)
    surb, _ = create_surb(path_of(keys), counting(3))

    first, second = surb.answer(ANSWER), surb.answer(bytes(MESSAGE_BYTES))

    assert receive(first, keys[0]).replay_tag == receive(second, keys[0]).replay_tag


def test_answers_look_like_forward_packets_to_relays() -> None:
    keys = private_keys(3)
    surb, _ = create_surb(path_of(keys), counting(4))

    step = unwrap(receive(surb.answer(ANSWER), keys[0]))

    assert isinstance(step, Relay)
    assert len(step.packet) == PACKET_BYTES


def test_another_blocks_keys_read_nothing() -> None:
    keys = private_keys(3)
    surb, _ = create_surb(path_of(keys), counting(5))
    _, others = create_surb(path_of(keys), counting(6))

    last = walk(surb.answer(ANSWER), keys)[-1]

    assert isinstance(last, Reply)
    with pytest.raises(PayloadDamagedError):
        others.recover(last.payload)
    with pytest.raises(PayloadDamagedError):
        others.recover(b"")


def test_ids_are_never_zero() -> None:
    drawn = [b"\x01" * 32, bytes(KAPPA), b"\x02" * KAPPA, b"\x03" * KAPPA]

    _, secret = create_surb(path_of(private_keys(3)), lambda _: drawn.pop(0))

    assert secret.surb_id == b"\x02" * KAPPA


@pytest.mark.parametrize("size", [0, SURB_BYTES - 1, SURB_BYTES + 1])
def test_blocks_of_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(MixMessageError):
        Surb.decode(bytes(size))


def test_an_answer_is_padded_first() -> None:
    surb, _ = create_surb(path_of(private_keys(3)), counting(7))

    with pytest.raises(ValueError, match="3968"):
        surb.answer(b"not padded")
