"""What the app knows of a wallet and of its payments."""

from logos.chain.v1 import transaction_pb2, wallet_pb2
from logos_app.panels.wallet import seen
from logos_app.panels.wallet.seen import PAYMENTS, Payment, WalletSeen

INCLUDED = transaction_pb2.TransactionStatus(
    stage=transaction_pb2.TRANSACTION_STAGE_INCLUDED, block=b"b" * 32
)


def payment(number: int, kind: str = "sent") -> Payment:
    return Payment(number.to_bytes(32, "big"), number, kind)


def test_only_the_last_payments_are_kept_and_none_twice() -> None:
    now = WalletSeen()
    for number in range(30):
        now = seen.with_payment(seen.with_payment(now, payment(number)), payment(number))

    assert [each.at_ms for each in now.payments] == list(range(29, 29 - PAYMENTS, -1))


def test_a_payment_that_is_forgotten_stays_as_it_was() -> None:
    now = seen.with_payment(WalletSeen(), payment(1))
    now = seen.with_statuses(now, {payment(1).hash: INCLUDED})

    assert seen.with_statuses(now, {payment(1).hash: None}) == now


def test_sums_of_a_part_of_the_chain_are_not_known() -> None:
    whole = wallet_pb2.GetBalanceResponse(available=5)
    part = wallet_pb2.GetBalanceResponse(available=5, scan_target_height=9)

    assert WalletSeen(balance=whole).knows_sums
    assert not WalletSeen(balance=part).knows_sums
    assert not WalletSeen(balance=whole, is_scanning=True).knows_sums
    assert not WalletSeen().knows_sums
