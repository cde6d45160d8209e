"""FAU-1 to FAU-5: who pays, what is answered, and what a hostile peer can make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import LogosError
from logos_chain.core.faucet import (
    MAX_ANSWER_BYTES,
    FaucetAnswerError,
    FaucetEmptyError,
    FaucetPayment,
    FaucetWaitsError,
    NoFaucetError,
    decode_answer,
    decode_request,
    encode_payment,
    encode_refusal,
    encode_request,
)
from logos_chain.core.wallet.errors import FundsInsufficientError
from logos_chain.operations.faucet import FaucetOperations, OwnFaucet

GENESIS = bytes(range(32))
KEY = bytes([7]) * 32
HASH = bytes([9]) * 32


class Peers:
    """Peers with faucets: each answers with bytes, or fails."""

    def __init__(self, **answers: bytes | LogosError) -> None:
        self.answers = answers
        self.asked: list[tuple[str, bytes]] = []

    async def find(self, limit: int) -> list[str]:
        return list(self.answers)[:limit]

    async def ask(self, peer: str, request: bytes) -> bytes:
        self.asked.append((peer, request))
        answer = self.answers[peer]
        if isinstance(answer, LogosError):
            raise answer
        return answer


class Purse:
    """A wallet with so much to spend; change comes back when a block is made."""

    def __init__(self, *, free: int, reserved: int = 0) -> None:
        self.free = free
        self.reserved = reserved
        self.paid: list[bytes] = []

    async def pay(self, public_key: bytes, value: int) -> bytes:
        if value > self.free:
            raise FundsInsufficientError("too little")
        self.reserved, self.free = self.free, 0
        self.paid.append(public_key)
        return HASH

    def faucet(self) -> OwnFaucet:
        return OwnFaucet(self.pay, lambda: self.reserved, value=1_000, block_ms=10_000)


async def test_the_own_faucet_pays_and_then_waits_for_its_change() -> None:
    purse, peers = Purse(free=5_000), Peers()
    faucet = FaucetOperations(purse.faucet(), peers, GENESIS)

    assert await faucet.pay(KEY) == FaucetPayment(HASH, 1_000)
    with pytest.raises(FaucetWaitsError) as caught:
        await faucet.pay(KEY)

    assert caught.value.retry_after_ms == 10_000
    assert (purse.paid, peers.asked) == ([KEY], [])


async def test_an_empty_faucet_says_so() -> None:
    faucet = FaucetOperations(Purse(free=999).faucet(), Peers(), GENESIS)
    with pytest.raises(FaucetEmptyError):
        await faucet.pay(KEY)


async def test_peers_are_asked_until_one_pays() -> None:
    paid = encode_payment(FaucetPayment(HASH, 1_000))
    waits = encode_refusal(FaucetWaitsError("", retry_after_ms=5))
    peers = Peers(lost=FaucetAnswerError("gone"), waits=waits, pays=paid, never=paid)

    found = await FaucetOperations(None, peers, GENESIS).pay(KEY)

    assert found == FaucetPayment(HASH, 1_000)
    assert peers.asked == [(each, GENESIS + KEY) for each in ("lost", "waits", "pays")]


async def test_the_last_answer_is_told_where_nobody_pays() -> None:
    waits = encode_refusal(FaucetWaitsError("", retry_after_ms=1_234))
    with pytest.raises(FaucetWaitsError) as caught:
        await FaucetOperations(None, Peers(one=b"junk", two=waits), GENESIS).pay(KEY)
    assert caught.value.retry_after_ms == 1_234
    with pytest.raises(NoFaucetError):
        await FaucetOperations(None, Peers(), GENESIS).pay(KEY)


async def test_a_request_of_another_chain_or_length_gets_no_answer() -> None:
    purse = Purse(free=5_000)
    faucet = FaucetOperations(purse.faucet(), Peers(), GENESIS)

    for raw in (b"", GENESIS, bytes(32) + KEY, GENESIS + KEY + b"\0"):
        assert await faucet.answer(raw) is None
    assert not purse.paid
    assert await faucet.answer(encode_request(GENESIS, KEY)) == encode_payment(
        FaucetPayment(HASH, 1_000)
    )
    assert await FaucetOperations(None, Peers(), GENESIS).answer(GENESIS + KEY) is None


async def test_a_refusal_is_answered_by_its_reason_and_no_text() -> None:
    faucet = FaucetOperations(Purse(free=0, reserved=1).faucet(), Peers(), GENESIS)
    answer = await faucet.answer(GENESIS + KEY)
    assert answer == b"\1" + (10_000).to_bytes(4, "little") + b"FAUCET_WAITS"


@given(st.binary(max_size=2 * MAX_ANSWER_BYTES))
def test_any_answer_is_a_payment_or_one_error(raw: bytes) -> None:
    try:
        found = decode_answer(raw)
    except (FaucetWaitsError, FaucetEmptyError, FaucetAnswerError):
        return
    assert encode_payment(found) == raw


def test_what_was_asked_for_is_read_again() -> None:
    assert decode_request(encode_request(GENESIS, KEY), GENESIS) == KEY
