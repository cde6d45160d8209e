"""A module for tests of containers: the echo module, which misbehaves as its settings say.

`mode`: `exits` with code 1 at once, `leaves` with 0, `hogs` memory until it is killed, is `unwell`
once it serves; else it is well. `tries`: a module that it calls once; what came of it stands
in `<state>/tried`.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import echo_module
import echo_service
import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from logos_base.errors import LogosError
from logos_module import ModuleContext, run
from logos_module.errors import reason_of


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves `test.<module>.Echo`, unless it is to fail before."""
    mode = context.settings.get("mode")
    if mode == "exits":
        raise RuntimeError("it was told to")
    if mode == "leaves":
        os._exit(0)
    async with echo_module.node(context):
        if mode == "hogs":
            context.tasks.create_task(_hog())
        if mode == "unwell":
            context.tasks.create_task(context.set_healthy(is_healthy=False))
        if "tries" in context.settings:
            context.tasks.create_task(_try(context, str(context.settings["tries"])))
        yield


async def _hog() -> None:
    held = []
    while True:
        held.append(os.urandom(1024 * 1024))


async def _try(context: ModuleContext, other: str) -> None:
    try:
        channel = await context.channel(other)
        call = echo_service.stub(channel, f"test.{other}.Echo", "UnaryUnary")
        await call(BytesValue(value=b"x"), timeout=30)
        outcome = "OK"
    except grpc.aio.AioRpcError as error:
        outcome = reason_of(error)
    except LogosError as error:
        outcome = error.reason
    (context.state_dir / "tried").write_text(outcome)


def main(module: str) -> None:
    """Runs the module of a name until it ends."""
    echo_service.define(f"test.{module}")
    sys.exit(run(node, package=module))
