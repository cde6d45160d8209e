"""A browser, and a testnet whose app it opens. Errors of pages fail every test."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser.launching import CHROMIUM
from logos_testnet.opening import Places
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet
from own_topology import ROOT, described, running

AXE = Path(__file__).with_name("axe") / "axe.min.js"
LIVE = "html[data-live=yes]"
PATIENCE_MS = 60_000
"""For whatever is awaited: of playwright's own 5 s, a busy machine may need more."""

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder; without a browser they are left out."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.integration)
            if CHROMIUM is None and os.environ.get("CI"):
                raise pytest.UsageError("there is no chromium: install it")
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="there is no chromium: install it"))


@dataclass
class App:
    """A testnet and its app."""

    testnet: Testnet
    errors: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        topology = self.testnet.plan.topology
        return f"http://{topology.name}.localhost:{topology.app_port}"

    def link(self) -> str:
        """A new one-time link."""
        found: str | None = done(self.testnet.app_link())
        assert found is not None
        return found

    def start(self) -> None:
        """Starts the app if it does not run."""
        done(self.testnet.start_app(silent))


@pytest.fixture(scope="package")
def app() -> Iterator[App]:
    """Five nodes and the app, for all tests."""
    with tempfile.TemporaryDirectory(prefix="logos-app-", ignore_cleanup_errors=True) as folder:
        places = Places(ROOT, Path(folder).resolve())
        with running(described("browser"), places, "processes") as testnet:
            one = App(testnet)
            one.start()
            yield one


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. While it is there, Playwright's event loop runs: none of another test can."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


Visit = Callable[..., Page]
Cookies = list[dict[str, Any]]


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a thread of its own: Playwright holds the loop of this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A context whose pages wait for as long as a busy machine takes."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context


@pytest.fixture(scope="module")
def cookies(app: App, browser: Browser) -> Cookies:
    """A session's: a link opens one, and the app allows few attempts a minute."""
    context = new_context(browser)
    page = context.new_page()
    page.goto(app.link())
    page.wait_for_url("**/testnet")
    found = [dict(cookie) for cookie in context.cookies()]
    context.close()
    return found


@contextmanager
def watched(context: BrowserContext, allowed: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Collects errors of pages: of scripts, of the console, of the content security policy."""
    errors: list[str] = []

    def note(text: str) -> None:
        if not any(each in text for each in allowed):
            errors.append(text)

    def attach(page: Page) -> None:
        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", lambda said: note(said.text) if said.type == "error" else None)

    context.on("page", attach)
    yield errors


@pytest.fixture
def visit(app: App, browser: Browser, cookies: Cookies) -> Iterator[Visit]:
    """Opens pages of the app in a session, in a context of the test's own."""
    contexts: list[BrowserContext] = []
    errors: list[list[str]] = []

    def open_page(
        path: str = "/testnet",
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        motion: str = "reduce",
        allowed: tuple[str, ...] = (),
        script: bool = True,
    ) -> Page:
        context = new_context(
            browser,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion=motion,
            java_script_enabled=script,
        )
        contexts.append(context)
        with watched(context, allowed) as seen:
            errors.append(seen)
        context.add_cookies(cookies)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(app.address + path)
        if script:
            page.wait_for_selector(LIVE)
        return page

    yield open_page
    for context in contexts:
        context.close()
    found = [error for some in errors for error in some]
    assert found == [], found
