"""Pays rewards out of stakes, and burns the rest, where this node has the keeper's key.

What is owed follows from the final chain, and a stake can be spent once: so nothing is kept here,
and no reward is paid twice.

Spec: docs/protocol/rln-registry.md, RLC-12.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import LogosError
from logos_chain.core.registry.payouts import payout
from logos_chain.core.registry.registry import Member
from logos_chain.core.wallet.types import Order
from logos_chain.operations.registry.reading import RegistryReader
from logos_chain.operations.wallets.submitting import Prepared, Submit
from logos_mantle.proofs import IndexedSignature, ThresholdProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction

log = logging.getLogger(__name__)

AGAIN_S: Final = 900.0
"""After so long a payout that is not final is made anew: its transaction may be gone."""
RETRY_S: Final = 30.0
"""After one that failed."""

Prepare = Callable[[Order], Awaitable[Prepared]]
"""`WalletOperations.prepare`."""


class Keeper:
    """The payouts of one registry, one at a time."""

    def __init__(
        self,
        reader: RegistryReader,
        key: Ed25519PrivateKey,
        prepare: Prepare,
        submit: Submit,
        *,
        again_s: float = AGAIN_S,
        retry_s: float = RETRY_S,
    ) -> None:
        """
        Args:
            reader: Of the final chain.
            key: The channel's.
            prepare: Has the node's wallet pay for operations.
            submit: Gives a transaction to the mempool.
            again_s: How long a payout may take.
            retry_s: How long to wait after one that failed.
        """
        self._reader = reader
        self._key = key
        self._prepare = prepare
        self._submit = submit
        self._again_s = again_s
        self._retry_s = retry_s

    async def run(self) -> None:
        """Pays until cancelled."""
        while True:
            owed = self._reader.registry.owed() if self._reader.is_read else []
            if not owed:
                await self._reader.changed()
                continue
            try:
                await self._pay(owed[0])
            except LogosError as error:
                log.warning("a reward is paid later", extra={"error": str(error)})
                await asyncio.sleep(self._retry_s)
                continue
            await self._paid(owed[0])

    async def _pay(self, member: Member) -> None:
        operations = payout(member, self._reader.rules.channel)
        made = await self._prepare(Order(operations=operations, signatures=(1, 1)))
        transaction = made.draft.transaction
        signature = IndexedSignature(self._key.sign(transaction.hash), 0)
        own = ThresholdProof((signature,))
        proofs = (own, own, ZkSignatureProof(made.transfer_proof))
        await self._submit(SignedTransaction(transaction, proofs).encoded)

    async def _paid(self, member: Member) -> None:
        """Waits until its stake has left, or for so long that it has to be tried anew."""
        try:
            async with asyncio.timeout(self._again_s):
                while self._reader.registry.members[member.leaf].has_stake:
                    await self._reader.changed()
        except TimeoutError:
            log.info("a reward is paid anew", extra={"leaf": member.leaf})
