"""The panel Files at its limits: many files, a full quota, media by ranges, files dropped on it."""

import asyncio
import json
import math
import struct
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from browser.conftest import LIVE, App, Visit, done
from browser.test_pages import violations
from logos.kernel.v1 import settings_pb2, settings_pb2_grpc
from logos.storage.v1 import storage_pb2 as pb
from logos.storage.v1 import storage_pb2_grpc
from logos_client.channels import channel_to

LONG_MS = 60_000
MANY = 10_000
PAGE = 50
AT_ONCE = 32
MIB = 1024**2


def front(app: App, node: str) -> str:
    return next(each.front for each in app.testnet.plan.nodes if each.name == node)


async def space(app: App, node: str) -> pb.SpaceResponse:
    async with channel_to(front(app, node), app.testnet.bearer) as channel:
        answer: pb.SpaceResponse = await storage_pb2_grpc.StorageStub(channel).Space(
            pb.SpaceRequest()
        )
        return answer


async def fill(app: App, node: str, count: int) -> None:
    """Stores small files, so that the node has `count`."""
    lacking = range(count - (await space(app, node)).datasets)
    async with channel_to(front(app, node), app.testnet.bearer) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)

        async def put(number: int) -> None:
            header = pb.PutRequest.Header(filename=f"file{number:05}.txt", mimetype="text/plain")
            content = pb.PutRequest(data=f"content of file {number}\n".encode())
            await stub.Put(iter([pb.PutRequest(header=header), content]))

        for first in range(0, len(lacking), AT_ONCE):
            await asyncio.gather(*map(put, lacking[first : first + AT_ONCE]))


async def set_quota(app: App, node: str, quota_bytes: int | None) -> None:
    """Gives a node's storage a quota; None: that of the profile."""
    async with channel_to(front(app, node), app.testnet.bearer) as channel:
        stub = settings_pb2_grpc.SettingsStub(channel)
        now = await stub.GetSettings(settings_pb2.GetSettingsRequest(module="storage"))
        answer = await stub.UpdateSettings(
            settings_pb2.UpdateSettingsRequest(
                module="storage",
                patch_json=json.dumps({"quota_bytes": quota_bytes}),
                expect_version=now.active.version,
            )
        )
    assert answer.tried.outcome == settings_pb2.SETTINGS_OUTCOME_APPLIED


@contextmanager
def full(app: App, node: str, left_bytes: int) -> Iterator[None]:
    """Leaves a node this much room."""
    used = done(space(app, node)).used_bytes
    done(set_quota(app, node, used + left_bytes))
    try:
        yield
    finally:
        done(set_quota(app, node, None))


def stored_without_asking(page: Page, size: int) -> str:
    """Sends a file as the page does, but without asking for room first; returns the notice."""
    text: str = page.evaluate(
        """async size => {
          const answer = await fetch(document.querySelector('[data-drop]').dataset.drop + 'put', {
            method: 'POST', body: new Uint8Array(size),
            headers: {'HX-Request': 'true', 'X-Filename': 'full.bin', 'X-CSRF':
              JSON.parse(document.body.getAttribute('hx-headers:inherited'))['X-CSRF']}});
          return answer.status + ' ' + await answer.text();
        }""",
        size,
    )
    return text


def test_a_full_node_says_how_much_is_lacking(visit: Visit, app: App, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(8 * MIB))
    with full(app, "node2", 2 * MIB):
        page = visit("/at/node2/files/", allowed=("409",))
        page.set_input_files("#choose", large)

        notice = page.locator("#notices .notice")
        expect(notice).to_contain_text("node2 has no room for 8 MiB: ", timeout=LONG_MS)
        expect(notice).to_contain_text("are lacking. Delete files there, or store it elsewhere.")
        expect(notice).to_contain_text("QUOTA_EXCEEDED")
        before = done(space(app, "node2"))
        refused = stored_without_asking(page, 8 * MIB)
        after = done(space(app, "node2"))

    assert refused.startswith("409 ")
    assert "node2 has no room: " in refused
    assert "QUOTA_EXCEEDED" in refused
    assert (after.datasets, after.used_bytes) == (before.datasets, before.used_bytes)
    page.set_input_files("#choose", large)
    expect(page.locator("#notices")).to_contain_text("large.bin is stored", timeout=LONG_MS)


def test_settings_of_a_module_stand_on_its_page_with_their_versions(visit: Visit, app: App) -> None:
    with full(app, "node3", 77 * MIB):
        page = visit("/nodes/node3/modules/storage")
        row = page.locator("tr:has(bdi:text-is('quota_bytes'))")
        expect(row).to_contain_text("an operator")
        versions = page.locator("table:has(caption:text-is('Their last versions')) tbody tr")
        expect(versions.first).to_contain_text("it holds")
        expect(versions.first).to_contain_text("quota_bytes: 21474836480 → ")


def sound(path: Path, seconds: int) -> None:
    """A tone, as WAV."""
    rate = 22_050
    tone = [int(9000 * math.sin(2 * math.pi * 440 * at / rate)) for at in range(rate)]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(seconds):
            file.writeframes(struct.pack(f"<{rate}h", *tone))


def test_a_recording_seeks_by_ranges(visit: Visit, tmp_path: Path) -> None:
    sound(tmp_path / "tone.wav", 600)
    size = (tmp_path / "tone.wav").stat().st_size
    page = visit("/at/node3/files/")
    page.set_input_files("#choose", tmp_path / "tone.wav")
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - a list's method has no attributes
    page.click("#notices a:has-text('Open it')", timeout=LONG_MS)
    page.wait_for_selector("audio.preview")
    page.evaluate(
        """() => new Promise((done, failed) => {
          const audio = document.querySelector('audio.preview');
          const seek = () => { audio.onseeked = () => done(); audio.currentTime = 580; };
          audio.onerror = () => failed(new Error(audio.error.message));
          if (audio.readyState) seek(); else audio.onloadedmetadata = seek;
        })"""
    )

    assert page.evaluate("document.querySelector('audio.preview').duration") == 600
    assert page.evaluate("document.querySelector('audio.preview').currentTime") == 580
    parts = [each for each in answers if each.url.endswith("/raw")]
    assert {each.status for each in parts} == {206}
    begins = [int(each.headers["content-range"].split()[1].split("-")[0]) for each in parts]
    assert max(begins) > size // 2
    assert all(each.headers["content-range"].endswith(f"/{size}") for each in parts)


DROP = """names => {
  const carried = new DataTransfer();
  for (const name of names) carried.items.add(new File([name + ' was dropped'], name));
  for (const kind of ['dragover', 'drop']) document.querySelector('#drop').dispatchEvent(
    new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


def test_files_are_dropped_on_the_page(visit: Visit) -> None:
    page = visit("/at/node1/files/")
    page.evaluate(DROP, ["left.txt", "right.txt"])

    expect(page.locator("#notices")).to_contain_text("left.txt is stored", timeout=LONG_MS)
    expect(page.locator("#notices")).to_contain_text("right.txt is stored", timeout=LONG_MS)
    assert "over" not in (page.get_attribute("#drop", "class") or "").split()
    page.reload()
    page.wait_for_selector(LIVE)
    expect(page.locator("#rows")).to_contain_text("left.txt")
    expect(page.locator("#rows")).to_contain_text("right.txt")


def test_a_file_has_a_page_without_a_node(visit: Visit, app: App) -> None:
    page = visit("/at/node4/files/")
    page.evaluate(DROP, ["anywhere.txt"])
    page.click("#notices a:has-text('Open it')", timeout=LONG_MS)
    page.wait_for_selector(LIVE)
    cid = page.url.rpartition("/")[2]

    page.goto(f"{app.address}/go?q={cid}")
    page.wait_for_selector(LIVE)
    assert page.url == f"{app.address}/files/{cid}"
    expect(page.locator("main")).to_contain_text("Seen from node4: it holds all of it.")
    expect(page.locator("h1")).to_contain_text("anywhere.txt is on node4")
    assert violations(page) == []


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_ten_thousand_files_are_listed_fifty_a_page(visit: Visit, app: App) -> None:
    done(fill(app, "node5", MANY))
    page = visit("/at/node5/files/")
    expect(page.locator("#rows tr")).to_have_count(PAGE)
    total = done(space(app, "node5")).datasets
    assert total >= MANY
    expect(page.locator(".pager")).to_contain_text(f"{PAGE} of {total:,} files")

    page.fill("#find", "file00042")
    page.press("#find", "Enter")
    page.wait_for_selector(LIVE)
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows tr")).to_contain_text("file00042.txt")

    assert pages_to_the_end(page, "/at/node5/files/") == (math.ceil(total / PAGE), total)


def pages_to_the_end(page: Page, path: str) -> tuple[int, int]:
    """Reads the list to its end, as a browser does that follows Older; pages and files."""
    found: Any = page.evaluate(
        """async path => {
          const seen = new Set(); let pages = 0;
          while (path) {
            const text = await (await fetch(path)).text();
            const parsed = new DOMParser().parseFromString(text, 'text/html');
            for (const row of parsed.querySelectorAll('#rows tr')) seen.add(row.id);
            const links = [...parsed.querySelectorAll('.pager a')];
            const older = links.find(a => a.textContent === 'Older');
            path = older?.getAttribute('href'); pages++;
            await new Promise(next => setTimeout(next, 20));
          }
          return [pages, seen.size];
        }""",
        path,
    )
    return int(found[0]), int(found[1])
