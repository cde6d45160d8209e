"""What becomes of payments, and what else changes in a wallet with a block."""

import asyncio
from dataclasses import replace
from typing import Final

import grpc

from logos.chain.v1 import wallet_pb2 as pb
from logos_app.clock import now_ms
from logos_app.panels.chain import client as chain_client
from logos_app.panels.chain.following import chain_of
from logos_app.panels.contract import Place
from logos_app.panels.wallet import client, seen
from logos_app.panels.wallet.seen import Payment, WalletSeen
from logos_app.shown.problems import reason_of

ASKED_AGAIN_MS: Final = 5_000
"""For what other programs do with the wallet between two blocks."""
SCANNING: Final = "WALLET_SCANNING"


async def read_wallet(at: Place, *, anew: bool = False) -> None:
    """Asks for what a wallet has, if the chain has moved, or it was some seconds ago."""
    now = at.kept(WalletSeen())
    tip = chain_of(at).tip
    place = b"" if tip is None else tip.id
    if not anew and place == now.tip and now_ms() - now.asked_ms < ASKED_AGAIN_MS:
        return
    balance, is_scanning = await balance_of(at.channel)
    if is_scanning or (balance is not None and balance.scan_target_height):
        # It may be another wallet than it was: nothing of that one is shown as this one's.
        payments = at.kept(WalletSeen()).payments
        known = WalletSeen(balance=balance, is_scanning=is_scanning, payments=payments)
    else:
        entries, older = await client.history(at.channel, "")
        vouchers = await client.vouchers(at.channel)
        known = replace(
            at.kept(WalletSeen()),
            balance=balance,
            is_scanning=False,
            history=tuple(entries),
            older=older,
            vouchers=vouchers,
        )
    at.keep(replace(known, asked_ms=now_ms(), tip=place))
    await read_statuses(at)


async def balance_of(channel: grpc.aio.Channel) -> tuple[pb.GetBalanceResponse | None, bool]:
    """The sums of a wallet, and whether it tells none while it looks through the chain."""
    try:
        return await client.balance(channel), False
    except grpc.aio.AioRpcError as error:
        if reason_of(error) == SCANNING:
            return None, True
        raise


async def read_statuses(at: Place) -> None:
    """Asks how far payments have come."""
    waiting = [each.hash for each in at.kept(WalletSeen()).payments if not each.is_over]
    if not waiting:
        return
    found = await asyncio.gather(*(chain_client.status(at.channel, each) for each in waiting))
    statuses = dict(zip(waiting, found, strict=True))
    at.keep(seen.with_statuses(at.kept(WalletSeen()), statuses))


def add(at: Place, *payments: Payment) -> None:
    """Keeps what a page has paid, to be followed."""
    now = at.kept(WalletSeen())
    for payment in payments:
        now = seen.with_payment(now, payment)
    at.keep(now)
