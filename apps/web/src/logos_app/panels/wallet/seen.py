"""What is known of the wallet of a node. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from logos.chain.v1 import transaction_pb2, wallet_pb2
from logos_app.panels.chain.words import is_over

PAYMENTS: Final = 20


@dataclass(frozen=True, slots=True)
class Payment:
    """What a page has sent, asked for or claimed."""

    hash: bytes
    at_ms: int
    kind: str
    """`sent`, `faucet` or `claim`."""
    amount: int = 0
    fee: int = 0
    tip: int = 0
    status: transaction_pb2.TransactionStatus | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return is_over(self.status)


@dataclass(frozen=True, slots=True)
class WalletSeen:
    """The wallet of a node, as the app saw it last."""

    balance: wallet_pb2.GetBalanceResponse | None = None
    is_scanning: bool = False
    """It looks through the chain, and tells nothing else until then."""
    history: tuple[wallet_pb2.ListHistoryResponse.Entry, ...] = ()
    older: str = ""
    """Token of the page after it."""
    vouchers: wallet_pb2.ListVouchersResponse | None = None
    address: bytes = b""
    """The last one that a page was given."""
    payments: tuple[Payment, ...] = ()
    """Newest first; those of the pages of this app."""
    asked_ms: int = 0
    tip: bytes = b""
    """The last block when it was asked."""

    @property
    def knows_sums(self) -> bool:
        """Whether the sums are those of the whole chain, and not of a part of it."""
        return self.balance is not None and not self.is_scanning and not self.scan_target

    @property
    def scan_target(self) -> int:
        """Height up to which the wallet looks through the chain; 0 if it does not."""
        return 0 if self.balance is None else self.balance.scan_target_height

    @property
    def claimable(self) -> int:
        """How many vouchers can be claimed now."""
        if self.vouchers is None:
            return 0
        return sum(each.is_claimable for each in self.vouchers.vouchers)

    @property
    def claimed(self) -> int:
        """How many were."""
        if self.vouchers is None:
            return 0
        return sum(each.is_claimed for each in self.vouchers.vouchers)


def with_payment(seen: WalletSeen, payment: Payment) -> WalletSeen:
    """The wallet after a page has paid; a repetition changes nothing."""
    if any(each.hash == payment.hash for each in seen.payments):
        return seen
    return replace(seen, payments=(payment, *seen.payments)[:PAYMENTS])


def with_statuses(
    seen: WalletSeen, statuses: Mapping[bytes, transaction_pb2.TransactionStatus | None]
) -> WalletSeen:
    """The wallet after payments were asked for; one that is not known any more stays as it was."""
    payments = tuple(
        replace(each, status=statuses.get(each.hash) or each.status) for each in seen.payments
    )
    return replace(seen, payments=payments)
