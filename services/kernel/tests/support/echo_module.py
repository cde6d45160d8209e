"""A module for tests: an echo service, and ways to fail that its settings choose.

Settings: `misconfigured` is refused; `fails_while` names a file whose presence
makes the start fail; `peer` makes it call that module every 20 ms and note in
`<state>/calls` how many calls were done and how many failed; `publishes` makes it publish numbers,
and `subscribes` note what a topic has in `<state>/received`. In its first epoch,
`gets_stuck` makes it stop making progress, and `gets_unwell` makes its health NOT_SERVING.

Settings that change: `answers` is what it does with them, but for `bad`, which it rejects;
those that it was started with are in `<state>/settings`.

While it is entered, its pid stands in `<state>/inside`. A process that finds
another there notes it in `<state>/overlap`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import echo_service
import grpc
from google.protobuf.wrappers_pb2 import BytesValue

from logos_base.errors import ConfigError
from logos_module import ModuleContext
from logos_module.events import Event
from logos_module.settings import Outcome


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves `test.<module>.Echo`."""
    if "misconfigured" in context.settings:
        raise ConfigError(["quota_bytes: must be a number"])
    if Path(str(context.settings.get("fails_while", "/nonexistent"))).exists():  # noqa: ASYNC240
        raise RuntimeError("the marker is there")
    service = f"test.{context.module}.Echo"
    inside = context.state_dir / "inside"
    if inside.exists() and _is_alive(inside.read_text()):
        (context.state_dir / "overlap").touch()
    inside.write_text(str(os.getpid()))
    context.serve(echo_service.adder(service), echo_service.Echo(context.epoch))
    _write(context.state_dir / "started", f"{os.getpid()} {context.epoch}")
    _follow_settings(context)
    if context.epoch == 1 and "gets_stuck" in context.settings:
        context.progress()  # and never again
    if context.epoch == 1 and "gets_unwell" in context.settings:
        context.tasks.create_task(context.set_healthy(is_healthy=False))
    if "publishes" in context.settings:
        context.tasks.create_task(_publish(context))
    if "subscribes" in context.settings:
        context.tasks.create_task(_subscribe(context, str(context.settings["subscribes"])))
    if "peer" in context.settings:
        peer = str(context.settings["peer"])
        context.tasks.create_task(_call(context, peer))
    try:
        yield
    finally:
        inside.unlink(missing_ok=True)  # another version may have left meanwhile


def _follow_settings(context: ModuleContext) -> None:
    def decide(settings: Mapping[str, object]) -> Outcome:
        if "bad" in settings:
            raise ConfigError(["bad: no", "worse: no"])
        return Outcome(str(settings.get("answers", Outcome.APPLIED)))

    context.settings.on_change(decide)
    _write(context.state_dir / "settings", json.dumps(dict(context.settings)))


def _write(path: Path, text: str) -> None:
    """Writes a file whole: tests read it at any time."""
    new = path.with_suffix(f".{os.getpid()}")  # another version may write it, too
    new.write_text(text)
    new.replace(path)


def _is_alive(pid: str) -> bool:
    return Path(f"/proc/{pid}").exists()


async def _publish(context: ModuleContext) -> None:
    number = 0
    while True:
        await context.events.publish("number", b"%d.%d" % (context.epoch, number))
        number += 1
        _write(context.state_dir / "published", f"{context.epoch} {number}")


async def _subscribe(context: ModuleContext, topic: str) -> None:
    with (context.state_dir / "received").open("a") as received:
        async for one in context.events.subscribe(topic, after=0):
            if isinstance(one, Event):
                received.write(f"{one.sequence} {one.payload.decode()}\n")
                received.flush()


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
        _write(context.state_dir / "calls", f"{done} {failed}")
        await asyncio.sleep(0.02)
