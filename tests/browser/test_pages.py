"""Every page, in both themes and at two widths: accessible, small, still, and whole."""

import json

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from browser.conftest import AXE, LIVE, App, Cookies, Visit, new_context
from browser.slow_server import slowly

PAGES = [
    "/testnet",
    "/testnet/events",
    "/nodes/node1",
    "/nodes/node1/modules/storage",
    "/at/node1/files/",
    "/at/node1/mix/",
    "/at/node1/messages/",
    "/at/node1/wallet/",
    "/at/node1/explorer/",
    "/parts",
    "/parts/map",
    "/parts/nodes",
    "/more",
    "/go?q=mixnet",
    "/go?q=nothing",
    "/none",
]
LOOKS = [("light", 1280), ("dark", 1280), ("light", 360), ("dark", 360)]
MAX_BYTES = 150 * 1024
MAX_REQUESTS = 6

PIECES = 8

TEXT = "path => fetch(path).then(answer => answer.text())"
SHIFTS = """() => new Promise(resolve => {
  let sum = 0;
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(sum), 200);
})"""


def violations(page: Page) -> list[str]:
    """What axe finds: WCAG 2.2 AA and best practice."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "() => axe.run({resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))"
    )
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in json.loads(found)
        for node in each["nodes"]
    ]


@pytest.fixture(scope="module", autouse=True)
def stored(app: App, browser: Browser, cookies: Cookies) -> None:
    """A file on node1: the page of files has a row whatever runs before."""
    with new_context(browser) as context:
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{app.address}/at/node1/files/")
        page.wait_for_selector(LIVE)
        page.click("button:has-text('Store a sample')")
        page.wait_for_selector("#rows tr")


@pytest.mark.parametrize(("theme", "width"), LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_fits(path: str, theme: str, width: int, visit: Visit) -> None:
    missing = ("404",) if path == "/none" else ()
    page = visit(path, theme=theme, width=width, allowed=missing)

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("path", PAGES)
def test_the_first_load_is_small_and_nothing_moves(path: str, visit: Visit, app: App) -> None:
    missing = ("404",) if path == "/none" else ()
    page = visit("/more", allowed=missing)
    sizes: dict[str, int] = {}

    def loaded(response: Response) -> None:
        if "/live" not in response.url and "/holders" not in response.url:
            sizes[response.url] = len(response.body())

    page.context.clear_cookies(name="nothing")
    page.on("response", loaded)
    page.goto(app.address + path)
    page.wait_for_selector(LIVE)
    shift = page.evaluate(SHIFTS)

    assert len(sizes) <= MAX_REQUESTS, sizes
    assert sum(sizes.values()) <= MAX_BYTES, sizes
    assert shift < 0.005


@pytest.mark.parametrize("path", ["/testnet", "/at/node1/files/", "/parts/map"])
def test_nothing_moves_while_a_page_arrives_in_pieces(path: str, visit: Visit, app: App) -> None:
    """A browser draws what it has; columns that share a width are wrong until the last is there."""
    page, style = visit("/more"), "/static/app.css"
    html, css = (page.evaluate(TEXT, each).encode() for each in (path, style))
    pages = {path: ("text/html", html), style: ("text/css", css)}
    with slowly(pages, PIECES) as address:
        page = visit("/more", allowed=("404",))
        page.goto(address + path)
        assert page.evaluate(SHIFTS) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/testnet",
        "/nodes/node1",
        "/at/node1/files/",
        "/at/node1/mix/",
        "/at/node1/messages/",
        "/at/node1/wallet/",
        "/at/node1/explorer/",
        "/parts",
    ],
)
def test_pages_read_without_script(path: str, visit: Visit) -> None:
    page = visit(path, script=False)

    assert page.locator("h1").inner_text()
    assert page.locator("nav a").count() >= 3


def test_the_address_of_every_page_leads_there_again(visit: Visit) -> None:
    page = visit("/testnet")
    page.click("nav a:has-text('Files')")
    page.wait_for_url("**/at/node1/files/")
    page.select_option("#at", "node3")
    page.wait_for_url("**/at/node3/files/")
    page.go_back()
    page.wait_for_url("**/at/node1/files/")
    page.reload()
    page.wait_for_selector(LIVE)

    assert "node1" in page.locator("h1").inner_text()


def test_the_theme_stays(visit: Visit, app: App) -> None:
    page = visit("/parts")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")

    page.goto(app.address + "/testnet")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    page = visit("/testnet")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("node2")
    page.keyboard.press("Enter")
    page.wait_for_url("**/nodes/node2")
    page.go_back()
    page.focus("#word-node1")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "word-node2"


def test_the_large_map_moves(visit: Visit) -> None:
    """How many frames a second it keeps is measured by `benchmarks/app.py`."""
    page = visit("/parts/map", motion="no-preference")
    before = page.locator("#bars rect").first.get_attribute("transform")

    expect(page.locator("#bars rect").first).not_to_have_attribute("transform", before or "")
    assert page.locator("#bars rect").count() == 120
    assert page.locator("#arcs ellipse").count() == 200
    assert page.evaluate("window.logosFrames()")


def test_reduced_motion_draws_one_still_picture(visit: Visit) -> None:
    page = visit("/parts/map", motion="reduce")

    assert page.locator("#bars rect").count() == 120
    assert page.evaluate("window.logosFrames()") == []
