"""Conversion between `logos.kernel.v1` and the core's types."""

from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from logos.kernel.v1 import module_pb2, registry_pb2, supervisor_pb2
from logos_base.capabilities import Revocation
from logos_kernel.core.access import Issued
from logos_kernel.core.errors import UnknownOperationError
from logos_kernel.core.journal import PastExit, Reason, Transition
from logos_kernel.core.planner import Step
from logos_kernel.core.types import Introduction, JoinProof, KernelInfo, ModuleState
from logos_kernel.core.views import View
from logos_kernel.operations.plan import Operation
from logos_kernel.operations.register import Joined
from logos_kernel.operations.watch import Snapshot

_STATES: Final = {module_pb2.ModuleState.Value(f"MODULE_STATE_{one}"): one for one in ModuleState}


def state_from_pb(value: module_pb2.ModuleState.ValueType) -> ModuleState | None:
    """Converts a state; None for one that is not specified or not known."""
    return _STATES.get(value)


def state_to_pb(state: ModuleState) -> module_pb2.ModuleState.ValueType:
    """Converts a state."""
    return module_pb2.ModuleState.Value(f"MODULE_STATE_{state}")


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
        state=state_to_pb(view.state),
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


def reason_to_pb(reason: Reason) -> module_pb2.TransitionReason.ValueType:
    """Converts a reason."""
    return module_pb2.TransitionReason.Value(f"TRANSITION_REASON_{reason}")


def exit_to_pb(one: PastExit) -> supervisor_pb2.Exit:
    """Converts an exit."""
    code = one.exit.code
    ended = {} if code is None else {"code": code} if code >= 0 else {"signal": -code}
    return supervisor_pb2.Exit(
        epoch=one.epoch,
        out_of_memory=one.exit.is_oom,
        reason=reason_to_pb(one.reason),
        at=timestamp(one.at_ms),
        lines=one.exit.lines,
        **ended,
    )


def transition_to_pb(one: Transition) -> module_pb2.Transition:
    """Converts a transition."""
    return module_pb2.Transition(
        revision=one.revision,
        module=one.module,
        epoch=one.epoch,
        old=state_to_pb(one.old),
        new=state_to_pb(one.new),
        reason=reason_to_pb(one.reason),
        detail=one.detail,
        at=timestamp(one.at_ms),
    )


def snapshot_to_pb(snapshot: Snapshot) -> supervisor_pb2.Snapshot:
    """Converts a snapshot."""
    return supervisor_pb2.Snapshot(
        revision=snapshot.revision,
        modules=[
            supervisor_pb2.ModuleAt(
                module=one.module, state=state_to_pb(one.state), epoch=one.epoch
            )
            for one in snapshot.modules
        ],
    )


def operation_from_pb(value: supervisor_pb2.Operation.ValueType) -> Operation:
    """Converts an operation, or raises `UnknownOperationError`."""
    try:
        return Operation(supervisor_pb2.Operation.Name(value).removeprefix("OPERATION_"))
    except ValueError as error:
        raise UnknownOperationError(
            f"operation: must be START, STOP or RESTART, is {value}", field="operation"
        ) from error


def step_to_pb(step: Step) -> supervisor_pb2.Step:
    """Converts a step of a plan."""
    action = supervisor_pb2.StepAction.Value(f"STEP_ACTION_{step.action}")
    return supervisor_pb2.Step(wave=step.wave, action=action, module=step.module)


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


def proof_from_pb(request: registry_pb2.RegisterRequest) -> JoinProof:
    """Converts the proof of a registration."""
    return JoinProof(request.nonce, request.public_key, request.join_proof)


def joined_to_pb(joined: Joined, identity: KernelInfo) -> registry_pb2.RegisterResponse:
    """Converts the answer to a registration."""
    grant = joined.grant
    return registry_pb2.RegisterResponse(
        lease_id=grant.lease_id,
        epoch=grant.epoch,
        ttl=duration(grant.ttl_ms),
        settings_json=joined.settings.document,
        settings_version=joined.settings.number,
        node=identity.node,
        testnet=identity.testnet,
        kernel_key=joined.kernel_key,
        signing_keys=joined.signing_keys,
        kernel_proof=joined.proof,
        token=token_to_pb(joined.issued, joined.now_s),
        revocations=map(revocation_to_pb, joined.revocations),
        now=joined.now_s,
        sealed_key=joined.sealed_key,
    )


def token_to_pb(issued: Issued, now_s: int) -> registry_pb2.CapabilityToken:
    """Converts a token, at a time of the kernel."""
    return registry_pb2.CapabilityToken(
        token=issued.token,
        token_id=issued.claims.token_id,
        ttl=duration(1000 * (issued.claims.expires_at_s - now_s)),
    )


def revocation_to_pb(one: Revocation) -> registry_pb2.Revocation:
    """Converts a revocation."""
    return registry_pb2.Revocation(
        module=one.module, before_epoch=one.before_epoch, issued_until=one.issued_until_s
    )
