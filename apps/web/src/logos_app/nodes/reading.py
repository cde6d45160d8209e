"""What answers of front doors mean for the model. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from logos.kernel.v1 import kernel_pb2, module_pb2, stats_pb2
from logos.network.v1 import peering_pb2
from logos_app.nodes.model import Link, ModuleSeen, NodeSeen, Reach, state_word


def milliseconds(at: Any) -> int:
    """A `Timestamp` in milliseconds since 1970; 0 if it is unset."""
    return int(at.seconds * 1000 + at.nanos // 1_000_000)


def module_seen(module: module_pb2.Module, memory_bytes: int | None) -> ModuleSeen:
    """A module as its kernel tells of it."""
    return ModuleSeen(
        name=module.name,
        state=state_word(module.state),
        since_ms=milliseconds(module.since),
        restarts=module.restart_count,
        version=module.version,
        epoch=module.epoch,
        last_exit=module.last_exit.partition(": {")[0][:300],  # then comes a line of its log
        status=module.status_text[:100],
        requires=tuple(module.requires),
        has_process=module.pid > 0,
        is_wanted=module.desired != module_pb2.DESIRED_STATE_STOPPED,
        is_observed=module.runtime == module_pb2.MODULE_RUNTIME_EXTERNAL,
        memory_bytes=memory_bytes,
    )


def with_status(node: NodeSeen, status: kernel_pb2.GetStatusResponse, now_ms: int) -> NodeSeen:
    """A node after it was asked for its status."""
    known = {module.name: module.memory_bytes for module in node.modules}
    modules = tuple(module_seen(module, known.get(module.name)) for module in status.modules)
    return replace(node, reach=Reach.ANSWERS, as_of_ms=now_ms, modules=modules)


def with_info(node: NodeSeen, info: kernel_pb2.GetInfoResponse) -> NodeSeen:
    """A node after it said who it is."""
    return replace(
        node, started_ms=milliseconds(info.started_at), version=info.version[:50], memory=()
    )


def usage_of(stats: Iterable[stats_pb2.ModuleStats]) -> dict[str, int]:
    """Bytes of memory by module, and of the `kernel`; without those that are not known."""
    return {each.module: each.usage.pss_bytes for each in stats if each.usage.pss_bytes}


def links_of(peers: Sequence[peering_pb2.Peer]) -> list[Link]:
    """The open connections of a node."""
    return [
        Link(
            peer_id=peer.peer_id,
            since_ms=milliseconds(peer.traffic.since),
            received_messages=peer.traffic.received_messages,
            received_bytes=peer.traffic.received_bytes,
            sent_messages=peer.traffic.sent_messages,
            sent_bytes=peer.traffic.sent_bytes,
            round_trip_ms=peer.round_trip.ToMilliseconds() if peer.HasField("round_trip") else None,
        )
        for peer in peers
        if peer.connected
    ]
