"""The chain of a real testnet in the browser: blocks on the map, a payment beside the app."""

import asyncio
import re

from playwright.sync_api import expect

from browser.conftest import App, Visit, done
from logos.chain.v1 import transaction_pb2, wallet_pb2, wallet_pb2_grpc
from logos_client.channels import channel_to

LONG_MS = 180_000
"""For a block: they come by chance."""


def test_blocks_arrive_on_the_map(visit: Visit) -> None:
    page = visit("/testnet", motion="no-preference")
    tips = page.locator("#words .tip:not(.off)")
    expect(tips).to_have_count(5, timeout=LONG_MS)
    before = tips.first.inner_text()

    page.wait_for_selector("#arcs .pulse", state="attached", timeout=LONG_MS)

    expect(tips.first).not_to_have_text(before, timeout=LONG_MS)
    expect(tips.first).to_have_text(re.compile(r"^block [0-9,]+$"))
    assert page.get_attribute("#word-node1", "title")


def test_a_block_is_not_drawn_where_motion_is_reduced(visit: Visit) -> None:
    page = visit("/testnet", motion="reduce")

    page.wait_for_selector("#arcs .pulse", state="attached", timeout=LONG_MS)

    assert page.locator("#arcs .pulse:visible").count() == 0


def test_a_payment_beside_the_app_completes_the_tour(visit: Visit, app: App) -> None:
    async def pay() -> None:
        front = next(each.front for each in app.testnet.plan.nodes if each.name == "node1")
        async with channel_to(front, app.testnet.bearer) as channel:
            wallet = wallet_pb2_grpc.WalletStub(channel)
            key = (await wallet.NewAddress(wallet_pb2.NewAddressRequest())).public_key
            note = transaction_pb2.Note(value=1, public_key=key)
            async with asyncio.timeout(LONG_MS / 1000):
                await wallet.Send(wallet_pb2.SendRequest(outputs=[note]), wait_for_ready=True)

    page = visit("/testnet")
    done(pay())

    step = page.locator("#tour .done:has-text('transfer tokens')")
    expect(step).to_have_count(1, timeout=LONG_MS)
    expect(page.locator("#said")).to_contain_text("Tokens were sent from node1")
