"""A node with a chain and a wallet, as the panels of the app call it, and a browser before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from app_rig import FROM_OURS, browser, csrf_of, made, open_session
from logos.chain.v1 import (
    chain_pb2,
    chain_pb2_grpc,
    transaction_pb2,
    wallet_pb2,
    wallet_pb2_grpc,
)
from logos.kernel.v1 import events_pb2, events_pb2_grpc
from logos_app.live.streams import Tab
from logos_app.nodes.model import ModuleSeen, Reach
from logos_app.panels.contract import Place
from logos_app.shell.pages import Shell
from logos_module.marks import mark_in

PARTIAL = {**FROM_OURS, "hx-request": "true"}
MAX_U64 = 2**64 - 1
KEY = b"\x0a" * 32
GENESIS_MS = 1_795_870_000_000
PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING
INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL
DROPPED = transaction_pb2.TRANSACTION_STAGE_DROPPED


def an_id(number: int, kind: str = "b") -> bytes:
    """An id of 32 bytes, of a block, a transaction, ..."""
    return kind.encode() + number.to_bytes(31, "big")


def summary(height: int, kind: str = "b", transactions: int = 0) -> chain_pb2.BlockSummary:
    one = chain_pb2.BlockSummary(
        point=chain_pb2.BlockPoint(id=an_id(height, kind), height=height, slot=height * 10),
        parent=an_id(height - 1, "b") if height else b"",
        transactions=transactions,
        size_bytes=1000 + height,
        is_on_chain=True,
    )
    one.time.FromMilliseconds(GENESIS_MS + height * 10_000)
    return one


def transfer(number: int) -> transaction_pb2.Transaction:
    """A transaction that spends a note and makes two."""
    notes = [transaction_pb2.Note(value=value, public_key=KEY) for value in (7, MAX_U64)]
    one = transaction_pb2.Operation(
        kind="TRANSFER",
        inputs=[an_id(number, "n")],
        outputs=notes,
        output_ids=[an_id(2 * number, "n"), an_id(2 * number + 1, "n")],
    )
    return transaction_pb2.Transaction(hash=an_id(number, "t"), operations=[one], size_bytes=400)


async def refuse(context: Any, code: grpc.StatusCode, reason: str, text: str = "why") -> Any:
    """Fails a call with a reason."""
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
    status = status_pb2.Status(code=code.value[0], message=text, details=[detail])
    await context.abort_with_status(rpc_status.to_status(status))


class Node(
    chain_pb2_grpc.ChainNodeServicer,
    wallet_pb2_grpc.WalletServicer,
    events_pb2_grpc.EventsServicer,
):
    """A chain of as many blocks as one likes; the final one is three below the newest."""

    def __init__(self) -> None:
        self.chain = [summary(height) for height in range(11)]
        self.bodies: dict[bytes, list[transaction_pb2.Transaction]] = {}
        self.waiting: list[transaction_pb2.Transaction] = []
        self.statuses: dict[bytes, transaction_pb2.TransactionStatus] = {}
        self.forks: list[chain_pb2.ListForksResponse.Fork] = []
        self.notes: dict[bytes, chain_pb2.GetNoteResponse] = {}
        self.channels: dict[bytes, chain_pb2.GetChannelResponse] = {}
        self.info = chain_pb2.GetInfoResponse(
            chain_id="small", preset="dev", slot_ms=1000, slots_per_block=10, finality_blocks=3,
            phase=chain_pb2.PHASE_ONLINE, mempool_transactions=2,
            leading=chain_pb2.GetInfoResponse.Leading(standing="it leads", is_leading=True),
            epoch=chain_pb2.GetInfoResponse.Epoch(number=4, first_slot=100, end_slot=200),
        )  # fmt: skip
        self.moves: asyncio.Queue[chain_pb2.WatchBlocksResponse | None] = asyncio.Queue()
        self.watched_after: list[bytes] = []
        self.is_off: grpc.StatusCode | None = None
        self.balance = wallet_pb2.GetBalanceResponse(
            confirmed=1200, safe=1100, final=1000, available=1204, height=10
        )
        self.is_scanning = False
        self.history: list[wallet_pb2.ListHistoryResponse.Entry] = []
        self.vouchers: list[wallet_pb2.ListVouchersResponse.Voucher] = []
        self.sent: list[wallet_pb2.SendRequest] = []
        self.claims: list[int] = []
        self.addresses = 0
        self.refuses = ""
        """The reason for which nothing is paid."""
        self.acts: list[bytes] = []
        self.marks: list[str] = []
        """Of payments: what their callers sent along (WAL-33)."""

    @property
    def final(self) -> int:
        """Its place in the chain."""
        return max(0, len(self.chain) - 4)

    def grow(self, *blocks: chain_pb2.BlockSummary, removed: int = 0) -> None:
        """The chain goes on; so many of its last blocks are replaced."""
        left = [each.point.id for each in reversed(self.chain[len(self.chain) - removed :])]
        self.chain = [*self.chain[: len(self.chain) - removed], *blocks]
        self.moves.put_nowait(
            chain_pb2.WatchBlocksResponse(
                tip=self.chain[-1].point,
                removed=left,
                added=blocks,
                final=self.chain[self.final].point,
            )
        )

    async def _answer(self, context: Any) -> None:
        if self.is_off is not None:
            await context.abort(self.is_off, "it is off")

    async def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._answer(context)
        self.info.tip.CopyFrom(self.chain[-1].point)
        self.info.final.CopyFrom(self.chain[self.final].point)
        return self.info

    async def GetSupply(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetSupplyResponse(free=MAX_U64, genesis=MAX_U64 - 1, emitted=1)

    async def ListBlocks(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._answer(context)
        newest = self.chain[::-1]
        first = int(request.page_token or 0)
        end = first + request.page_size
        token = str(end) if end < len(newest) else ""
        return chain_pb2.ListBlocksResponse(blocks=newest[first:end], next_page_token=token)

    async def GetBlock(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._answer(context)
        for one in self.chain:
            is_it = one.point.id == request.id
            if request.WhichOneof("block") == "height":
                is_it = one.point.height == request.height
            if is_it:
                count = self.chain[-1].point.height - one.point.height + 1
                return chain_pb2.GetBlockResponse(
                    summary=one, confirmations=count, children=[an_id(one.point.height + 1)]
                )
        return await refuse(context, grpc.StatusCode.NOT_FOUND, "BLOCK_UNKNOWN")

    async def ListBlockTransactions(self, request: Any, context: Any) -> Any:  # noqa: N802
        first = int(request.page_token or 0)
        end = first + request.page_size
        found = self.bodies.get(request.id, [])
        token = str(end) if end < len(found) else ""
        return chain_pb2.ListBlockTransactionsResponse(
            transactions=found[first:end], next_page_token=token
        )

    async def WatchBlocks(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.watched_after.append(request.after)
        while True:
            move = await self.moves.get()
            if move is None:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "it stops")
            yield move

    async def ListForks(self, request: Any, context: Any) -> Any:  # noqa: N802
        tip = self.chain[-1].point
        local = chain_pb2.ListForksResponse.Fork(tip=tip, common=tip)
        return chain_pb2.ListForksResponse(forks=[local, *self.forks])

    async def GetTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = self.statuses.get(request.hash)
        if status is None:
            return await refuse(
                context, grpc.StatusCode.NOT_FOUND, "TRANSACTION_UNKNOWN", "never came"
            )
        every = [each for body in self.bodies.values() for each in body] + self.waiting
        one = next((each for each in every if each.hash == request.hash), None)
        return chain_pb2.GetTransactionResponse(transaction=one, status=status)

    async def ListMempool(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.ListMempoolResponse(transactions=self.waiting, total=len(self.waiting))

    async def GetNote(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = self.notes.get(request.id)
        return found or await refuse(context, grpc.StatusCode.NOT_FOUND, "NOTE_UNKNOWN")

    async def GetChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        found = self.channels.get(request.id)
        return found or await refuse(context, grpc.StatusCode.NOT_FOUND, "CHANNEL_UNKNOWN")

    async def GetBalance(self, request: Any, context: Any) -> Any:  # noqa: N802
        await self._answer(context)
        if self.is_scanning:
            return await refuse(context, grpc.StatusCode.UNAVAILABLE, "WALLET_SCANNING")
        return self.balance

    async def NewAddress(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.addresses += 1
        return wallet_pb2.NewAddressResponse(public_key=an_id(self.addresses, "a"))

    async def ListHistory(self, request: Any, context: Any) -> Any:  # noqa: N802
        first = int(request.page_token or 0)
        end = first + request.page_size
        token = str(end) if end < len(self.history) else ""
        return wallet_pb2.ListHistoryResponse(
            entries=self.history[first:end], next_page_token=token
        )

    async def ListVouchers(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.ListVouchersResponse(vouchers=self.vouchers, share=25)

    async def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refuses:
            return await refuse(context, grpc.StatusCode.FAILED_PRECONDITION, self.refuses)
        keys = [each.idempotency_key for each in self.sent]
        if request.idempotency_key not in keys:
            self.sent.append(request)
            self.marks.append(mark_in(context.invocation_metadata()))
            keys.append(request.idempotency_key)
        hash_ = an_id(keys.index(request.idempotency_key), "t")
        self.statuses[hash_] = transaction_pb2.TransactionStatus(stage=PENDING)
        return wallet_pb2.SendResponse(hash=hash_, fee=3, tip=request.tip)

    async def Faucet(self, request: Any, context: Any) -> Any:  # noqa: N802
        if self.refuses:
            return await refuse(context, grpc.StatusCode.NOT_FOUND, self.refuses)
        self.statuses[an_id(1, "f")] = transaction_pb2.TransactionStatus(stage=PENDING)
        return wallet_pb2.FaucetResponse(hash=an_id(1, "f"), value=500, public_key=KEY)

    async def Claim(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.claims.append(request.count)
        return wallet_pb2.ClaimResponse(hashes=[an_id(n, "c") for n in range(request.count)])

    async def ExportPhrase(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.ExportPhraseResponse(phrase=" ".join(f"word{n}" for n in range(24)))

    async def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.acts += [event.payload for event in request.events]
        return events_pb2.PublishResponse()


class Visitor:
    """A browser on a panel of node1, and what the stream brings it."""

    def __init__(
        self, client: httpx.AsyncClient, shell: Shell, node: Node, csrf: str, slug: str
    ) -> None:
        self.client, self.shell, self.node, self.csrf, self.slug = client, shell, node, csrf, slug
        self.tab: Tab = shell.live.open("other", [f"{slug}:node1"])

    @property
    def place(self) -> Place:
        """The panel at node1."""
        panel = next(each for each in self.shell.panels if each.slug == self.slug)
        return Place(self.shell, "node1", panel, self.shell.doors.to("node1"))

    def seen(self, **changed: Any) -> None:
        """Changes what the app knows of node1."""
        self.shell.nodes.put(replace(self.shell.nodes.node("node1"), **changed))

    async def get(self, path: str = "", status: int = 200) -> str:
        """A page of the panel, or one below the root where the path begins with a slash."""
        where = path if path.startswith("/") else f"/at/node1/{self.slug}/{path}"
        answer = await self.client.get(where)
        assert answer.status_code == status, answer.text
        return answer.headers.get("location", "") if status == 303 else answer.text

    async def post(self, path: str, *, script: bool = False, **fields: str) -> httpx.Response:
        headers = {**(PARTIAL if script else FROM_OURS)}
        data = {"csrf": self.csrf, **fields}
        return await self.client.post(f"/at/node1/{self.slug}/{path}", data=data, headers=headers)


@asynccontextmanager
async def visiting_chain(folder: Path, slug: str) -> AsyncIterator[Visitor]:
    """A browser before a panel of a node with a chain; the app follows nothing by itself."""
    node, server = Node(), grpc.aio.server()
    chain_pb2_grpc.add_ChainNodeServicer_to_server(node, server)
    wallet_pb2_grpc.add_WalletServicer_to_server(node, server)
    events_pb2_grpc.add_EventsServicer_to_server(node, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    config, app = made(folder, LOGOS_APP_NODES=f"node1=127.0.0.1:{port}")
    shell: Shell = app.state.shell
    try:
        async with browser(app) as client:
            await open_session(client, config)
            visitor = Visitor(client, shell, node, await csrf_of(client), slug)
            visitor.seen(reach=Reach.ANSWERS, modules=(ModuleSeen("chain", "ready"),))
            yield visitor
    finally:
        await shell.doors.close()
        node.moves.put_nowait(None)  # a stream that is still open ends by itself
        await server.stop(grace=5)
