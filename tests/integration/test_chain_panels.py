"""The panels of the chain in a browser: blocks that wait, payments that go on, what is sealed.

The node is a script, so that blocks come, and are replaced, when the test says so.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from app_chain import FINAL, INCLUDED, KEY, an_id, summary, transfer
from app_chain_served import ServedNode, served_chain
from browser.conftest import AXE, LIVE, PATIENCE_MS
from browser.launching import CHROMIUM
from logos.chain.v1 import chain_pb2, transaction_pb2, wallet_pb2
from logos_client.link_codes import new_code

BLOCK, HASH = an_id(9).hex(), an_id(5, "t").hex()
PAGES = [
    "explorer/",
    f"explorer/block/{BLOCK}",
    f"explorer/tx/{HASH}",
    f"explorer/note/{an_id(1, 'n').hex()}",
    f"explorer/channel/{an_id(1, 'h').hex()}",
    "explorer/forks",
    "explorer/mempool",
    "explorer/find?q=nothing",
    "wallet/",
    "wallet/history?page=10",
    "wallet/phrase",
]
LOOKS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: install it"),
]
expect.set_options(timeout=PATIENCE_MS)  # not the one of the synchronous interface


def furnished(node: ServedNode) -> None:
    """Something on every page."""
    node.bodies[an_id(9)] = [transfer(number) for number in range(9)]
    node.waiting = [transfer(70)]
    node.statuses[an_id(5, "t")] = transaction_pb2.TransactionStatus(
        stage=INCLUDED, block=an_id(9), height=9, confirmations=2
    )
    node.notes[an_id(1, "n")] = chain_pb2.GetNoteResponse(
        note=transaction_pb2.Note(value=7, public_key=KEY), block=an_id(10)
    )
    node.channels[an_id(1, "h")] = chain_pb2.GetChannelResponse(keys=[KEY], block=an_id(10))
    node.history = [
        wallet_pb2.ListHistoryResponse.Entry(
            block=an_id(9), height=9, transaction=an_id(number, "t"), received=number, stage=FINAL
        )
        for number in range(30)
    ]
    node.vouchers = [
        wallet_pb2.ListVouchersResponse.Voucher(number=number, is_claimable=True)
        for number in range(3)
    ]


@asynccontextmanager
async def looking(folder: Path) -> AsyncIterator[tuple[Page, ServedNode, str]]:
    """A page with a session, the node, and where the app is. Errors of the page fail the test."""
    errors: list[str] = []
    async with served_chain(folder) as (config, node), async_playwright() as playwright:
        furnished(node)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(reduced_motion="reduce")
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        await page.goto(f"{config.origin}/open#{new_code(config.links)}")
        await page.wait_for_selector(LIVE)
        yield page, node, f"{config.origin}/at/node1"
        await browser.close()
    assert errors == []


async def violations(page: Page) -> list[str]:
    """What axe finds: WCAG 2.2 AA and best practice."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = await page.evaluate(
        "() => axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => v.id))"
    )
    return found


async def test_every_page_is_accessible_and_fits(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, _, at):
        for theme, width in LOOKS:
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": 900})
            for path in PAGES:
                await page.goto(f"{at}/{path}")
                await page.wait_for_selector(LIVE)
                assert await violations(page) == [], path
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
                assert await page.locator("h1").count() == 1


async def test_long_ids_fit_a_narrow_page(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, _, at):
        await page.set_viewport_size({"width": 360, "height": 900})
        await page.goto(f"{at}/wallet/")
        await page.wait_for_selector(LIVE)
        await page.click("#address button")
        await expect(page.locator("#own-address")).to_have_text(an_id(1, "a").hex())
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360
        await page.fill("#to", KEY.hex())
        await page.fill("#amount", "20")
        await page.click("#send button")
        await page.wait_for_selector("#pay")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360


async def test_new_blocks_wait_while_the_list_is_read(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, node, at):
        await page.goto(f"{at}/explorer/")
        await page.wait_for_selector(LIVE)
        first = page.locator("#blocks tr:visible td").first
        node.grow(summary(11))
        await expect(first).to_have_text("11")
        await page.hover("#blocks tr:nth-child(3)")
        node.grow(summary(12), summary(13))
        await expect(page.locator("#blocks-new")).to_have_text("2 new")
        node.grow(summary(13, "x"), summary(14, "x"), removed=1)
        await expect(page.locator("#blocks-new")).to_have_text("3 new")
        await expect(page.locator("#warnings")).to_contain_text("One block has left the chain")
        await expect(first).to_have_text("11")
        await expect(page.locator("#says")).to_contain_text("Block 14 is the newest")
        await page.mouse.move(2, 2)
        await expect(first).to_have_text("14")
        await expect(page.locator("#blocks tr:visible")).to_have_count(15)

        await page.focus(f"#block-{an_id(10).hex()} a")
        node.grow(summary(15))
        await expect(page.locator("#blocks-new")).to_have_text("1 new")
        assert await page.evaluate("document.activeElement.textContent") == "10"
        await page.click("#blocks-new")
        await expect(first).to_have_text("15")


async def test_a_payment_goes_on_while_one_looks(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, node, at):
        await page.goto(f"{at}/wallet/")
        await page.wait_for_selector(LIVE)
        await page.fill("#to", KEY.hex())
        await page.fill("#amount", "20")
        await page.click("#send button")
        await page.wait_for_selector("#pay")
        assert await violations(page) == []
        await page.click("#pay button")
        await expect(page.locator("#payments tbody tr")).to_contain_text("waits for a block")
        await page.wait_for_selector(LIVE)
        await page.fill("#amount", "7")
        node.statuses[an_id(0, "t")] = transaction_pb2.TransactionStatus(
            stage=INCLUDED, block=an_id(11), height=11, confirmations=1
        )
        node.grow(summary(11))
        await expect(page.locator("#payments tbody tr")).to_contain_text("one confirmation")
        assert await page.input_value("#amount") == "7"
        await page.click("#claim button:nth-of-type(2)")
        await expect(page.locator("#payments tbody tr")).to_have_count(4)
        assert node.claims == [3]


async def test_the_phrase_is_sealed_after_a_while(tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, _, at):
        phrase = page.locator("#phrase")
        await page.goto(f"{at}/wallet/phrase")
        await page.click("main form button")
        await expect(phrase).to_contain_text("word23")
        assert await violations(page) == []
        # Again, with a clock that stands still between the steps.
        await page.clock.install(time=0)
        await page.goto(f"{at}/wallet/phrase")
        await page.clock.pause_at(3_600)
        await page.click("main form button")
        await expect(phrase).to_contain_text("word23")
        await page.clock.fast_forward(29_000)
        await expect(phrase).to_contain_text("word23")
        await page.clock.fast_forward(1_100)
        await expect(phrase).to_have_text("")
        assert await phrase.locator(".sealed").count() == 1


@pytest.mark.parametrize("thing", [f"block/{BLOCK}", f"tx/{HASH}"])
async def test_a_page_about_one_thing_goes_on(thing: str, tmp_path: Path) -> None:
    async with looking(tmp_path) as (page, node, at):
        await page.goto(f"{at}/explorer/{thing}")
        await page.wait_for_selector(LIVE)
        await expect(page.locator("#says")).to_contain_text("two confirmations")
        node.statuses[an_id(5, "t")] = transaction_pb2.TransactionStatus(
            stage=FINAL, block=an_id(9), height=9
        )
        node.grow(summary(11), summary(12))
        await expect(page.locator("#says")).to_contain_text("is final")
