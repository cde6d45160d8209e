"""The panel Mix: a request goes through three hops and back, and each is seen; profiles ask."""

import re

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import LIVE, App, Visit, done
from browser.test_pages import violations
from logos.network.v1 import mix_pb2, mix_pb2_grpc
from logos_client.channels import channel_to

HOPS = 3
ENOUGH_MS = 180_000
"""For the pool to be found, and for an answer on a busy machine."""


def front(app: App, node: str) -> str:
    return next(each.front for each in app.testnet.plan.nodes if each.name == node)


async def status(app: App, node: str) -> mix_pb2.MixGetStatusResponse:
    async with channel_to(front(app, node), app.testnet.bearer) as channel:
        stub = mix_pb2_grpc.MixStub(channel)
        answer: mix_pb2.MixGetStatusResponse = await stub.GetStatus(mix_pb2.MixGetStatusRequest())
        return answer


async def set_profile(app: App, node: str, name: str) -> None:
    async with channel_to(front(app, node), app.testnet.bearer) as channel:
        await mix_pb2_grpc.MixStub(channel).SetProfile(mix_pb2.SetProfileRequest(name=name))


def with_a_pool(visit: Visit, node: str = "node1", **look: object) -> Page:
    """The page of a node that knows enough mixes; it says how many are lacking until then."""
    page = visit(f"/at/{node}/mix/", **look)
    expect(page.locator("#says")).to_contain_text("A message from", timeout=ENOUGH_MS)
    return page


def send(page: Page, to: str = "node4") -> None:
    page.select_option("#to", to)
    page.click("#send button")
    answer = page.locator("#journey > p").first
    expect(answer).to_contain_text("The answer came back after", timeout=ENOUGH_MS)


def test_a_request_is_seen_at_every_hop_of_its_way(visit: Visit) -> None:
    page = with_a_pool(visit)
    send(page)

    rows = page.locator("#journey li")
    expect(rows).to_have_count(2 * HOPS)
    expect(page.locator("#journey li[data-stage=delivered]")).to_have_count(2)
    expect(page.locator("#journey li[data-stage=forwarded]")).to_have_count(2 * HOPS - 2)
    expect(rows.nth(HOPS - 1)).to_contain_text("node4")
    expect(rows.nth(HOPS - 1)).to_contain_text("the request has arrived")
    expect(rows.last).to_contain_text("node1")
    expect(rows.last).to_contain_text("the answer has arrived")
    for each in rows.all():
        assert re.match(r"node[1-5] ", each.inner_text()), "every hop is a node of this testnet"
        assert each.locator("rect.have").count() == 1
    assert violations(page) == []


def test_the_tour_s_last_step_is_done_by_an_answer(visit: Visit) -> None:
    page = with_a_pool(visit, "node2")
    send(page, "node5")

    step = page.locator("#tour .done", has_text="send something that nobody can trace")
    expect(step).to_have_count(1)
    page.click("nav a:has-text('Testnet')")
    page.wait_for_selector(LIVE)
    expect(page.locator("#said")).to_contain_text("You sent a request through the mix from node2")


def test_a_request_is_sent_without_script(visit: Visit) -> None:
    with_a_pool(visit, "node3")
    page = visit("/at/node3/mix/", script=False)
    page.select_option("#to", "node1")
    page.click("#send button")

    assert page.url.endswith("/at/node3/mix/#journey")
    expect(page.locator("#journey")).to_contain_text("A request from node3 to node1")


def test_the_meter_is_live_and_in_numbers_and_words(visit: Visit) -> None:
    page = with_a_pool(visit)

    expect(page.locator("#meter polyline")).to_have_count(1)
    expect(page.locator("#meter .figures")).to_contain_text("bits of entropy")
    expect(page.locator("#everywhere tbody tr")).to_have_count(5)
    for node in ("node1", "node5"):
        expect(page.locator(f"#mix-{node}")).not_to_contain_text("?")


def test_a_weaker_profile_says_what_it_costs_and_asks(visit: Visit, app: App) -> None:
    before = done(status(app, "node5")).profile.name
    page = with_a_pool(visit, "node5")
    try:
        page.click("#profile-demo button")
        expect(page.locator("#ask-why")).to_contain_text("hides less")
        page.click("#ask button[value=no]")
        assert done(status(app, "node5")).profile.name == before

        page.click("#profile-demo button")
        page.click("#ask-yes")
        expect(page.locator("#notices")).to_contain_text("node5 uses the profile demo")
        expect(page.locator("#profile-demo")).to_contain_text("in use")
        assert done(status(app, "node5")).profile.name == "demo"
    finally:
        done(set_profile(app, "node5", before))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_a_phone(visit: Visit, theme: str) -> None:
    page = with_a_pool(visit, "node4", theme=theme, width=360)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
