"""The app over ASGI, without sockets, and what a browser would send to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from logos_app.application import build
from logos_app.config import Config, parse
from logos_client.link_codes import new_code
from logos_client.token_file import make_token_file

HOST = "small.localhost:17900"
ORIGIN = f"http://{HOST}"
FROM_OURS = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
PATIENCE_S = 60


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what changes without an event of its own."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def variables(folder: Path, **others: str) -> dict[str, str]:
    """The environment of an app whose node does not run."""
    return {
        "LOGOS_APP_TESTNET": "small",
        "LOGOS_APP_NODES": "node1=127.0.0.1:1 node2=127.0.0.1:2",
        "LOGOS_OPERATOR_TOKEN": str(folder / "operator.token"),
        "LOGOS_STATE_DIR": str(folder / "app"),
        "LOGOS_LISTEN": "127.0.0.1:17900",
        **others,
    }


def made(folder: Path, **others: str) -> tuple[Config, FastAPI]:
    """An app with its state in a folder."""
    make_token_file(folder / "operator.token")
    config = parse(variables(folder, **others))
    return config, build(config)


def browser(app: FastAPI, base: str = ORIGIN) -> httpx.AsyncClient:
    """A client that keeps cookies and follows nothing by itself."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base)


async def open_session(client: httpx.AsyncClient, config: Config) -> str:
    """Opens a session by a new link; returns its CSRF token."""
    answer = await client.post("/open", data={"code": new_code(config.links)}, headers=FROM_OURS)
    assert answer.status_code == 303, answer.text
    return await csrf_of(client)


async def csrf_of(client: httpx.AsyncClient) -> str:
    page = await client.get("/parts")
    found = re.search(
        r"X-CSRF&#34;: ?&#34;([0-9a-f]{32})|name=\"csrf\" value=\"([0-9a-f]{32})\"", page.text
    )
    assert found is not None, page.text
    return found[1] or found[2]


@asynccontextmanager
async def visiting(folder: Path, **others: str) -> AsyncIterator[tuple[httpx.AsyncClient, Config]]:
    """A browser with a session."""
    config, app = made(folder, **others)
    async with browser(app) as client:
        await client.post("/open", data={"code": new_code(config.links)}, headers=FROM_OURS)
        yield client, config
