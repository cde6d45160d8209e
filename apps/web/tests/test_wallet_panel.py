"""The panel Wallet before a node: sums, paying, what becomes of it, rewards, the phrase."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from app_chain import (
    DROPPED,
    FINAL,
    INCLUDED,
    KEY,
    MAX_U64,
    PENDING,
    Visitor,
    an_id,
    summary,
    visiting_chain,
)
from logos.chain.v1 import transaction_pb2, wallet_pb2
from logos_app.clock import now_s
from logos_app.nodes.model import Reach
from logos_app.panels.wallet.seen import WalletSeen
from logos_app.testnet.broadcast import _live_part

ADDRESS = KEY.hex()


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_chain(tmp_path, "wallet") as one:
        yield one


async def part(visitor: Visitor) -> str:
    """What the stream brings of the page."""
    found = await _live_part(visitor.shell, "wallet:node1")
    assert found is not None
    return found


async def reviewed(visitor: Visitor, **typed: str) -> dict[str, str]:
    """The hidden fields of the review of a payment."""
    answer = await visitor.post("review", **{"to": ADDRESS, "amount": "20", "tip": "", **typed})
    assert answer.status_code == 200, answer.text
    hidden = r'<input type="hidden" name="(to|amount|tip|key)" value="([^"]*)">'
    return dict(re.findall(hidden, answer.text))


async def paid(visitor: Visitor) -> None:
    fields = await reviewed(visitor)
    answer = await visitor.post("send", **fields)
    assert answer.headers["location"] == "/at/node1/wallet/#payments", answer.text


async def test_the_page_says_what_there_is(visitor: Visitor) -> None:
    page = await visitor.get()

    for text in (
        "Node1 has 1,204 tokens to spend.",
        "<b>1,200</b> confirmed",
        "<b>1,100</b> safe, under more blocks",
        "<b>1,000</b> final",
        "after block <b>10</b>",
        "Show an address",
        "Nothing yet. The faucet gives the first tokens.",
        "Node1 has made no block that its chain keeps, so there is none.",
    ):
        assert text in page, text
    for text in ("locked", "on the way in", "in channels", "word1"):
        assert text not in page, text
    assert visitor.node.addresses == 0
    assert page.count("<h1") == 1


async def test_sums_that_are_not_zero_are_said(visitor: Visitor) -> None:
    visitor.node.balance = wallet_pb2.GetBalanceResponse(
        confirmed=MAX_U64, pending=5, reserved=6, locked=7, in_channels=8, watched=9, available=0
    )
    page = await visitor.get()

    assert "Node1 has no tokens to spend; 5 tokens come." in page
    for text in ("18,446,744,073,709,551,615", "on the way in", "reserved", "locked", "of watched"):
        assert text in page, text


async def test_a_wallet_that_scans_has_no_sum(visitor: Visitor) -> None:
    visitor.node.balance = wallet_pb2.GetBalanceResponse(height=40, scan_target_height=400)
    page = await visitor.get()

    assert "The wallet of node1 looks through the chain: block 40 of 400." in page
    assert '<progress max="400" value="40"' in page
    assert 'class="wait"' in page
    assert "tokens to spend" not in page
    assert "Nothing yet" not in page
    panel = visitor.place.panel
    assert panel.figure is not None
    assert await panel.figure(visitor.place.channel) == "looking"


async def test_a_wallet_that_tells_nothing_while_it_scans(visitor: Visitor) -> None:
    visitor.node.is_scanning = True
    page = await visitor.get()

    assert "The wallet of node1 looks through the chain." in page
    assert 'class="wait"' in page
    assert "cannot be seen" not in page
    panel = visitor.place.panel
    assert panel.figure is not None
    assert await panel.figure(visitor.place.channel) == "looking"
    visitor.node.is_scanning = False
    visitor.node.grow(summary(11))
    assert "1,204 tokens to spend" in await visitor.get()


async def test_a_payment_is_reviewed_then_sent_once(visitor: Visitor) -> None:
    await visitor.get()
    answer = await visitor.post("review", to=f"0x{ADDRESS}", amount="1,000", tip="4")
    for text in (
        "Node1 is about to send 1,000 tokens.",
        f"<code>{ADDRESS}</code>",
        "200 tokens, less the fee.",
        "It is told once the payment is made",
        "Everyone sees which notes it spends",
        "A neighbour of node1 that watches closely may guess that it came from node1.",
    ):
        assert text in answer.text, text
    assert visitor.node.sent == []
    fields = await reviewed(visitor, amount="20", tip="4")
    await visitor.post("send", **fields)
    again = await visitor.post("send", **fields)

    assert again.status_code == 303
    [request] = visitor.node.sent
    [note] = request.outputs
    assert (note.value, note.public_key, request.tip) == (20, KEY, 4)
    page = await visitor.get()
    assert page.count('id="payment-') == 1
    assert "20 tokens, with a fee of 3 and a tip of 4" in page
    assert "waits for a block" in page


async def test_a_payment_is_followed_to_its_end(visitor: Visitor) -> None:
    await visitor.get()
    await paid(visitor)
    hash_ = an_id(0, "t")
    visitor.node.statuses[hash_] = transaction_pb2.TransactionStatus(
        stage=INCLUDED, block=an_id(11), height=11, confirmations=3, final_in_ms=41_000
    )
    page = await visitor.get()
    assert "is in block 11, with three confirmations, and final in about 41 s" in page
    visitor.node.statuses[hash_] = transaction_pb2.TransactionStatus(
        stage=FINAL, block=an_id(11), height=11
    )
    assert "is final, in block 11" in await visitor.get()
    assert visitor.place.kept(WalletSeen()).payments[0].is_over


async def test_a_payment_bears_the_session_which_the_node_s_event_gives_back(
    visitor: Visitor,
) -> None:  # WAL-33
    await paid(visitor)

    [secret] = visitor.client.cookies.values()
    session = visitor.shell.sessions.find(secret, now_s())
    assert session is not None
    assert visitor.node.marks == [session.name]
    assert visitor.node.acts == []


async def test_a_payment_that_was_dropped_says_why(visitor: Visitor) -> None:
    await paid(visitor)
    visitor.node.statuses[an_id(0, "t")] = transaction_pb2.TransactionStatus(
        stage=DROPPED, reason="FEE_TOO_LOW"
    )
    page = await visitor.get()

    assert "was dropped: prices have risen above its fee" in page
    assert "<code>FEE_TOO_LOW</code>" in page
    assert visitor.node.acts == []


async def test_a_payment_that_is_forgotten_stays_as_it_was(visitor: Visitor) -> None:
    await paid(visitor)
    visitor.node.statuses.clear()

    assert "waits for a block" in await visitor.get()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"to": "xyz"}, "An address has 64 hexadecimal digits. Copy it whole."),
        ({"amount": "0"}, "An amount is a whole number of tokens, at least 1."),
        ({"amount": "1.5"}, "An amount is a whole number of tokens, at least 1."),
        ({"amount": "-3"}, "An amount is a whole number of tokens, at least 1."),
        ({"amount": str(2**64)}, "An amount is a whole number of tokens, at least 1."),
        ({"amount": "1205"}, "There are 1,204 tokens to spend. Send less: the fee comes on top."),
        ({"amount": "1204", "tip": "1"}, "Amount and tip are more than 1,204 tokens. Tip less."),
        ({"tip": "much"}, "A tip is a whole number of tokens, or nothing."),
    ],
)
async def test_what_cannot_be_paid_is_said_at_its_field(
    typed: dict[str, str], said: str, visitor: Visitor
) -> None:
    await visitor.get()
    fields = {"to": ADDRESS, "amount": "20", "tip": "", **typed}
    answer = await visitor.post("review", **fields)

    assert answer.status_code == 409
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert f'name="amount" value="{fields["amount"]}"' in answer.text
    assert visitor.node.sent == []


@pytest.mark.parametrize("fields", [{}, {"to": ADDRESS, "amount": "5", "tip": "0", "key": "x"}])
async def test_nothing_is_sent_without_a_review(fields: dict[str, str], visitor: Visitor) -> None:
    answer = await visitor.post("send", **fields)

    assert (answer.status_code, "WALLET_ORDER_INVALID" in answer.text) == (409, True)
    assert visitor.node.sent == []


async def test_a_payment_that_the_node_refuses_has_its_sentence(visitor: Visitor) -> None:
    fields = await reviewed(visitor)
    visitor.node.refuses = "WALLET_FUNDS_INSUFFICIENT"
    answer = await visitor.post("send", **fields)

    assert answer.status_code == 409
    assert "node1 cannot pay that and its fee: why. Send less, or ask the faucet." in answer.text
    assert "sending it again from this page pays once" in answer.text
    visitor.node.refuses = ""
    again = re.search(r'name="key" value="([^"]*)"', answer.text)
    assert again is not None
    assert again[1] == fields["key"]
    assert (await visitor.post("send", **fields)).status_code == 303


async def test_nothing_is_paid_without_the_token_of_the_session(visitor: Visitor) -> None:
    visitor.csrf = "0" * 32
    for path in ("send", "faucet", "claim", "phrase", "address", "review"):
        assert (await visitor.post(path)).status_code == 403
    assert visitor.node.addresses == 0


async def test_the_faucet_is_asked_without_a_question(visitor: Visitor) -> None:
    answer = await visitor.post("faucet", script=True)

    assert answer.status_code == 200
    assert "500 tokens from the faucet" in answer.text
    assert "data-ask" not in await visitor.get()
    assert (await visitor.post("faucet")).headers["location"] == "/at/node1/wallet/"


async def test_a_network_without_a_faucet_says_so(visitor: Visitor) -> None:
    visitor.node.refuses = "NO_FAUCET"
    answer = await visitor.post("faucet", script=True)

    assert answer.status_code == 409
    assert "No node of this network has a faucet." in answer.text


async def test_an_address_is_given_out_on_request(visitor: Visitor) -> None:
    await visitor.post("address", script=True)
    answer = await visitor.post("address", script=True)

    assert visitor.node.addresses == 2
    assert f'data-copy="{an_id(2, "a").hex()}"' in answer.text
    assert an_id(2, "a").hex() in await visitor.get()
    assert "Show another address" in await visitor.get()


async def test_history_links_to_the_explorer_and_pages(visitor: Visitor) -> None:
    entries = [
        wallet_pb2.ListHistoryResponse.Entry(
            block=an_id(9), height=9, transaction=an_id(n, "t"), received=n, spent=2, stage=FINAL
        )
        for n in range(45)
    ]
    waiting = wallet_pb2.ListHistoryResponse.Entry(
        transaction=an_id(99, "t"), received=MAX_U64, stage=PENDING
    )
    reward = wallet_pb2.ListHistoryResponse.Entry(block=an_id(9), received=1, stage=INCLUDED)
    visitor.node.history = [waiting, reward, *entries]
    page = await visitor.get()

    assert "+18,446,744,073,709,551,615" in page
    assert "−2" in page  # noqa: RUF001 - a minus sign
    assert "the block by itself" in page
    assert f'href="/at/node1/explorer/tx/{an_id(3, "t").hex()}"' in page
    assert f'href="/at/node1/explorer/block/{an_id(9).hex()}"' in page
    older = re.search(r'href="/at/node1/wallet/(history\?page=10)"', page)
    assert older is not None
    assert f"explorer/tx/{an_id(10, 't').hex()}" in await visitor.get(older[1])


async def test_rewards_are_counted_and_claimed(visitor: Visitor) -> None:
    visitor.node.vouchers = [
        wallet_pb2.ListVouchersResponse.Voucher(number=n, is_claimable=n < 20, is_claimed=n == 20)
        for n in range(22)
    ]
    page = await visitor.get()

    assert "22 vouchers for blocks that node1 has made: 20 can be claimed now, one was." in page
    assert "One brings 25 tokens before its fee." in page
    assert "Claim 16 rewards" in page
    await visitor.post("claim", script=True, count="999")
    await visitor.post("claim", script=True)
    assert visitor.node.claims == [16, 1]
    assert "a reward, claimed" in await visitor.get()


async def test_the_phrase_is_shown_after_a_question_and_sealed(visitor: Visitor) -> None:
    question = await visitor.get("phrase")
    assert "Show the phrase of the wallet of node1?" in question
    assert "word1" not in question
    answer = await visitor.post("phrase")

    assert "These 24 words are the wallet of node1." in answer.text
    assert "word0 word1 word2" in answer.text
    assert 'data-seal="30"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert (
        '<noscript><meta http-equiv="refresh" content="30;url=/at/node1/wallet/"></noscript>'
    ) in answer.text
    assert "word1" not in await visitor.get()
    assert "word1" not in await part(visitor)


async def test_a_part_is_the_same_until_something_changes(visitor: Visitor) -> None:
    await visitor.get()

    assert await part(visitor) == await part(visitor)


async def test_an_isolated_node_says_what_waits(visitor: Visitor) -> None:
    visitor.seen(is_isolated=True)

    assert "node1 is isolated: what it sends waits until it is healed" in await visitor.get()
    answer = await visitor.post("review", to=ADDRESS, amount="20")
    assert "node1 is isolated: the payment waits until it is healed." in answer.text


async def test_a_wallet_that_is_away_leaves_what_was_known(visitor: Visitor) -> None:
    await visitor.get()
    visitor.node.is_off = grpc.StatusCode.UNAVAILABLE
    visitor.seen(reach=Reach.AWAY)
    page = await visitor.get()

    assert "The wallet of node1 cannot be seen now." in page
    assert "KERNEL_UNREACHABLE" in page
    assert "as of <time" in page
    assert "<b>1,200</b> confirmed" in page


async def test_a_wallet_that_never_answered_is_not_empty(visitor: Visitor) -> None:
    visitor.node.is_off = grpc.StatusCode.UNIMPLEMENTED
    page = await visitor.get()

    assert "Asking node1 for its wallet" in page
    assert "no tokens" not in page
    assert "Nothing yet" not in page


async def test_hostile_reasons_stay_text(visitor: Visitor) -> None:
    await paid(visitor)
    visitor.node.statuses[an_id(0, "t")] = transaction_pb2.TransactionStatus(
        stage=DROPPED, reason="<script>alert(1)</script>\u202e"
    )
    for page in (await visitor.get(), await part(visitor)):
        assert "<script>alert" not in page
        assert "\u202e" not in page
    answer = await visitor.post("review", to="<b>\u202e", amount="<i>", tip='"><i>')
    assert "<b>\u202e" not in answer.text
    assert "<i>" not in answer.text


async def test_the_figure_is_what_can_be_spent(visitor: Visitor) -> None:
    visitor.node.balance.available = MAX_U64
    panel = visitor.place.panel
    assert panel.figure is not None

    assert await panel.figure(visitor.place.channel) == "18.4 E"
