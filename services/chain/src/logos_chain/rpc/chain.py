"""Serves `logos.chain.v1.ChainNode`. The contract lists the errors; here they are only raised."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeServicer as Contract
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.errors import (
    BlockMissingError,
    BlockUnknownError,
    ChannelUnknownError,
    DeclarationUnknownError,
    NoteUnknownError,
    TransactionUnknownError,
)
from logos_chain.core.ledger.declared import declared_node, declared_nodes
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.types import Supply, UnspentNote
from logos_chain.operations.exploring import BlockView, ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.information import Information
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.transactions import TransactionOperations
from logos_chain.operations.watching import ChainMove, WatchOperations
from logos_chain.rpc import convert
from logos_chain.rpc.declarations import from_declared, token_to_id
from logos_chain.rpc.information import from_standing
from logos_chain.rpc.statuses import from_status
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import Block
from logos_module.contexts import Context
from logos_module.pages import number_to_token, page_start, token_to_number

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100


class ChainNodeServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(
        self,
        follow: FollowOperations,
        explore: ExploreOperations,
        watch: WatchOperations,
        *,
        mempool: MempoolOperations,
        transactions: TransactionOperations,
        information: Information,
    ) -> None:
        self._follow = follow
        self._explore = explore
        self._watch = watch
        self._mempool = mempool
        self._transactions = transactions
        self._information = information

    async def GetInfo(self, request: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        """Returns where the chain and this node stand."""
        return from_standing(self._information.now())

    # -- blocks --------------------------------------------------------------------------------

    async def GetBlock(self, request: pb.GetBlockRequest, context: Context) -> pb.GetBlockResponse:
        """Returns a block without its transactions."""
        match request.WhichOneof("block"):
            case "id":
                found = await self._explore.block(BlockId(convert.identifier(request.id, "id")))
            case "height":
                found = await self._explore.at_height(request.height)
            case _:
                raise BlockMissingError("give the id of a block, or its height")
        block = await self._body(found.outline.id)
        return _from_block(found, block, self._explore.children(found.outline.id))

    async def ListBlocks(
        self, request: pb.ListBlocksRequest, context: Context
    ) -> pb.ListBlocksResponse:
        """Lists the blocks of the local chain."""
        start = page_start(request.page_token, token_to_number)
        views = await self._explore.page(start, _size(request.page_size))
        first = self._explore.first_height
        oldest = views[-1].outline.height if views else 0
        return pb.ListBlocksResponse(
            blocks=[convert.from_view(each) for each in views],
            next_page_token=number_to_token(oldest - 1) if oldest > first else "",
        )

    async def ListBlockTransactions(
        self, request: pb.ListBlockTransactionsRequest, context: Context
    ) -> pb.ListBlockTransactionsResponse:
        """Lists the transactions of a block."""
        found = (await self._body(BlockId(convert.identifier(request.id, "id")))).transactions
        start, size = page_start(request.page_token, token_to_number) or 0, _size(request.page_size)
        end = start + size
        return pb.ListBlockTransactionsResponse(
            transactions=[convert.from_transaction(each) for each in found[start:end]],
            next_page_token=number_to_token(end) if end < len(found) else "",
        )

    async def _body(self, identifier: BlockId) -> Block:
        block = await self._follow.block(identifier)
        if block is None:
            raise BlockUnknownError("there is no such block here")
        return block

    async def WatchBlocks(
        self, request: pb.WatchBlocksRequest, context: Context
    ) -> AsyncIterator[pb.WatchBlocksResponse]:
        """Streams what becomes of the local chain."""
        after = BlockId(convert.identifier(request.after, "after")) if request.after else None
        async with aclosing(self._watch.moves(after)) as moves:
            async for move in moves:
                yield _from_move(move)

    async def ListForks(
        self, request: pb.ListForksRequest, context: Context
    ) -> pb.ListForksResponse:
        """Lists the ends of all chains."""
        return pb.ListForksResponse(
            forks=[
                pb.ListForksResponse.Fork(
                    tip=convert.from_tree(each.tip),
                    common=convert.from_tree(each.common),
                    blocks=each.blocks,
                    local_blocks=each.local_blocks,
                )
                for each in self._explore.forks()
            ]
        )

    # -- transactions --------------------------------------------------------------------------

    async def SubmitTransaction(
        self, request: pb.SubmitTransactionRequest, context: Context
    ) -> pb.SubmitTransactionResponse:
        """Takes a signed transaction into the mempool."""
        return pb.SubmitTransactionResponse(hash=await self._transactions.submit(request.raw))

    async def GetTransaction(
        self, request: pb.GetTransactionRequest, context: Context
    ) -> pb.GetTransactionResponse:
        """Returns a transaction and its status."""
        hash_ = convert.identifier(request.hash, "hash")
        status = await self._transactions.status(hash_)
        if status is None:
            raise TransactionUnknownError("this node does not know it, or no longer")
        signed = await self._transactions.transaction(hash_, status)
        transaction = None if signed is None else convert.from_transaction(signed, with_raw=True)
        return pb.GetTransactionResponse(
            transaction=transaction, status=from_status(status, self._information)
        )

    async def WatchTransaction(
        self, request: pb.WatchTransactionRequest, context: Context
    ) -> AsyncIterator[pb.WatchTransactionResponse]:
        """Streams the status of a transaction."""
        hash_ = convert.identifier(request.hash, "hash")
        async with aclosing(self._transactions.statuses(hash_)) as statuses:
            async for each in statuses:
                status = None if each is None else from_status(each, self._information)
                yield pb.WatchTransactionResponse(status=status)

    async def ListMempool(
        self, request: pb.ListMempoolRequest, context: Context
    ) -> pb.ListMempoolResponse:
        """Lists the transactions that wait."""
        start, size = page_start(request.page_token, token_to_number) or 0, _size(request.page_size)
        page = self._mempool.waiting(start, size)
        end, total = start + len(page), self._mempool.count
        return pb.ListMempoolResponse(
            transactions=[convert.from_transaction(each) for each in page],
            next_page_token=number_to_token(end) if page and end < total else "",
            total=total,
        )

    # -- ledger --------------------------------------------------------------------------------

    async def GetNote(self, request: pb.GetNoteRequest, context: Context) -> pb.GetNoteResponse:
        """Returns an unspent note."""
        wanted = convert.identifier(request.id, "id")

        def read(ledger: Ledger) -> tuple[UnspentNote | None, MerklePath | None, bytes]:
            return ledger.note(wanted), ledger.note_path(wanted), ledger.root

        found = await self._follow.at_tip(read)
        note, path, root = found.value
        if note is None or path is None:
            raise NoteUnknownError("no such note is unspent at the tip")
        return pb.GetNoteResponse(
            note=convert.from_note(note.note),
            channel=note.channel or b"",
            declaration=note.declaration or b"",
            place=note.slot,
            path=path.siblings,
            root=root,
            block=found.tip,
        )

    async def GetChannel(
        self, request: pb.GetChannelRequest, context: Context
    ) -> pb.GetChannelResponse:
        """Returns the state of a channel."""
        wanted = convert.identifier(request.id, "id")
        found = await self._follow.at_tip(lambda ledger: ledger.channel(wanted))
        channel = found.value
        if channel is None:
            raise ChannelUnknownError("no such channel exists at the tip")
        return pb.GetChannelResponse(
            keys=channel.keys,
            tip=channel.tip,
            tip_slot=channel.tip_slot,
            sequencer=channel.sequencer,
            sequencer_since_slot=channel.sequencer_since_slot,
            posting_timeframe_slots=channel.posting_timeframe_slots,
            posting_timeout_slots=channel.posting_timeout_slots,
            configuration_threshold=channel.configuration_threshold,
            transfer_threshold=channel.transfer_threshold,
            block=found.tip,
        )

    async def GetDeclaration(
        self, request: pb.GetDeclarationRequest, context: Context
    ) -> pb.GetDeclarationResponse:
        """Returns the declaration of a service's node."""
        wanted = convert.identifier(request.id, "id")
        found = await self._follow.at_tip(lambda ledger: declared_node(ledger, wanted))
        if found.value is None:
            raise DeclarationUnknownError("no such declaration exists at the tip")
        return pb.GetDeclarationResponse(
            declaration=from_declared(found.value, self._explore.parameters), block=found.tip
        )

    async def ListDeclarations(
        self, request: pb.ListDeclarationsRequest, context: Context
    ) -> pb.ListDeclarationsResponse:
        """Lists the declarations of services' nodes."""
        after, size = page_start(request.page_token, token_to_id), _size(request.page_size)
        found = await self._follow.at_tip(
            lambda ledger: declared_nodes(ledger, after or b"", size + 1)
        )
        page, more = found.value[:size], found.value[size:]
        return pb.ListDeclarationsResponse(
            declarations=[from_declared(each, self._explore.parameters) for each in page],
            next_page_token=page[-1].identifier.hex() if more else "",
            block=found.tip,
        )

    async def GetSupply(
        self, request: pb.GetSupplyRequest, context: Context
    ) -> pb.GetSupplyResponse:
        """Returns where all tokens are."""

        def read(ledger: Ledger) -> tuple[Supply, int]:
            return ledger.supply, ledger.reward_share

        found = await self._follow.at_tip(read)
        supply, share = found.value
        return pb.GetSupplyResponse(
            free=supply.notes.free,
            locked=supply.notes.locked,
            in_channels=supply.notes.in_channels,
            pool=supply.pool,
            pending=supply.pending,
            burned=supply.burned,
            genesis=supply.genesis,
            emitted=supply.emitted,
            reward_share=share,
            block=found.tip,
        )


def _size(asked: int) -> int:
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def _from_block(view: BlockView, block: Block, children: Sequence[BlockId]) -> pb.GetBlockResponse:
    header = block.header
    return pb.GetBlockResponse(
        summary=convert.from_view(view),
        confirmations=view.confirmations,
        body_root=header.body_root,
        voucher=header.leadership.voucher,
        entropy=header.leadership.entropy,
        leader_key=header.leadership.leader_key,
        proof=header.leadership.proof,
        uncles=[each.header.id for each in block.uncles],
        children=children,
    )


def _from_move(move: ChainMove) -> pb.WatchBlocksResponse:
    return pb.WatchBlocksResponse(
        tip=pb.BlockPoint(id=move.tip, height=move.tip_height, slot=move.tip_slot),
        removed=move.removed,
        added=[convert.from_view(each) for each in move.added],
        final=convert.from_tree(move.final),
    )
