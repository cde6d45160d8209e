"""The panel Messages: topics, messages as they come, sending with its stages, and history."""

from typing import Annotated, Any, Final
from urllib.parse import parse_qs, quote

import grpc
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from logos.delivery.v1 import delivery_pb2 as pb
from logos_app.clock import now_ms
from logos_app.panels.contract import At, Panel, Place, here
from logos_app.panels.delivery import client, seen, words
from logos_app.panels.delivery.seen import MessagesSeen, Sent
from logos_app.security.gate import is_partial
from logos_app.shown import formats
from logos_app.shown.problems import SENTENCES, Problem, problem_of

router: Final = APIRouter()
Here = Annotated[At, Depends(here)]

EXAMPLE: Final = "/demo/1/chat/proto"
MAX_TOPIC: Final = 1_024
MAX_TEXT: Final = 32_768


async def figure(channel: grpc.aio.Channel) -> str:
    """How many topics a node subscribes to."""
    return formats.number(len(await client.topics(channel)))


async def live(at: Place) -> str:
    """What a page shows, while one is open."""
    await _asked(at)
    return at.partial("messages_part.html", **_view(at))


async def _asked(at: Place) -> None:
    health = await client.health(at.channel)
    topics = await client.topics(at.channel)
    try:
        found, position = await client.events(at.channel, at.kept(MessagesSeen()).position)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.OUT_OF_RANGE:
            raise
        at.keep(MessagesSeen())  # the node's state was replaced
        found, position = await client.events(at.channel, None)
    now = seen.with_state(at.kept(MessagesSeen()), health, topics)
    at.keep(seen.with_events(now, found, position))


def _view(at: Place) -> dict[str, Any]:
    """What the parts that change show."""
    now = at.kept(MessagesSeen())
    return {
        "now": now,
        "sentence": words.sentence(at.node, now),
        "words": words,
        "messages": seen.of_topic(now, ""),
    }


@router.get("/")
async def shown(at: Here, topic: str = "") -> Response:
    """The messages of a node."""
    problem: Problem | None = None
    kept: list[Any] = []
    topic = topic[:MAX_TOPIC]
    try:
        await _asked(at)
        if topic:
            kept = await client.history(at.channel, topic)
    except grpc.aio.AioRpcError as error:
        problem = problem_of(error, at.node)
    topics = at.kept(MessagesSeen()).topics
    return at.page(
        "messages.html",
        topics=(f"{at.panel.slug}:{at.node}",),
        problem=problem,
        topic=topic,
        first=topic or (topics[0] if topics else EXAMPLE),
        kept=[(one.message.timestamp // 1_000_000, one.message.payload) for one in kept],
        **_view(at),
    )


@router.post("/subscribe")
async def subscribe(at: Here, request: Request) -> Response:
    """Has the node follow a topic."""
    topic = (await _form(request)).get("topic", "")[:MAX_TOPIC].strip()
    try:
        reason = await client.subscribe(at.channel, topic)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    if reason:
        detail = "application, version, name and encoding"
        return at.failed(Problem(SENTENCES[reason].format(at=at.node, detail=detail), reason))
    return await _changed(at, request)


@router.post("/unsubscribe")
async def unsubscribe(at: Here, request: Request, topic: str = "") -> Response:
    """Has the node follow a topic no longer."""
    try:
        await client.unsubscribe(at.channel, topic[:MAX_TOPIC])
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return await _changed(at, request)


@router.post("/send")
async def send(at: Here, request: Request) -> Response:
    """Sends a message; what becomes of it is shown as it becomes known."""
    form = await _form(request)
    topic, text = form.get("topic", "")[:MAX_TOPIC].strip(), form.get("text", "")
    if len(text) > MAX_TEXT:
        sentence = f"A message here has at most {formats.number(MAX_TEXT)} letters. Cut it."
        return at.failed(Problem(sentence, "DELIVERY_MESSAGE_TOO_LARGE"))
    via_mix = form.get("mix", "") == "yes"
    message = pb.SendRequest(content_topic=topic, payload=text.encode(), via_mix=via_mix)
    try:
        accepted = await client.send(at.channel, message)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    one = Sent(accepted.request_id, now_ms(), topic, text, via_mix)
    at.keep(seen.with_sent(at.kept(MessagesSeen()), one))
    await at.record("message")
    return await _changed(at, request, topic)


async def _changed(at: At, request: Request, topic: str = "") -> Response:
    try:
        await _asked(at)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    if is_partial(request.headers):
        return HTMLResponse(at.partial("messages_part.html", **_view(at)))
    return RedirectResponse(f"{at.root}?topic={quote(topic)}" if topic else at.root, 303)


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    fields = parse_qs(body, max_num_fields=10, keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


PANEL: Final = Panel("Messages", "messages", 3, router, figure, live=live)
