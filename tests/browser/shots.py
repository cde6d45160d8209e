"""`./logos shots`: pictures of every page of the app, in both themes and at two widths."""

import asyncio
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, sync_playwright

from browser.launching import CHROMIUM
from logos_testnet.opening import Places
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet
from own_topology import ROOT, described, running

PAGES: Final = {
    "testnet": "/testnet",
    "events": "/testnet/events",
    "node": "/nodes/node2",
    "module": "/nodes/node2/modules/storage",
    "files": "/at/node1/files/",
    "mix": "/at/node1/mix/",
    "messages": "/at/node1/messages/",
    "wallet": "/at/node1/wallet/",
    "explorer": "/at/node1/explorer/",
    "parts": "/parts",
}
LOOKS: Final = [(theme, width) for theme in ("light", "dark") for width in (1280, 360)]
SAMPLES: Final = (
    ("lighthouse.txt", "A lamp in a tower. " * 2000),
    ("census-2026.csv", "node,files\n" * 30_000),
    ("<b>not markup<b>.txt", "plain"),
)
_POOL_MS: Final = 180_000
"""For mixes to find one another, and for an answer."""
_LIVE: Final = "html[data-live=yes]"


def main(folder: Path) -> int:
    """Writes the pictures, `PAGE-THEME-WIDTH.png`. Returns the exit status."""
    if CHROMIUM is None:
        print("error: there is no chromium: install it", file=sys.stderr)  # noqa: T201 - a command
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logos-app-", ignore_cleanup_errors=True) as state:
        places = Places(ROOT, Path(state).resolve())
        with running(described("small"), places, "processes") as testnet:
            link = asyncio.run(testnet.start_app(silent))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox"]
                )
                _take(browser, testnet, str(link), folder)
                browser.close()
    return 0


def _take(browser: Browser, testnet: Testnet, link: str, folder: Path) -> None:
    origin = link.partition("/open")[0]
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.wait_for_selector(_LIVE)
    cookies: Any = context.cookies()
    page.goto(f"{origin}/at/node1/files/")
    page.wait_for_selector(_LIVE)
    for name, text in SAMPLES:
        sample = {"name": name, "mimeType": "text/plain", "buffer": text.encode()}
        page.set_input_files("#choose", sample)  # type: ignore[arg-type]
        page.wait_for_selector(f"#notices .notice:has-text('{name}')")
    page.goto(f"{origin}/at/node1/mix/")
    page.wait_for_selector("#says:has-text('A message from node1')", timeout=_POOL_MS)
    page.click("#send button")
    page.wait_for_selector("#journey p:has-text('The answer came back')", timeout=_POOL_MS)
    with ThreadPoolExecutor(1) as pool:  # Playwright holds the loop of this thread
        pool.submit(asyncio.run, testnet.isolate("node4")).result()
        pool.submit(asyncio.run, testnet.kill("node2", "storage", 9)).result()
    page.goto(f"{origin}/testnet")
    page.wait_for_selector(".word.isolated")
    page.wait_for_timeout(3000)
    for theme, width in LOOKS:
        look: Any = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
        seen = browser.new_context(**look)
        seen.add_cookies(cookies)
        for name, path in PAGES.items():
            shot = seen.new_page()
            shot.goto(origin + path)
            shot.wait_for_selector(_LIVE)
            shot.wait_for_timeout(1500)
            shot.screenshot(path=folder / f"{name}-{theme}-{width}.png", full_page=True)
            shot.close()
        seen.close()
    context.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
