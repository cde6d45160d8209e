"""KER-15: a nonce holds for one registration, and not for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.challenges import NONCE_BYTES, TTL_MS, Challenges, JoinRefusedError

NOW_MS = 1_800_000_000_000
OURS = Challenges(b"k" * 32)
NONCE = OURS.issue("chat", b"r" * 8, NOW_MS)


@pytest.fixture
def challenges() -> Challenges:
    return Challenges(b"k" * 32)


def test_a_nonce_holds_for_its_module_until_it_is_used(challenges: Challenges) -> None:
    assert len(NONCE) == NONCE_BYTES == 32
    challenges.check("chat", NONCE, NOW_MS)
    challenges.check("chat", NONCE, NOW_MS + TTL_MS - 1)

    challenges.use(NONCE, NOW_MS)

    with pytest.raises(JoinRefusedError):
        challenges.check("chat", NONCE, NOW_MS)


@pytest.mark.parametrize(("module", "after_ms"), [("mail", 0), ("chat", TTL_MS)])
def test_not_for_another_module_and_not_for_long(
    challenges: Challenges, module: str, after_ms: int
) -> None:
    with pytest.raises(JoinRefusedError):
        challenges.check(module, NONCE, NOW_MS + after_ms)


def test_not_with_another_kernel() -> None:
    with pytest.raises(JoinRefusedError):
        Challenges(b"o" * 32).check("chat", NONCE, NOW_MS)


@given(st.binary(max_size=64))
def test_nobody_makes_one(nonce: bytes) -> None:
    with pytest.raises(JoinRefusedError):
        OURS.check("chat", nonce, NOW_MS)


@given(st.integers(0, 8 * NONCE_BYTES - 1))
def test_no_bit_of_it_can_be_changed(bit: int) -> None:
    changed = bytearray(NONCE)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(JoinRefusedError):
        OURS.check("chat", bytes(changed), NOW_MS)


def test_used_nonces_are_forgotten_once_they_have_ended(challenges: Challenges) -> None:
    for number in range(1000):
        now_ms = NOW_MS + 1000 * number
        challenges.use(challenges.issue("chat", number.to_bytes(8, "big"), now_ms), now_ms)

    assert len(challenges._used) == TTL_MS // 1000
