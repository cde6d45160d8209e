"""A module for tests: an echo service, and ways to fail that its settings choose.

Settings: `misconfigured` is refused; `fails_while` names a file whose presence
makes the start fail; `peer` makes it call that module every 20 ms and note in
`<state>/calls` how many calls were done and how many failed.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import echo_service
import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from logos_base.errors import ConfigError
from logos_module import ModuleContext


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves `test.<module>.Echo`."""
    if "misconfigured" in context.settings:
        raise ConfigError(["quota_bytes: must be a number"])
    if Path(str(context.settings.get("fails_while", "/nonexistent"))).exists():  # noqa: ASYNC240
        raise RuntimeError("the marker is there")
    service = f"test.{context.module}.Echo"
    context.serve(echo_service.adder(service), echo_service.Echo(context.epoch))
    (context.state_dir / "started").write_text(f"{os.getpid()} {context.epoch}")
    if "peer" in context.settings:
        peer = str(context.settings["peer"])
        context.tasks.create_task(_call(context, peer))
    yield


async def _call(context: ModuleContext, peer: str) -> None:
    channel = await context.channel(peer)
    call = echo_service.stub(channel, f"test.{peer}.Echo", "UnaryUnary")
    done = failed = 0
    while True:
        try:
            await call(BytesValue(value=b"x"), timeout=30)
            done += 1
        except grpc.aio.AioRpcError:
            failed += 1
        (context.state_dir / "calls.new").write_text(f"{done} {failed}")
        (context.state_dir / "calls.new").replace(context.state_dir / "calls")
        await asyncio.sleep(0.02)
