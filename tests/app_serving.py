"""The app behind a real socket, as browsers and streams need it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from logos_app.application import build
from logos_app.config import Config, parse
from logos_app.running import background
from logos_app.serving import AppServer, settings
from logos_client.link_codes import new_code
from logos_client.token_file import replace_token_file
from logos_testnet.testnet import Testnet


def environment(testnet: Testnet, folder: Path, port: int) -> dict[str, str]:
    """The environment of an app for a testnet."""
    token = folder / "operator.token"
    replace_token_file(token, testnet.bearer or "")
    return {
        "LOGOS_APP_TESTNET": testnet.plan.topology.name,
        "LOGOS_APP_NODES": " ".join(f"{node.name}={node.front}" for node in testnet.plan.nodes),
        "LOGOS_OPERATOR_TOKEN": str(token),
        "LOGOS_STATE_DIR": str(folder / "app"),
        "LOGOS_LISTEN": f"127.0.0.1:{port}",
    }


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(testnet: Testnet, folder: Path, **others: str) -> AsyncIterator[Config]:
    """The app of a testnet, until the end of the block; it has heard of every node."""
    config = parse(environment(testnet, folder, free_port()) | others)
    app = build(config)
    server = AppServer(settings(config, app))
    async with background(server._serve()):
        async with asyncio.timeout(30):
            while not all(node.state == "ready" for node in app.state.shell.nodes.seen):  # noqa: ASYNC110 - nodes'
                await asyncio.sleep(0.05)
        try:
            yield config
        finally:
            app.state.shell.live.stop()
            await server.shutdown()


@asynccontextmanager
async def visitor(config: Config) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a served app, with a session; its `x-csrf` is set."""
    host = config.origin.authority
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{config.listen_port}",
        headers={"host": host, "origin": str(config.origin)},
        timeout=30,
    ) as client:
        answer = await client.post("/open", data={"code": new_code(config.links)})
        assert answer.status_code == 303, answer.text
        page = await client.get("/parts")
        client.headers["x-csrf"] = page.text.partition("X-CSRF&#34;: &#34;")[2][:32]
        yield client
