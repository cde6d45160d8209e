"""A nonce is for one module, for a minute, and for one registration."""

import pytest

from logos_kernel.core.challenges import MAX_OPEN, TTL_MS, Challenges, JoinRefusedError

NONCE = b"n" * 32


@pytest.fixture
def challenges() -> Challenges:
    made = Challenges()
    made.issue("chat", NONCE, 1000)
    return made


def test_it_is_used_once(challenges: Challenges) -> None:
    challenges.use("chat", NONCE, 1000 + TTL_MS - 1)

    with pytest.raises(JoinRefusedError):
        challenges.use("chat", NONCE, 1000)


@pytest.mark.parametrize(
    ("module", "nonce", "now_ms"),
    [
        ("mail", NONCE, 1000),
        ("chat", b"x" * 32, 1000),
        ("chat", NONCE, 1000 + TTL_MS),
        ("", b"", 0),
    ],
)
def test_it_is_not_for_others_nor_for_ever(
    challenges: Challenges, module: str, nonce: bytes, now_ms: int
) -> None:
    with pytest.raises(JoinRefusedError):
        challenges.use(module, nonce, now_ms)


def test_no_more_are_kept_than_a_bound(challenges: Challenges) -> None:
    for number in range(MAX_OPEN):
        challenges.issue("mail", number.to_bytes(32, "big"), 1000)

    with pytest.raises(JoinRefusedError):
        challenges.use("chat", NONCE, 1000)
    challenges.use("mail", bytes(32), 1000)
