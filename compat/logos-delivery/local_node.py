"""A node of this machine as an object: its processes, its channel, and its events."""

import json
import shutil
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import grpc
from event_json import Json
from event_streams import EventStreams
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from json_config import LibraryConfig
from node_folder import FRONT, OPERATOR_TOKEN, prepared
from node_process import KernelProcess, Programs

from logos.delivery.v1 import delivery_pb2
from logos.delivery.v1.channels_pb2_grpc import ChannelsStub
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.kernel.v1 import kernel_pb2
from logos.kernel.v1.kernel_pb2_grpc import KernelStub
from logos_client.channels import SHARED_OPTIONS
from logos_client.token_file import make_token_file
from logos_delivery.core.presets import PRESETS

POLL_S: Final = 0.05
FIGURES_TIMEOUT_S: Final = 5.0
PROGRAMS: Final = Programs()
INFO_IDS: Final = (
    "Version",
    "Metrics",
    "MyMultiaddresses",
    "MyENR",
    "MyPeerId",
    "MyBoundPorts",
    "MyMixPubKey",
    "MaxMessageSize",
)


class NodeError(Exception):
    """A node does not do what it was asked for; the text says why."""

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason
        """Stable reason of a call that it refused; else empty."""


class LocalNode:
    """One node. Its state is in a folder of its own, which ends with it."""

    def __init__(self, config: LibraryConfig, told: Callable[[Json], None] | None) -> None:
        """Prepares a node; `told` is given its events, in another thread. FlagsError, OSError."""
        PROGRAMS.load()
        self._flags = config.flags
        self._folder = Path(tempfile.mkdtemp(prefix="logos-delivery-"))
        self._sockets = Path(tempfile.mkdtemp(prefix="ld"))
        self._variables = prepared(
            self._flags, self._folder, self._sockets, is_reliable=config.is_reliable
        )
        self._log = self._folder / "logs" / "kernel.log"
        bearer = make_token_file(self._folder / OPERATOR_TOKEN)
        self._metadata = (("authorization", f"Bearer {bearer}"),)
        self._lock = threading.Lock()
        self._process: KernelProcess | None = None
        self._channel: grpc.Channel | None = None
        self._streams = None if told is None else EventStreams(told, self._metadata)

    def start(self, timeout_s: float) -> None:
        """Starts its processes; returns once its modules serve. NodeError."""
        with self._lock:
            if self._process is not None and not self._process.wait(0) and self._channel:
                return
            until = time.monotonic() + timeout_s
            self._end(timeout_s)
            try:
                self._process = PROGRAMS.start(self._variables, self._log)
            except OSError as error:
                raise NodeError(f"its kernel cannot be started: {error}") from error
            self._channel = grpc.insecure_channel(
                f"unix:{self._sockets / FRONT}",
                options=(*SHARED_OPTIONS, ("grpc.max_reconnect_backoff_ms", 200)),
            )
            try:
                self._wait_until_ready(until)
            except NodeError:
                with suppress(NodeError):
                    self._end(timeout_s)
                raise
            if self._streams is not None:
                self._streams.begin(self._channel)

    def stop(self, timeout_s: float) -> None:
        """Ends its processes, if there are any; its state stays. NodeError."""
        with self._lock:
            self._end(timeout_s)

    def remove(self, timeout_s: float) -> None:
        """Ends it, and removes its state. NodeError: it has not ended; nothing is removed."""
        self.stop(timeout_s)
        for folder in (self._folder, self._sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def delivery(self, method: str, request: Any, timeout_s: float) -> Any:
        """Calls `logos.delivery.v1.Delivery`. NodeError."""
        return self._call(getattr(DeliveryStub(self._open_channel()), method), request, timeout_s)

    def channels(self, method: str, request: Any, timeout_s: float) -> Any:
        """Calls `logos.delivery.v1.Channels`. NodeError."""
        return self._call(getattr(ChannelsStub(self._open_channel()), method), request, timeout_s)

    def information(self, name: str, timeout_s: float) -> str:
        """Returns an item of `INFO_IDS`. NodeError."""
        if name not in INFO_IDS:
            raise NodeError(f"Invalid node info id: {name}")
        if name == "Metrics":
            return self._figures()
        if name == "MyMixPubKey":
            return ""  # such a node has no mix
        request = delivery_pb2.GetNodeInfoRequest()
        found = self.delivery("GetNodeInfo", request, timeout_s)
        items: dict[str, Callable[[], str]] = {
            "Version": lambda: str(found.version),
            "MyMultiaddresses": lambda: address_of(found.addresses),
            "MyENR": lambda: str(found.enr),
            "MyPeerId": lambda: str(found.peer_id),
            "MyBoundPorts": self._bound_ports,
            "MaxMessageSize": lambda: str(PRESETS[found.preset].max_message_bytes),
        }
        return items[name]()

    def _bound_ports(self) -> str:
        """Ports by the reference's names; 0 for what this node has not, or was not to serve."""
        flags = self._flags
        return json.dumps(
            {
                "tcp": flags.tcp_port,
                "webSocket": 0,
                "quic": 0,
                "rest": flags.rest_port if flags.rest else 0,
                "discv5Udp": 0,
                "metrics": flags.metrics_server_port if flags.metrics_server else 0,
            }
        )

    def _figures(self) -> str:
        """The page of `/metrics`, where the node serves it."""
        flags = self._flags
        if not (flags.metrics_server or flags.rest):
            raise NodeError("Metrics: this node has them where metricsServer or rest is true")
        port = flags.metrics_server_port if flags.metrics_server else flags.rest_port
        url = f"http://127.0.0.1:{port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=FIGURES_TIMEOUT_S) as page:
                return str(page.read().decode("utf-8"))
        except (OSError, urllib.error.URLError) as error:
            raise NodeError(f"Metrics: {error}") from error

    def _open_channel(self) -> grpc.Channel:
        channel = self._channel
        if channel is None:
            raise NodeError("the node is not running")
        return channel

    def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        try:
            return method(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise NodeError(f"timeout after {timeout_s}s") from error
            raise NodeError(error.details() or error.code().name, _reason(error)) from error
        except ValueError as error:  # the channel was closed meanwhile
            raise NodeError("the node is not running") from error

    def _wait_until_ready(self, until: float) -> None:
        kernel = KernelStub(self._open_channel())
        request = kernel_pb2.GetStatusRequest()
        while True:
            try:
                left = max(until - time.monotonic(), POLL_S)
                if self._call(kernel.GetStatus, request, min(left, 1.0)).ready:
                    return
            except NodeError:
                pass  # its socket is not there yet
            if self._process is None or self._process.wait(POLL_S):
                raise NodeError(f"its kernel has ended: {self._last_line()}")
            if time.monotonic() > until:
                raise NodeError(f"timeout: it is not ready: {self._last_line()}")

    def _last_line(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1][:500] if lines else "it has said nothing"

    def _end(self, timeout_s: float) -> None:
        if self._channel is not None:
            if self._streams is not None:
                self._streams.end()
            self._channel.close()
            self._channel = None
        if self._process is not None:
            if not self._process.end(timeout_s):
                raise NodeError(f"timeout after {timeout_s}s: its processes have not ended")
            self._process = None


def _reason(error: grpc.RpcError) -> str:
    """Returns the stable reason of a failed call; empty if it carries none."""
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    found = status is not None and any(one.Unpack(info) for one in status.details)
    return str(info.reason) if found else ""


def address_of(addresses: list[str]) -> str:
    """Returns the address by which others reach a node best: of the machine, else loopback."""
    others = [one for one in addresses if not one.startswith(("/ip4/127.", "/ip6/"))]
    return next(iter([*others, *addresses]), "")
