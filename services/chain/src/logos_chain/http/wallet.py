"""`/wallet/…`, `/leader/…`: the wallet, and what its leader has earned (HTP-16, HTP-18, HTP-22)."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.core.ledger.ledger import Ledger
from logos_chain.http.answers import answering, as_json
from logos_chain.http.operations import Operations
from logos_chain.http.orders import named_of, to_fund_order, to_transfer_order
from logos_chain.http.reading import Bodies, Parameters, identifier
from logos_chain.http.tips import at_tip
from logos_chain.http.written import of_proof, of_transaction
from logos_mantle.proofs import ZkSignatureProof


class WalletRoutes:
    """What the wallet has, and what it pays."""

    def __init__(self, operations: Operations, bodies: Bodies) -> None:
        self._with = operations
        self._wallet = operations.purse.wallet
        self._bodies = bodies
        self._turn = asyncio.Lock()
        """Of looking through all notes."""

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        transfer = "/wallet/transactions/transfer-funds"
        router.add_route(transfer, answering(self.transfer), methods=["POST"])
        router.add_route("/wallet/fund", answering(self.fund), methods=["POST"])
        router.add_route("/wallet/{key}/balance", answering(self.balance), methods=["GET"])
        router.add_route("/leader/claim", answering(self.claim), methods=["POST"])
        router.add_route("/leader/claim/vouchers", answering(self.vouchers), methods=["GET"])
        router.add_route("/leader/aged-notes", answering(self.aged_notes), methods=["GET"])

    async def balance(self, request: Request) -> Response:
        """Returns what a public key has at the tip, whosever it is."""
        tip = Parameters(request, ("tip",)).identifier("tip")
        key = identifier(request.path_params["key"], "public_key")

        def free(ledger: Ledger) -> dict[str, int]:
            return {
                each.hex(): one.note.value
                for each, one in ledger.notes_of({key})
                if one.channel is None and one.declaration is None
            }

        async with self._turn:
            found = await at_tip(self._with.follow, tip, free)
        notes = found.value
        return as_json(
            {
                "tip": found.tip.hex(),
                "balance": sum(notes.values()),
                "notes": notes,
                "address": key.hex(),
            }
        )

    async def transfer(self, request: Request) -> Response:
        """Pays; answers once the transaction is submitted."""
        order = await self._bodies.read(request, to_transfer_order)
        hash_ = await self._wallet.fulfil(order, named_of(request))
        return as_json({"hash": hash_.hex()}, 201)

    async def fund(self, request: Request) -> Response:
        """Pays for operations of the caller's, who signs them."""
        order = await self._bodies.read(request, to_fund_order)
        made = await self._wallet.prepare(order)
        proof = of_proof(ZkSignatureProof(made.transfer_proof))
        return as_json(
            {
                "tip": self._with.follow.tip.id.hex(),
                "funded_tx": of_transaction(made.draft.transaction),
                "transfer_proof": proof,
            }
        )

    # -- rewards -------------------------------------------------------------------------------

    async def claim(self, _: Request) -> Response:
        """Claims the reward of one block."""
        [hash_] = await self._wallet.claim(1)
        return as_json({"tx_hash": hash_.hex()})

    async def vouchers(self, request: Request) -> Response:
        """Returns the vouchers that can be claimed, and what each pays now."""
        tip = Parameters(request, ("tip",)).identifier("tip")
        found = await at_tip(self._with.follow, tip, lambda ledger: ledger.reward_share)
        vouchers = [each.voucher for each in self._wallet.vouchers() if each.is_claimable]
        return as_json(
            {
                "tip": found.tip.hex(),
                "vouchers": [
                    {"commitment": each.commitment.hex(), "nullifier": each.nullifier.hex()}
                    for each in vouchers
                ],
                "reward_amount": found.value,
                "total_claimable": found.value * len(vouchers),
            }
        )

    async def aged_notes(self, request: Request) -> Response:
        """Returns the wallet's notes that may lead now."""
        wanted = Parameters(request, ("tip",)).identifier("tip")
        tip = (await at_tip(self._with.follow, wanted, lambda _ledger: None)).tip
        root = self._with.information.now().epoch.aged_root
        own = {each.leader.note_id: each for each in self._wallet.leader_notes()}
        aged = await self._with.follow.aged_paths(root, own)
        notes = [
            {
                "note_id": each.hex(),
                "value": own[each].leader.value,
                "public_key": own[each].public_key.hex(),
            }
            for each in sorted(aged)
        ]
        total = sum(own[each].leader.value for each in aged)
        return as_json(
            {"tip": tip.hex(), "notes": notes, "count": len(notes), "total_value": total}
        )
