"""What the Wallet says, and how it reads what was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos.chain.v1 import transaction_pb2, wallet_pb2
from logos_app.panels.wallet import words
from logos_app.panels.wallet.seen import Payment, WalletSeen

KEY = "0a" * 32
MAX_U64 = 2**64 - 1


def wallet(**sums: int) -> WalletSeen:
    return WalletSeen(balance=wallet_pb2.GetBalanceResponse(**sums))


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (WalletSeen(), "What the wallet of node1 has is not known yet."),
        (WalletSeen(is_scanning=True), "The wallet of node1 looks through the chain."),
        (
            wallet(height=12, scan_target_height=400),
            "The wallet of node1 looks through the chain: block 12 of 400.",
        ),
        (wallet(), "Node1 has no tokens to spend."),
        (wallet(pending=3), "Node1 has no tokens to spend; 3 tokens come."),
        (wallet(available=1), "Node1 has 1 token to spend."),
        (wallet(available=1204), "Node1 has 1,204 tokens to spend."),
    ],
)
def test_what_a_wallet_has(seen: WalletSeen, said: str) -> None:
    assert words.sentence("node1", seen) == said


def test_sums_of_zero_are_left_out() -> None:
    balance = wallet_pb2.GetBalanceResponse(confirmed=5, locked=2, in_channels=0)

    assert words.sums(balance) == [("5", "confirmed"), ("2", "locked")]


@given(st.integers(0, MAX_U64), st.integers(0, MAX_U64), st.integers(0, MAX_U64))
def test_an_order_is_right_if_it_can_be_paid(value: int, tip: int, available: int) -> None:
    order = words.order_of(KEY, f"{value:,}", str(tip), available)

    assert (not order.wrong) == (value > 0 and value + tip <= available)
    assert (order.value, order.tip_value) == (value, tip)


def test_an_order_is_read_where_sums_are_not_known() -> None:
    order = words.order_of(f"0x{KEY}", "5", "", None)

    assert (order.wrong, order.value, order.public_key.hex()) == ((), 5, KEY)
    assert "not known" in words.left_said(order, None)


def test_all_that_is_wrong_is_said_at_once() -> None:
    order = words.order_of("", "", "x", 0)

    assert sorted(order.faults) == ["amount", "tip", "to"]
    assert words.order_of(KEY, "1", "", 0).faults == {"amount": "There is nothing to spend yet."}


@pytest.mark.parametrize(
    ("payment", "said"),
    [
        (Payment(b"", 0, "faucet", 500), "500 tokens from the faucet"),
        (Payment(b"", 0, "claim"), "a reward, claimed"),
        (Payment(b"", 0, "sent", 1, 3), "1 token, with a fee of 3"),
        (Payment(b"", 0, "sent", 20, 3, 4), "20 tokens, with a fee of 3 and a tip of 4"),
    ],
)
def test_what_a_page_has_done(payment: Payment, said: str) -> None:
    assert words.payment_said(payment) == said
    assert words.payment_status(payment) == "waits for a block"


def test_rewards() -> None:
    assert words.vouchers_said("node1", WalletSeen()) == "It is not known yet."
    none = WalletSeen(vouchers=wallet_pb2.ListVouchersResponse())
    assert words.vouchers_said("node1", none).endswith("so there is none.")
    one = wallet_pb2.ListVouchersResponse.Voucher(is_claimable=True)
    some = WalletSeen(vouchers=wallet_pb2.ListVouchersResponse(vouchers=[one], share=25))
    assert words.vouchers_said("node1", some) == (
        "One voucher for blocks that node1 has made: one can be claimed now, none were."
        " One brings 25 tokens before its fee."
    )


def test_what_others_see_is_whole_sentences() -> None:
    assert all(each.endswith(".") for each in words.SEEN_BY_OTHERS)


def test_a_status_that_is_known_is_said() -> None:
    status = transaction_pb2.TransactionStatus(
        stage=transaction_pb2.TRANSACTION_STAGE_FINAL, height=9
    )

    assert words.payment_status(Payment(b"", 0, "sent", status=status)) == "is final, in block 9"
