"""Serves `logos.chain.v1.Wallet`. The contract lists the errors; here they are only raised."""

from typing import Final

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1.wallet_pb2_grpc import WalletServicer as Contract
from logos_chain.operations.faucet import FaucetOperations
from logos_chain.operations.wallets.purse import Purse
from logos_chain.rpc import wallet_values
from logos_module.contexts import Context
from logos_module.marks import mark_in
from logos_module.pages import number_to_token, page_size, page_start, token_to_number

MAX_CLAIMS: Final = 16


class WalletServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, purse: Purse, faucet: FaucetOperations) -> None:
        self._purse = purse
        self._wallet = purse.wallet
        self._faucet = faucet

    # -- what there is -------------------------------------------------------------------------

    async def NewAddress(
        self, request: pb.NewAddressRequest, context: Context
    ) -> pb.NewAddressResponse:
        """Returns a public key to be paid to."""
        return pb.NewAddressResponse(public_key=await self._wallet.address())

    async def GetBalance(
        self, request: pb.GetBalanceRequest, context: Context
    ) -> pb.GetBalanceResponse:
        """Returns all sums."""
        return wallet_values.from_standing(self._purse.standing())

    async def ListNotes(
        self, request: pb.ListNotesRequest, context: Context
    ) -> pb.ListNotesResponse:
        """Lists the unspent notes."""
        start = page_start(request.page_token, token_to_number) or 0
        end = start + page_size(request.page_size)
        notes = sorted(self._wallet.notes().items(), key=lambda one: (-one[1].note.value, one[0]))
        reserved = self._wallet.reserved()
        return pb.ListNotesResponse(
            notes=[
                wallet_values.from_note(identifier, note, is_reserved=identifier in reserved)
                for identifier, note in notes[start:end]
            ],
            next_page_token=number_to_token(end) if end < len(notes) else "",
        )

    async def ListHistory(
        self, request: pb.ListHistoryRequest, context: Context
    ) -> pb.ListHistoryResponse:
        """Lists what came and went."""
        before = page_start(request.page_token, wallet_values.token_to_place)
        size = page_size(request.page_size)
        found = await self._wallet.history(before, size)
        waiting = self._purse.outside(found) if before is None else []
        last = found[-1] if len(found) == size else None
        return pb.ListHistoryResponse(
            entries=[
                *[wallet_values.from_draft(each) for each in waiting],
                *[self._entry(each) for each in found],
            ],
            next_page_token=""
            if last is None
            else wallet_values.place_to_token(last.entry.height, last.place),
        )

    def _entry(self, recorded: wallet_values.Recorded) -> pb.ListHistoryResponse.Entry:
        entry = recorded.entry
        return wallet_values.from_entry(
            entry, self._purse.stage_at(entry.height), self._purse.time_ms(entry.slot)
        )

    async def ListVouchers(
        self, request: pb.ListVouchersRequest, context: Context
    ) -> pb.ListVouchersResponse:
        """Lists the vouchers."""
        return pb.ListVouchersResponse(
            vouchers=[wallet_values.from_voucher(each) for each in self._wallet.vouchers()],
            share=await self._purse.share(),
        )

    # -- payments ------------------------------------------------------------------------------

    async def Send(self, request: pb.SendRequest, context: Context) -> pb.SendResponse:
        """Pays; the mark is given back in the event (WAL-33)."""
        outputs = [wallet_values.to_note(each) for each in request.outputs]
        hash_ = await self._wallet.send(
            outputs,
            tip=request.tip,
            request=request.idempotency_key,
            mark=mark_in(context.invocation_metadata()),
        )
        draft = self._purse.draft(hash_)
        return pb.SendResponse(
            hash=hash_,
            fee=0 if draft is None else draft.fee,
            tip=0 if draft is None else draft.tip,
        )

    async def PrepareTransaction(
        self, request: pb.PrepareTransactionRequest, context: Context
    ) -> pb.PrepareTransactionResponse:
        """Pays for operations of the caller's."""
        made = await self._wallet.prepare(wallet_values.to_order(request))
        return pb.PrepareTransactionResponse(
            hash=made.draft.hash,
            transaction=made.draft.transaction.encoded,
            transfer_proof=made.transfer_proof,
            fee=made.draft.fee,
        )

    async def Claim(self, request: pb.ClaimRequest, context: Context) -> pb.ClaimResponse:
        """Claims rewards."""
        return pb.ClaimResponse(
            hashes=await self._wallet.claim(min(request.count, MAX_CLAIMS) or 1)
        )

    async def Faucet(self, request: pb.FaucetRequest, context: Context) -> pb.FaucetResponse:
        """Asks the faucet for tokens."""
        if request.public_key:
            key = wallet_values.to_key(request.public_key, "public_key")
        else:
            key = await self._wallet.address()
        paid = await self._faucet.pay(key)
        return pb.FaucetResponse(hash=paid.hash, value=paid.value, public_key=key)

    # -- keys ----------------------------------------------------------------------------------

    async def Watch(self, request: pb.WatchRequest, context: Context) -> pb.WatchResponse:
        """Watches a public key."""
        await self._wallet.watch(wallet_values.to_key(request.public_key, "public_key"))
        return pb.WatchResponse()

    async def ExportPhrase(
        self, request: pb.ExportPhraseRequest, context: Context
    ) -> pb.ExportPhraseResponse:
        """Returns the phrase."""
        return pb.ExportPhraseResponse(phrase=await self._purse.phrase())

    async def NewWallet(
        self, request: pb.NewWalletRequest, context: Context
    ) -> pb.NewWalletResponse:
        """Makes a wallet of new random words."""
        return pb.NewWalletResponse(phrase=await self._purse.renew())

    async def RestorePhrase(
        self, request: pb.RestorePhraseRequest, context: Context
    ) -> pb.RestorePhraseResponse:
        """Takes the wallet of a phrase."""
        await self._purse.restore(request.phrase)
        return pb.RestorePhraseResponse()
