"""The Logos App beside its budgets: pages, memory, the large map. Prints figures, asserts none.

.venv/bin/python benchmarks/app.py
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser.launching import CHROMIUM
from logos_testnet.app_process import AppProcess
from logos_testnet.layout import layout_of
from logos_testnet.opening import Places
from logos_testnet.processes import proportional_bytes
from logos_testnet.progress import silent
from own_topology import ROOT, described, running

PAGES: Final = ("/testnet", "/nodes/node1", "/at/node1/files/", "/parts")
ROUNDS: Final = 200
SECONDS: Final = 20
LIVE_SECONDS: Final = 60
_OBSERVED: Final = """ms => new Promise(done => {
  const spent = [];
  new PerformanceObserver(list => spent.push(...list.getEntries().map(each => each.duration)))
    .observe({type: 'longtask', buffered: BUFFERED});
  setTimeout(() => done(spent), ms);
})"""
_LONG: Final = _OBSERVED.replace("BUFFERED", "true")
_LONG_NOW: Final = _OBSERVED.replace("BUFFERED", "false")


def main() -> None:
    """Measures a testnet of five nodes of its own."""
    with tempfile.TemporaryDirectory(prefix="logos-app-", ignore_cleanup_errors=True) as folder:
        places = Places(ROOT, Path(folder).resolve())
        with running(described("bench"), places, "processes") as testnet:
            link = str(asyncio.run(testnet.start_app(silent)))
            layout = layout_of(places.state_root, testnet.plan.topology.name)
            process = AppProcess(testnet.plan, layout)
            print(
                f"app, just started: {proportional_bytes(process.processes()) / 2**20:.1f} MiB PSS"
            )
            asyncio.run(_pages(link))
            _tasks(str(asyncio.run(testnet.app_link())))
            _map(str(asyncio.run(testnet.app_link())))
            print(f"app, after that: {proportional_bytes(process.processes()) / 2**20:.1f} MiB PSS")


async def _pages(link: str) -> None:
    origin, _, code = link.partition("/open#")
    host = origin.removeprefix("http://")
    port = host.rpartition(":")[2]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"host": host, "origin": origin}
    ) as client:
        await client.post("/open", data={"code": code})
        for path in PAGES:
            spent = []
            for _ in range(ROUNDS):
                begun = time.perf_counter()
                page = await client.get(path)
                spent.append(1000 * (time.perf_counter() - begun))
                await asyncio.sleep(0.01)
            ordered = sorted(spent)
            names = set(re.findall(r"(?:src|href)=\"(/static/[^\"]+)", page.text))
            size = len(page.content)
            for name in names:
                size += len((await client.get(name)).content)
            print(
                f"{path}: median {statistics.median(spent):.1f} ms,"
                f" p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms,"
                f" first load {size / 1024:.1f} KiB in {len(names) + 1} requests"
            )


def _tasks(link: str) -> None:
    """Long tasks (over 50 ms) of scripts: while pages load, and of one that is live."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(link)
        page.wait_for_selector("html[data-live=yes]")
        for path in PAGES:
            page.goto(link.partition("/open")[0] + path)
            page.wait_for_selector("html[data-live=yes]")
            print(f"{path}: {_said(page.evaluate(_LONG, 2000))} at load")
        page.goto(link.partition("/open")[0] + "/testnet")
        page.wait_for_selector("html[data-live=yes]")
        page.evaluate(_LONG, 2000)
        print(f"/testnet: {_said(page.evaluate(_LONG_NOW, 1000 * LIVE_SECONDS))} in a live minute")
        browser.close()


def _said(spent: list[float]) -> str:
    longest = f", the longest {max(spent):.0f} ms" if spent else ""
    return f"{len(spent)} long tasks{longest}"


def _map(link: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(link)
        page.wait_for_selector("html[data-live=yes]")
        page.goto(link.partition("/open")[0] + "/parts/map")
        page.wait_for_selector("#bars rect")
        page.wait_for_timeout(1000 * SECONDS)
        frames: list[Any] = page.evaluate("window.logosFrames()")
        spans = [after[0] - before[0] for before, after in pairwise(frames)]
        costs = sorted(cost for _, cost in frames)
        print(
            f"map of 100 nodes, 200 links, 120 bars: {1000 * len(spans) / sum(spans):.1f} frames/s,"
            f" p99 {sorted(spans)[int(len(spans) * 0.99)]:.0f} ms apart,"
            f" script {statistics.median(costs):.2f} ms a frame"
        )
        browser.close()


if __name__ == "__main__":
    main()
