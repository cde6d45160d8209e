"""Conversion between `logos.kernel.v1` and the core's types."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from logos.kernel.v1 import module_pb2, registry_pb2
from logos_kernel.core.types import Grant, Identity, Introduction, ModuleState
from logos_kernel.core.views import View


def state_from_pb(value: module_pb2.ModuleState.ValueType) -> ModuleState | None:
    """Converts a state; None for one that is not specified or not known."""
    try:
        return ModuleState(module_pb2.ModuleState.Name(value).removeprefix("MODULE_STATE_"))
    except ValueError:
        return None


def timestamp(time_ms: int) -> Timestamp:
    """Converts milliseconds since 1970 UTC."""
    converted = Timestamp()
    converted.FromMilliseconds(time_ms)
    return converted


def duration(time_ms: int) -> Duration:
    """Converts milliseconds."""
    converted = Duration()
    converted.FromMilliseconds(time_ms)
    return converted


def module_to_pb(view: View) -> module_pb2.Module:
    """Converts a module."""
    return module_pb2.Module(
        name=view.name,
        version=view.version,
        state=module_pb2.ModuleState.Value(f"MODULE_STATE_{view.state}"),
        desired=module_pb2.DesiredState.Value(f"DESIRED_STATE_{view.desired}"),
        runtime=module_pb2.ModuleRuntime.Value(f"MODULE_RUNTIME_{view.runtime.name}"),
        endpoint=view.endpoint,
        epoch=view.epoch,
        restart_count=view.restart_count,
        last_exit=view.last_exit,
        status_text=view.status_text,
        services=view.services,
        requires=view.requires,
        pid=view.pid,
        since=timestamp(view.since_ms),
    )


def introduction_from_pb(request: registry_pb2.RegisterRequest) -> Introduction:
    """Converts a registration. The registry checks it."""
    return Introduction(
        module=request.module,
        version=request.version,
        instance_id=request.instance_id,
        endpoint=request.endpoint,
        epoch=request.epoch,
        services=tuple(request.services),
    )


def grant_to_pb(grant: Grant, identity: Identity) -> registry_pb2.RegisterResponse:
    """Converts the answer to a registration."""
    return registry_pb2.RegisterResponse(
        lease_id=grant.lease_id,
        epoch=grant.epoch,
        ttl=duration(grant.ttl_ms),
        settings_json=grant.settings_json,
        node=identity.node,
        testnet=identity.testnet,
    )
