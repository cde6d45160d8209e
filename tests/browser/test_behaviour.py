"""What people do on the pages, what they see when nodes fail, and what is kept from others."""

import http.server
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.conftest import LIVE, App, Cookies, Visit, done, new_context
from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_client.channels import channel_to
from logos_testnet.app_process import AppProcess
from logos_testnet.layout import Layout
from logos_testnet.processes import find_processes, send_signal

LONG_MS = 60_000
LOST = (
    "ERR_CONNECTION_REFUSED",
    "ERR_INCOMPLETE_CHUNKED",
    "ERR_CONNECTION_RESET",
    "network error",
    "Failed to fetch",
)


def layout(app: App) -> Layout:
    return app.testnet._layout  # type: ignore[attr-defined]


def rows(page: Page) -> str:
    return page.inner_text("#said")


def test_the_tour_s_steps_are_done_by_mouse(visit: Visit, app: App) -> None:
    page = visit("/testnet")
    expect(page.locator("#says")).to_have_text("All five nodes are joined.", timeout=LONG_MS)
    expect(page.locator("#tour .done").first).to_have_text("Run a node")
    page.click("#tour a:has-text('store a file')")
    page.wait_for_selector(LIVE)
    page.click("button:has-text('Store a sample')")
    page.click("#notices a:has-text('Open it')")
    page.wait_for_selector(LIVE)
    page.click("button:has-text('Fetch it on node4')")

    stored = page.locator("#tour .done", has_text="store a file")
    expect(stored).to_have_count(1, timeout=LONG_MS)


def test_a_file_is_stored_without_a_mouse(visit: Visit) -> None:
    page = visit("/at/node2/files/")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Store a sample":
            break
    page.keyboard.press("Enter")

    expect(page.locator("#notices .notice")).to_contain_text("hello.txt is stored on node2")
    expect(page.locator("#rows tr").first).to_contain_text("hello.txt")


def test_a_killed_module_is_told_and_nothing_is_taken_from_the_reader(
    visit: Visit, app: App
) -> None:
    page = visit("/testnet")
    page.focus("#card-node3 a >> nth=0")
    page.evaluate("scrollTo(0, 300)")
    top = page.evaluate("scrollY")
    done(app.testnet.kill("node3", "storage", signal.SIGKILL))

    expect(page.locator("#said")).to_contain_text("Storage on node3 ended", timeout=LONG_MS)
    expect(page.locator("#said")).to_contain_text("Storage on node3 is ready", timeout=LONG_MS)
    expect(page.locator("#says")).to_have_text("All five nodes are joined.", timeout=LONG_MS)
    assert page.evaluate("document.activeElement.textContent") == "node3"
    assert page.evaluate("scrollY") == top


def test_a_module_s_page_follows_it_and_its_log(visit: Visit, app: App) -> None:
    page = visit("/nodes/node2/modules/storage")
    page.click("button:has-text('Restart')")

    expect(page.locator("#notices .notice")).to_contain_text("storage on node2 was restarted.")
    expect(page.locator("#log-lines")).to_contain_text("stopping", timeout=LONG_MS)
    expect(page.locator("#log-lines li").last).to_contain_text("ready", timeout=LONG_MS)


def test_isolation_is_undone_from_its_notice(visit: Visit) -> None:
    page = visit("/testnet")
    page.click("#card-node5 button:has-text('Isolate')")
    expect(page.locator("#says")).to_contain_text("node5 is isolated", timeout=LONG_MS)
    expect(page.locator(".word.isolated a")).to_have_text("node5")
    expect(page.locator("#arcs .lost")).to_have_count(4)

    page.click("#notices button:has-text('Heal node5')")

    expect(page.locator("#says")).to_have_text("All five nodes are joined.", timeout=LONG_MS)


def test_two_people_see_each_other_s_acts(visit: Visit, browser: Browser, app: App) -> None:
    one = visit("/testnet")
    context = new_context(browser)
    other = context.new_page()
    other.goto(app.link())
    other.wait_for_selector(LIVE)
    one.click("#card-node1 button:has-text('Isolate')")

    expect(one.locator("#said li").first).to_contain_text("You isolated node1", timeout=LONG_MS)
    expect(other.locator("#said li").first).to_contain_text(
        "Another session isolated node1", timeout=LONG_MS
    )
    other.click("#card-node1 button:has-text('Heal')")
    expect(one.locator("#says")).to_have_text("All five nodes are joined.", timeout=LONG_MS)
    context.close()


def test_a_node_goes_away_and_comes_back(visit: Visit, app: App) -> None:
    page = visit("/testnet")
    kernels = [
        process
        for process in find_processes(layout(app).directory)
        if (process.node, process.name) == ("node5", "kernel")
    ]
    send_signal(kernels, signal.SIGSTOP)
    send_signal(kernels, signal.SIGKILL)

    expect(page.locator("#says")).to_contain_text("node5 does not answer", timeout=LONG_MS)
    expect(page.locator("#card-node5")).to_contain_text("as of", timeout=LONG_MS)
    done(app.testnet.up(lambda _: None))
    expect(page.locator("#says")).to_have_text("All five nodes are joined.", timeout=LONG_MS)


def test_the_app_restarts_and_pages_and_sessions_go_on(visit: Visit, app: App) -> None:
    page = visit("/testnet", allowed=LOST)
    process = AppProcess(app.testnet.plan, layout(app))
    done(process.stop())
    expect(page.locator("#stale")).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#stale")).to_contain_text("Not live since")

    app.start()

    expect(page.locator("#stale")).to_be_hidden(timeout=LONG_MS)
    # Not by a reload: where too much was missed, the page is just doing that.
    visit("/testnet", allowed=LOST)


def test_what_happens_while_a_tab_is_hidden_is_told_later(visit: Visit, app: App) -> None:
    page = visit("/testnet")
    page.evaluate(_HIDDEN.format("true"))
    done(app.testnet.kill("node4", "storage", signal.SIGKILL))
    watching = visit("/testnet")
    expect(watching.locator("#said")).to_contain_text("Storage on node4 is ready", timeout=LONG_MS)

    page.evaluate(_HIDDEN.format("false"))

    expect(page.locator("#said")).to_contain_text("Storage on node4 is ready", timeout=LONG_MS)
    ids = page.evaluate("[...document.querySelectorAll('#said li')].map(row => row.id)")
    assert len(ids) == len(set(ids))


_HIDDEN = """(() => {{
  Object.defineProperty(document, 'hidden', {{get: () => {}, configurable: true}});
  document.dispatchEvent(new Event('visibilitychange'));
}})()"""


def test_more_tabs_than_streams_stay_usable(visit: Visit, app: App) -> None:
    first = visit("/testnet")
    pages = [first.context.new_page() for _ in range(7)]
    for page in pages:
        page.goto(app.address + "/parts")
        page.wait_for_selector(LIVE)

    expect(first.locator("#stale")).to_contain_text("four other tabs", timeout=LONG_MS)
    first.click("#stale button")
    first.wait_for_selector(LIVE)


def test_a_tab_that_is_closed_during_an_upload_leaves_nothing(
    visit: Visit, app: App, tmp_path: Path
) -> None:
    large = tmp_path / "half.bin"
    with large.open("wb") as file:
        file.truncate(1024**3)
    page = visit("/at/node1/files/")
    before = page.inner_text("#says")
    kept = large_files(app)
    page.set_input_files("#choose", large)
    expect(page.locator("#uploads .how")).to_contain_text(" of 1", timeout=LONG_MS)
    page.close(run_before_unload=False)

    again = visit("/at/node1/files/?q=half.bin")
    expect(again.locator("main")).to_contain_text("No file on node1 is called", timeout=LONG_MS)
    for _ in range(100):
        if again.inner_text("#says") == before:
            break
        again.reload()
        again.wait_for_selector(LIVE)
    assert again.inner_text("#says") == before
    assert done(reserved(app)) == 0
    assert large_files(app) == kept


def large_files(app: App) -> set[Path]:
    """What node1 and the app keep on disk of a megabyte or more."""
    folders = (layout(app).node("node1"), layout(app).app_state)
    return {
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.stat().st_size >= 2**20 and "-wal" not in path.name
    }


async def reserved(app: App) -> int:
    """What node1 holds free for uploads."""
    front = next(each.front for each in app.testnet.plan.nodes if each.name == "node1")
    async with channel_to(front, app.testnet.bearer) as channel:
        space = await storage_pb2_grpc.StorageStub(channel).Space(storage_pb2.SpaceRequest())
        return space.reserved_bytes


def test_an_upload_is_cancelled_and_two_run_at_once(visit: Visit, tmp_path: Path) -> None:
    for name, size in (("one.bin", 1024**3), ("two.bin", 30_000_000)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    page = visit("/at/node2/files/")
    page.set_input_files("#choose", [tmp_path / "one.bin", tmp_path / "two.bin"])
    page.click("#uploads li:has-text('one.bin') button:has-text('Cancel')")

    expect(page.locator("#uploads")).to_contain_text("Cancelled. Nothing was stored.")
    expect(page.locator("#notices")).to_contain_text("two.bin is stored", timeout=LONG_MS)


def test_names_with_markup_are_names(visit: Visit, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>\u202egpj.txt"
    (tmp_path / name).write_bytes(os.urandom(10))
    page = visit("/at/node3/files/")
    page.set_input_files("#choose", tmp_path / name)

    expect(page.locator("#rows tr").first).to_contain_text("<img src=x onerror=alert(1)>[U+202E]")
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("name", ["page.html", "picture.svg"])
def test_scripts_in_files_do_not_run(name: str, visit: Visit, app: App, tmp_path: Path) -> None:
    script = "<script>document.title = 'run'; fetch('/close', {method: 'POST'})</script>"
    text = f'<svg xmlns="http://www.w3.org/2000/svg">{script}</svg>'
    (tmp_path / name).write_text(text if name.endswith("svg") else script, encoding="utf-8")
    page = visit("/at/node3/files/")
    page.set_input_files("#choose", tmp_path / name)
    page.click("#notices a:has-text('Open it')")
    page.wait_for_selector(LIVE)
    address = page.url
    assert page.title() != "run"
    frame = page.evaluate(
        """address => new Promise(resolve => {
          const frame = document.createElement('iframe'); frame.src = address + '/raw';
          frame.onload = () => resolve(!!frame.contentDocument); document.body.append(frame);
          setTimeout(() => resolve(false), 1500);
        })""",
        address,
    )

    assert frame is False
    assert page.title() != "run"


def test_a_picture_is_shown_from_ranges(visit: Visit, tmp_path: Path) -> None:
    picture = tmp_path / "dot.png"
    picture.write_bytes(
        bytes.fromhex(
            "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
            "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
        )
    )
    page = visit("/at/node3/files/")
    page.set_input_files("#choose", picture)
    page.click("#notices a:has-text('Open it')")
    page.wait_for_selector("img.preview")

    assert page.evaluate("document.querySelector('img.preview').naturalWidth") == 1


def test_a_link_is_used_once(browser: Browser, app: App) -> None:
    link = app.link()
    for context in (new_context(browser), new_context(browser)):
        page = context.new_page()
        page.goto(link)
        page.wait_for_url("**/testnet" if context is browser.contexts[-2] else "**/open")
        last = page
    expect(last.locator("h1")).to_contain_text("This link was used at")
    assert "#" not in last.url
    for context in browser.contexts:
        context.close()


class Catcher(http.server.BaseHTTPRequestHandler):
    """Another program on this machine: remembers the cookies that it is sent."""

    cookies: list[str | None] = []  # noqa: RUF012 - of the class on purpose
    target = ""

    def do_GET(self) -> None:
        type(self).cookies.append(self.headers.get("cookie"))
        form = f'<form method="post" action="{self.target}/close"><button>go</button></form>'
        frame = f'<iframe src="{self.target}/testnet"></iframe>'
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(f"<title>caught</title>{form}{frame}".encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def another_program(app: App) -> Iterator[int]:
    """Serves pages at another port of this machine."""
    Catcher.cookies, Catcher.target = [], app.address
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Catcher)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_another_port_gets_no_cookie_and_can_do_nothing(visit: Visit, app: App) -> None:
    page = visit("/testnet", allowed=("frame-ancestors", "401", "Framing"))
    with another_program(app) as port:
        for host in ("127.0.0.1", "localhost"):
            page.goto(f"http://{host}:{port}/")
        page.click("button")
        page.wait_for_url("**/close")

        assert set(Catcher.cookies) == {None}
    # The browser sent no cookie along: to the app, it is nobody.
    expect(page.locator("main")).to_contain_text("SESSION_NEEDED")
    page.goto(app.address + "/testnet")
    page.wait_for_selector(LIVE)


def test_the_cookie_is_hidden_from_scripts(visit: Visit, cookies: Cookies) -> None:
    page = visit("/testnet")

    assert page.evaluate("document.cookie") == ""
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies)


def test_a_session_that_ends_says_so(browser: Browser, app: App) -> None:
    context = new_context(browser)
    page = context.new_page()
    page.goto(app.link())
    page.wait_for_selector(LIVE)
    another = context.new_page()
    another.goto(app.address + "/parts")
    another.wait_for_selector(LIVE)
    another.evaluate(
        """() => fetch('/close', {method: 'POST', headers: {'X-CSRF':
          JSON.parse(document.body.getAttribute('hx-headers:inherited'))['X-CSRF']}})"""
    )

    expect(page.locator("#stale")).to_contain_text("Your session was closed", timeout=LONG_MS)
    context.close()
