"""Many tabs of one session, and a page that is left open."""

from playwright.sync_api import Page, expect

from browser.conftest import LIVE, App, Visit
from logos_testnet.app_process import AppProcess
from logos_testnet.processes import proportional_bytes

LONG_MS = 60_000
TABS = 20
STREAMS = 4
MOST_BYTES = 70 * 2**20
ROWS = 200

ADD = """count => {
  const said = document.getElementById('said');
  for (let at = 0; at < count; at++) {
    const row = document.createElement('li'); row.id = `ev-made-${at}`;
    said.prepend('\\n', row, '\\n');
  }
  document.getElementById('stream').dispatchEvent(
    new CustomEvent('htmx:sse:after:message', {bubbles: true, detail: {}}));
  return [said.children.length, said.childNodes.length];
}"""


def is_live(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.dataset.live === 'yes'"))


def test_twenty_tabs_are_live_or_told_why_not(visit: Visit, app: App) -> None:
    first = visit("/testnet")
    pages = [first]
    for path in ["/nodes/node1", "/at/node1/files/", "/testnet"] * 6 + ["/parts"]:
        page = first.context.new_page()
        page.goto(app.address + path)
        page.wait_for_selector(LIVE)
        pages.append(page)
    assert len(pages) == TABS

    for page in pages[:-STREAMS]:
        expect(page.locator("#stale")).to_contain_text("four other tabs", timeout=LONG_MS)
    assert [is_live(page) for page in pages[-STREAMS:]] == [True] * STREAMS
    [process] = AppProcess(app.testnet.plan, app.testnet._layout).processes()  # type: ignore[attr-defined]
    assert proportional_bytes([process]) <= MOST_BYTES


def test_rows_leave_nothing_behind(visit: Visit) -> None:
    page = visit("/testnet")
    rows, nodes = page.evaluate(ADD, 5 * ROWS)

    assert rows == ROWS
    assert nodes <= 3 * ROWS + 1
