"""The panel Wallet: what a node has, paying, what becomes of it, rewards, and the phrase."""

import secrets
from dataclasses import replace
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import grpc
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from logos.chain.v1.transaction_pb2 import Note
from logos_app.clock import now_ms
from logos_app.panels.chain import ids
from logos_app.panels.chain import words as chain_words
from logos_app.panels.contract import At, Panel, Place, here
from logos_app.panels.wallet import client, payments, words
from logos_app.panels.wallet.seen import Payment, WalletSeen
from logos_app.panels.wallet.words import Order
from logos_app.security.gate import is_partial
from logos_app.shown.problems import Problem, problem_of

router: Final = APIRouter()
Here = Annotated[At, Depends(here)]
MAX_TOKEN: Final = 300
KEY_BYTES: Final = 16
"""Of the key by which a page pays once, however often its form is sent."""


async def figure(channel: grpc.aio.Channel) -> str:
    """What can be spent at a node."""
    balance, _ = await payments.balance_of(channel)
    if balance is None or balance.scan_target_height:
        return "looking"
    return chain_words.tokens_shortly(balance.available)


async def live(at: Place) -> str:
    """What changes with a block."""
    await payments.read_wallet(at)
    return at.partial("wallet_part.html", **_view(at))


def _view(at: Place) -> dict[str, Any]:
    now = at.kept(WalletSeen())
    return {
        "now": now,
        "sentence": words.sentence(at.node, now),
        "is_isolated": at.shell.nodes.node(at.node).is_isolated,
        "entries": now.history,
        "words": words,
        "said": chain_words,
        "most_claims": client.MOST_CLAIMS,
    }


def _available(at: Place) -> int | None:
    now = at.kept(WalletSeen())
    return now.balance.available if now.knows_sums and now.balance is not None else None


@router.get("/")
async def shown(at: Here) -> Response:
    """The wallet of a node."""
    return await _page(at, Order("", "", ""))


async def _page(at: At, order: Order, status: int = 200) -> Response:
    problem: Problem | None = None
    try:
        await payments.read_wallet(at, anew=True)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, at.node)
    return at.page(
        "wallet.html",
        status=status,
        topics=(f"{at.panel.slug}:{at.node}",),
        problem=problem,
        order=order,
        **_view(at),
    )


@router.get("/history")
async def history(at: Here, page: str = "") -> Response:
    """An older page of what came and went."""
    try:
        entries, older = await client.history(at.channel, page[:MAX_TOKEN])
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return at.page(
        "history.html", **{**_view(at), "entries": entries}, older=older, page=page[:MAX_TOKEN]
    )


@router.post("/address")
async def address(at: Here, request: Request) -> Response:
    """Gives out an address: another one each time, while there are."""
    try:
        given = await client.new_address(at.channel)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    at.keep(replace(at.kept(WalletSeen()), address=given))
    return await _changed(at, request)


@router.post("/faucet")
async def faucet(at: Here, request: Request) -> Response:
    """Asks the faucet for tokens; they come with a block."""
    try:
        paid = await client.faucet(at.channel)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    payments.add(at, Payment(paid.hash, now_ms(), "faucet", paid.value))
    return await _changed(at, request)


@router.post("/review")
async def review(at: Here, request: Request) -> Response:
    """Shows a payment before it is made. What cannot be paid is said at its field."""
    form = await _form(request)
    order = words.order_of(
        form.get("to", "")[:200], form.get("amount", "")[:50], form.get("tip", "")[:50],
        _available(at),
    )  # fmt: skip
    if order.wrong:
        return await _page(at, order, 409)
    return _review(at, order, secrets.token_hex(KEY_BYTES))


def _review(at: At, order: Order, key: str, problem: Problem | None = None) -> Response:
    return at.page(
        "review.html",
        status=200 if problem is None else 409,
        order=order,
        key=key,
        problem=problem,
        left=words.left_said(order, _available(at)),
        others=[each.format(node=at.node) for each in words.SEEN_BY_OTHERS],
        **_view(at),
    )


@router.post("/send")
async def send(at: Here, request: Request) -> Response:
    """Pays, once for each review: where that has failed, it is tried again by the same key."""
    form = await _form(request)
    order = words.order_of(form.get("to", ""), form.get("amount", ""), form.get("tip", ""), None)
    key = form.get("key", "")
    if order.wrong or len(key) != 2 * KEY_BYTES:
        text = "Nothing was sent: this is not what the review page had. Fill the form in again."
        return at.failed(Problem(text, "WALLET_ORDER_INVALID"))
    note = Note(value=order.value, public_key=order.public_key)
    try:
        sent = await client.send(at.channel, note, order.tip_value, key.encode(), at.session)
    except grpc.aio.AioRpcError as error:
        return _review(at, order, key, problem_of(error, at.node))
    one = Payment(sent.hash, now_ms(), "sent", order.value, sent.fee, sent.tip)
    payments.add(at, one)
    return RedirectResponse(f"{at.root}#payments", 303)


@router.post("/claim")
async def claim(at: Here, request: Request) -> Response:
    """Claims rewards, at most 16; each is a payment of its own."""
    count = ids.number_of((await _form(request)).get("count", "1")) or 1
    try:
        hashes = await client.claim(at.channel, min(count, client.MOST_CLAIMS))
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    at_ms = now_ms()
    payments.add(at, *(Payment(each, at_ms, "claim") for each in hashes))
    return await _changed(at, request)


@router.get("/phrase")
async def ask_phrase(at: Here) -> Response:
    """Asks before the phrase is shown."""
    return at.page("phrase_sure.html", seconds=words.PHRASE_SHOWN_S)


@router.post("/phrase")
async def phrase(at: Here) -> Response:
    """Shows the phrase, which is sealed again after half a minute."""
    try:
        text = await client.phrase(at.channel)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return at.page("phrase.html", phrase=text.split()[:48], seconds=words.PHRASE_SHOWN_S)


async def _changed(at: At, request: Request) -> Response:
    try:
        await payments.read_wallet(at, anew=True)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    if is_partial(request.headers):
        return HTMLResponse(at.partial("wallet_part.html", **_view(at)))
    return RedirectResponse(at.root, 303)


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    fields = parse_qs(body, max_num_fields=10, keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


PANEL: Final = Panel("Wallet", "wallet", 4, router, figure, live=live, module="chain")
