"""A drop-in for the module `wrapper` of the reference's Python bindings, over nodes of our own.

The names, results and events of its `NodeWrapper` are those of logos-messaging/
logos-delivery-python-bindings at e4ae16fe (DHT-22). Each has one local node, in processes of its
own, and calls it by gRPC.
"""

import json
import sys
import traceback
from base64 import b64decode
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any, Final, TypeVar

from event_json import Json
from flags import Flags, FlagsError
from json_config import read
from local_node import INFO_IDS, LocalNode, NodeError
from result import Err, Ok, Result

from logos.delivery.v1 import channels_pb2, delivery_pb2

TIMEOUT_S: Final = 20.0
EventCallback = Callable[[int, bytes], None]
Answer = TypeVar("Answer")


class ffi:  # noqa: N801 -- the name that programs import
    """Of the reference's module, what programs use: the handle of no node."""

    NULL = None


class NodeWrapper:
    """A node that a program creates, starts, calls, stops and destroys."""

    def __init__(
        self,
        ctx: LocalNode | None,
        config_buffer: object,
        event_cb_handler: object,
        listener_ids: Iterable[int] = (),
    ) -> None:
        """`ctx` is the node; the others are held as they are given."""
        self.ctx = ctx
        self._config_buffer = config_buffer
        self._event_cb_handler = event_cb_handler
        self._listener_ids = tuple(listener_ids)
        self._is_destroyed = False

    @classmethod
    def create_node(
        cls,
        config: dict[str, Any],
        event_cb: EventCallback | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Result["NodeWrapper", str]:
        """Makes a node, which does not run yet; its events are given to `event_cb`."""
        del timeout_s  # nothing here waits
        told = None if event_cb is None else _caller(event_cb)
        try:
            node = LocalNode(read(config), told)
        except (FlagsError, OSError) as error:
            return Err(f"create_node: {error}")
        return Ok(cls(node, json.dumps(config), event_cb))

    @classmethod
    def create_and_start(
        cls,
        config: dict[str, Any],
        event_cb: EventCallback | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Result["NodeWrapper", str]:
        """Makes a node and starts it."""
        created = cls.create_node(config, event_cb, timeout_s=timeout_s)
        if isinstance(created, Err):
            return created
        node = created.ok_value
        started = node.start_node(timeout_s=timeout_s)
        if isinstance(started, Err):
            node.destroy(timeout_s=timeout_s)
            return started
        return Ok(node)

    def start_node(self, *, timeout_s: float = TIMEOUT_S) -> Result[int, str]:
        """Returns once the node serves."""
        return self._done("start_node", lambda node: node.start(timeout_s))

    def stop_node(self, *, timeout_s: float = TIMEOUT_S) -> Result[int, str]:
        """Ends its processes; it can be started again, and has its state."""
        return self._done("stop_node", lambda node: node.stop(timeout_s))

    def destroy(self, *, timeout_s: float = TIMEOUT_S) -> Result[int, str]:
        """Stops it if it runs, and removes its state."""
        if self.ctx is None:
            return Ok(0)
        done = self.destroy_keep_ctx(timeout_s=timeout_s)
        if isinstance(done, Ok):
            self.ctx = None
        return done

    def destroy_keep_ctx(self, *, timeout_s: float = TIMEOUT_S) -> Result[int, str]:
        """As `destroy`, and `ctx` stays; every call is refused from then on."""
        done = self._done("destroy", lambda node: node.remove(timeout_s))
        self._is_destroyed = self._is_destroyed or isinstance(done, Ok)
        return done

    def stop_and_destroy(self, *, timeout_s: float = TIMEOUT_S) -> Result[int, str]:
        """Destroys it also where it cannot be stopped, and returns why it could not."""
        stopped = self.stop_node(timeout_s=timeout_s)
        destroyed = self.destroy(timeout_s=timeout_s)
        return stopped if isinstance(stopped, Err) else destroyed

    def subscribe_content_topic(
        self, content_topic: str, *, timeout_s: float = TIMEOUT_S
    ) -> Result[int, str]:
        """Subscribes the node to a content topic."""

        def subscribe(node: LocalNode) -> None:
            request = delivery_pb2.SubscribeRequest(content_topics=[content_topic])
            _check(node.delivery("Subscribe", request, timeout_s))

        return self._done(f"subscribe({content_topic})", subscribe)

    def unsubscribe_content_topic(
        self, content_topic: str, *, timeout_s: float = TIMEOUT_S
    ) -> Result[int, str]:
        """Ends a subscription."""

        def unsubscribe(node: LocalNode) -> None:
            request = delivery_pb2.UnsubscribeRequest(content_topics=[content_topic])
            _check(node.delivery("Unsubscribe", request, timeout_s))

        return self._done(f"unsubscribe({content_topic})", unsubscribe)

    def send_message(
        self, message: dict[str, Any], *, timeout_s: float = TIMEOUT_S
    ) -> Result[str, str]:
        """Sends `contentTopic`, `payload` in base64, and `ephemeral`; returns its request."""

        def send(node: LocalNode) -> str:
            request = delivery_pb2.SendRequest(
                content_topic=_text(message, "contentTopic"),
                payload=_payload(message),
                ephemeral=message.get("ephemeral") is True,
            )
            try:
                return str(node.delivery("Send", request, timeout_s).request_id)
            except NodeError as error:
                if error.reason != "CONTENT_TOPIC_INVALID":
                    raise
                raise NodeError(f"Failed to auto-subscribe: {error}") from error

        return self._asked("send_message", send)

    def get_available_node_info_ids(
        self, *, timeout_s: float = TIMEOUT_S
    ) -> Result[list[str], str]:
        """Returns what `get_node_info` can be asked for."""
        del timeout_s  # nothing here waits
        return self._asked("get_available_node_info_ids", lambda _: list(INFO_IDS))

    def get_node_info(self, node_info_id: str, *, timeout_s: float = TIMEOUT_S) -> Result[str, str]:
        """Returns what the node is, by one of these names."""
        return self._asked("get_node_info", lambda node: node.information(node_info_id, timeout_s))

    def get_available_configs(self, *, timeout_s: float = TIMEOUT_S) -> Result[dict[str, Any], str]:
        """Returns the keys that a configuration may have."""
        del timeout_s  # nothing here waits
        return self._asked("get_available_configs", lambda _: {"configOptions": _options()})

    def channel_create(
        self,
        channel_id: str,
        content_topic: str,
        sender_id: str,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> Result[str, str]:
        """Opens a reliable channel; returns its id."""

        def create(node: LocalNode) -> str:
            request = channels_pb2.ChannelsCreateRequest(
                channel_id=channel_id, content_topic=content_topic, sender_id=sender_id
            )
            node.channels("Create", request, timeout_s)
            return channel_id

        return self._asked("channel_create", create)

    def channel_send(
        self, channel_id: str, message: dict[str, Any], *, timeout_s: float = TIMEOUT_S
    ) -> Result[str, str]:
        """Sends a payload to all of a channel; returns its request."""

        def send(node: LocalNode) -> str:
            payload = _payload(message)
            if not payload:
                raise NodeError("empty payload")
            request = channels_pb2.ChannelsSendRequest(
                channel_id=channel_id,
                payload=payload,
                ephemeral=message.get("ephemeral") is True,
            )
            return str(node.channels("Send", request, timeout_s).request_id)

        return self._asked("channel_send", send)

    def channel_close(self, channel_id: str, *, timeout_s: float = TIMEOUT_S) -> Result[str, str]:
        """Closes a channel. Its content topic is unsubscribed, unless another channel has it."""

        def close(node: LocalNode) -> str:
            listed = node.channels("List", channels_pb2.ChannelsListRequest(), timeout_s).channels
            topics = {one.channel_id: one.content_topic for one in listed}
            request = channels_pb2.ChannelsCloseRequest(channel_id=channel_id)
            node.channels("Close", request, timeout_s)
            topic = topics.pop(channel_id, "")
            if topic and topic not in topics.values():
                unsubscribe = delivery_pb2.UnsubscribeRequest(content_topics=[topic])
                node.delivery("Unsubscribe", unsubscribe, timeout_s)
            return ""

        return self._asked("channel_close", close)

    def _asked(self, name: str, ask: Callable[[LocalNode], Answer]) -> Result[Answer, str]:
        if self.ctx is None or self._is_destroyed:
            return Err(f"{name}: the node is not initialized")
        try:
            return Ok(ask(self.ctx))
        except NodeError as error:
            return Err(f"{name}: {error}")

    def _done(self, name: str, do: Callable[[LocalNode], None]) -> Result[int, str]:
        def zero(node: LocalNode) -> int:
            do(node)
            return 0

        return self._asked(name, zero)


def _caller(event_cb: EventCallback) -> Callable[[Json], None]:
    def call(event: Json) -> None:
        try:
            event_cb(0, json.dumps(event, separators=(",", ":")).encode("utf-8"))
        except Exception:  # noqa: BLE001 -- the program's own, and the next event is to come
            traceback.print_exc(file=sys.stderr)

    return call


def _check(answer: delivery_pb2.SubscribeResponse | delivery_pb2.UnsubscribeResponse) -> None:
    for one in answer.results:
        if one.reason:
            raise NodeError(f"{one.content_topic!r}: {one.reason}", one.reason)


def _text(message: dict[str, Any], name: str) -> str:
    if name not in message:
        raise NodeError(f"Missing {name} field")
    return str(message[name])


def _payload(message: dict[str, Any]) -> bytes:
    try:
        return b64decode(_text(message, "payload"), validate=True)
    except ValueError as error:
        raise NodeError(f"invalid payload format: {error}") from error


def _options() -> list[dict[str, str]]:
    flags = [one for one in fields(Flags) if one.name != "without_effect"]
    return [_option(one.name, f"{_type(one.type)}({one.default})") for one in flags]


def _type(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _option(name: str, what: str) -> dict[str, str]:
    return {_camel(name): what, "desc": f"as --{name.replace('_', '-')}"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))
