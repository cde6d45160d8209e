"""A page of the Logos App left open under events: what its memory and its elements do.

.venv/bin/python benchmarks/app_soak.py MINUTES
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser.launching import CHROMIUM
from logos.kernel.v1 import events_pb2, events_pb2_grpc
from logos_client.channels import channel_to
from logos_testnet.app_process import AppProcess
from logos_testnet.layout import layout_of
from logos_testnet.opening import Places
from logos_testnet.processes import proportional_bytes
from logos_testnet.progress import silent
from logos_testnet.testnet import Testnet
from own_topology import ROOT, described, running

EVENTS_A_SECOND: Final = 200
SAMPLES: Final = 12


async def _publish(testnet: Testnet, over: threading.Event) -> None:
    """Publishes acts on every node, until it is over."""
    each = EVENTS_A_SECOND // len(testnet.plan.nodes)
    payload = json.dumps({"verb": "restart", "session": "soak", "module": "none"}).encode()
    request = events_pb2.PublishRequest(
        topic="operator/act", events=[events_pb2.NewEvent(payload=payload)] * (each // 4)
    )
    async with asyncio.TaskGroup() as tasks:
        for node in testnet.plan.nodes:
            tasks.create_task(_publish_on(node.front, testnet.bearer, request, over))


async def _publish_on(front: str, bearer: str | None, request: Any, over: threading.Event) -> None:
    async with channel_to(front, bearer) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        while not over.is_set():
            await stub.Publish(request)
            await asyncio.sleep(0.25)


def main(minutes: float) -> None:
    """Prints the figures, evenly over the time."""
    with tempfile.TemporaryDirectory(prefix="logos-app-", ignore_cleanup_errors=True) as folder:
        places = Places(ROOT, Path(folder).resolve())
        with running(described("soak"), places, "processes") as testnet:
            link = str(asyncio.run(testnet.start_app(silent)))
            process = AppProcess(testnet.plan, layout_of(places.state_root, "soak"))
            over = threading.Event()
            thread = threading.Thread(target=lambda: asyncio.run(_publish(testnet, over)))
            thread.start()
            try:
                _watch(link, process, minutes)
            finally:
                over.set()
                thread.join()


def _watch(link: str, process: AppProcess, minutes: float) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(link)
        page.wait_for_selector("html[data-live=yes]")
        tools = page.context.new_cdp_session(page)
        begun = time.monotonic()
        for _ in range(SAMPLES):
            page.wait_for_timeout(60_000 * minutes / SAMPLES)
            tools.send("HeapProfiler.collectGarbage")
            heap = tools.send("Runtime.getHeapUsage")["usedSize"]
            elements = page.evaluate("document.getElementsByTagName('*').length")
            rows = page.evaluate("document.querySelectorAll('#said li').length")
            live = page.evaluate("document.documentElement.dataset.live")
            print(
                f"{(time.monotonic() - begun) / 60:5.1f} min: heap {heap / 2**20:.1f} MiB,"
                f" {elements} elements, {rows} rows, live {live},"
                f" app {proportional_bytes(process.processes()) / 2**20:.1f} MiB PSS",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main(float(sys.argv[1]))
