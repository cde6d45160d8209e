"""A node that has an answer to every command, for tests of these."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

import chain_answers
import delivery_answers
from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    installer_pb2,
    installer_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    router_pb2,
    router_pb2_grpc,
    settings_pb2,
    settings_pb2_grpc,
    stats_pb2,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos.module.v1.invocation_pb2 import DescribeInterfaceResponse, MethodDescription
from logos.module.v1.value_pb2 import Value
from logos.network.v1 import (
    discovery_pb2,
    discovery_pb2_grpc,
    mix_pb2_grpc,
    peering_pb2,
    peering_pb2_grpc,
    rln_pb2,
    rln_pb2_grpc,
)
from logos.storage.v1 import storage_pb2_grpc
from logos_base.audit import AuditRecord, append
from mix_answers import MixAnswers
from storage_answers import StorageAnswers

BEARER = f"logos_{43 * 'b'}"


class Node(
    capability_pb2_grpc.CapabilityServicer,
    events_pb2_grpc.EventsServicer,
    installer_pb2_grpc.InstallerServicer,
    kernel_pb2_grpc.KernelServicer,
    settings_pb2_grpc.SettingsServicer,
    router_pb2_grpc.RouterServicer,
    supervisor_pb2_grpc.SupervisorServicer,
    peering_pb2_grpc.PeeringServicer,
    discovery_pb2_grpc.DiscoveryServicer,
    StorageAnswers,
):
    """A node that has an answer to every command."""

    module = module_pb2.Module(name="storage", state=module_pb2.MODULE_STATE_READY)
    moved = module_pb2.Transition(
        module="storage", old=module_pb2.MODULE_STATE_READY, new=module_pb2.MODULE_STATE_BACKOFF
    )
    events = (
        events_pb2.Event(position=1, topic="a/b", payload=b"caf\xe9"),
        events_pb2.Event(position=2, topic="a/b", payload=b"\x1b[2J"),
        events_pb2.Event(position=3, topic="kernel/transition", payload=moved.SerializeToString()),
    )

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        return kernel_pb2.GetStatusResponse(modules=[self.module], ready=True)

    def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        return router_pb2.CallResponse(value=Value(int_value=1))

    def Describe(self, request: Any, context: Any) -> Any:  # noqa: N802
        return router_pb2.DescribeResponse(
            module="storage",
            interface=DescribeInterfaceResponse(methods=[MethodDescription(name="greet")]),
        )

    def StartModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.StartModuleResponse(module=self.module)

    def StopModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.StopModuleResponse(module=self.module)

    def RestartModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.RestartModuleResponse(module=self.module)

    def KillModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.KillModuleResponse(module=self.module)

    def ResetFailed(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.ResetFailedResponse(module=self.module)

    def PlanOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        step = supervisor_pb2.Step(action=supervisor_pb2.STEP_ACTION_STOP, module="storage")
        return supervisor_pb2.PlanOperationResponse(steps=[step])

    def ListExits(self, request: Any, context: Any) -> Any:  # noqa: N802
        return supervisor_pb2.ListExitsResponse(exits=[supervisor_pb2.Exit(epoch=1, signal=11)])

    def WatchTransitions(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        if not request.from_revision:
            at = supervisor_pb2.ModuleAt(module="storage", state=module_pb2.MODULE_STATE_READY)
            snapshot = supervisor_pb2.Snapshot(revision=7, modules=[at])
            yield supervisor_pb2.WatchTransitionsResponse(snapshot=snapshot)
            return
        for revision, name in enumerate(("storage", "mixnet", "storage"), request.from_revision):
            one = module_pb2.Transition(
                revision=revision,
                module=name,
                epoch=2,
                old=module_pb2.MODULE_STATE_READY,
                new=module_pb2.MODULE_STATE_BACKOFF,
                reason=module_pb2.TRANSITION_REASON_EXITED,
                detail="ended by signal 11\x1b[2J",
            )
            yield supervisor_pb2.WatchTransitionsResponse(transition=one)

    settings = settings_pb2.SettingsVersion(
        version=2, document_json='{"a": 1}', by="operator:ada", outcome=1
    )
    figures = stats_pb2.ModuleStats(
        module="storage",
        state=module_pb2.MODULE_STATE_READY,
        usage=stats_pb2.ProcessUsage(cpu_seconds=1.5, rss_bytes=2**20, pss_bytes=2**19),
        methods=[stats_pb2.MethodStats(method="a.B/C", calls=3, p99_seconds=0.25)],
    )

    def GetSettings(self, request: Any, context: Any) -> Any:  # noqa: N802
        return settings_pb2.GetSettingsResponse(
            active=self.settings, changes_json="{}", schema_json="{}", history=[self.settings]
        )

    def UpdateSettings(self, request: Any, context: Any) -> Any:  # noqa: N802
        return settings_pb2.UpdateSettingsResponse(tried=self.settings)

    def WatchSettings(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield settings_pb2.WatchSettingsResponse(active=self.settings)

    def GetStats(self, request: Any, context: Any) -> Any:  # noqa: N802
        return stats_pb2.GetStatsResponse(stats=[self.figures])

    def WatchStats(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield stats_pb2.WatchStatsResponse(stats=[self.figures])

    version = installer_pb2.ModuleVersion(module="storage", version="0.2.0")
    operation = installer_pb2.ModuleOperation(
        id="ab", module="storage", phase=installer_pb2.UPGRADE_PHASE_PROMOTED, why="it is READY"
    )

    def InstallModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.InstallModuleResponse(version=self.version)

    def ListVersions(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.ListVersionsResponse(versions=[self.version])

    def LoadModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.LoadModuleResponse(module=self.module)

    def UnloadModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.UnloadModuleResponse()

    def ReloadModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.ReloadModuleResponse(operation=self.operation)

    def UpgradeModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.UpgradeModuleResponse(operation=self.operation)

    def PlanUpgrade(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.PlanUpgradeResponse(first_phase=installer_pb2.UPGRADE_PHASE_BESIDE)

    def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.GetOperationResponse(operation=self.operation)

    def ListOperations(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.ListOperationsResponse(operations=[self.operation])

    def CancelOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        return installer_pb2.CancelOperationResponse(operation=self.operation)

    def StreamLogs(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield supervisor_pb2.StreamLogsResponse(line='{"message": "ready"}')

    def IssueOperatorToken(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.IssueOperatorTokenResponse(bearer=BEARER)

    def ListOperatorTokens(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.ListOperatorTokensResponse()

    def RevokeOperatorToken(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.RevokeOperatorTokenResponse()

    def SetGrant(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.SetGrantResponse()

    def ListGrants(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.ListGrantsResponse()

    def DeleteGrant(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.DeleteGrantResponse()

    def Explain(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.ExplainResponse(allowed=True, rule="it is declared")

    def ReadAudit(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        one = append(None, AuditRecord(0, 0, "kernel", "module.start", "storage", "OK"))
        yield capability_pb2.ReadAuditResponse(
            sequence=1,
            actor=one.actor,
            action=one.action,
            subject=one.subject,
            outcome=one.outcome,
            hash=one.hash,
        )

    def RotateKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        return capability_pb2.RotateKeyResponse(key_id=bytes(8))

    def Publish(self, request: Any, context: Any) -> Any:  # noqa: N802
        return events_pb2.PublishResponse(first_sequence=1, last_sequence=1, position=7)

    def Subscribe(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        is_whole = request.start.HasField("after_position")
        batch = events_pb2.EventBatch(events=self.events if is_whole else self.events[:1])
        yield events_pb2.SubscribeResponse(batch=batch)
        if not is_whole:
            return
        yield events_pb2.SubscribeResponse(gap=events_pb2.Gap(topic="a/b", to_sequence=4))
        state = events_pb2.SourceState(module="storage", armed=True, epoch=2)
        yield events_pb2.SubscribeResponse(source_state=state)
        yield events_pb2.SubscribeResponse(bookmark=events_pb2.Bookmark(position=9))

    def Replay(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield events_pb2.ReplayResponse(events=self.events[:1])

    def ListTopics(self, request: Any, context: Any) -> Any:  # noqa: N802
        return events_pb2.ListTopicsResponse(topics=[events_pb2.Topic(name="a/b")])

    def ListDeadLetters(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        letter = events_pb2.DeadLetter(id=1, group="top/work", event=self.events[0], refusals=5)
        yield events_pb2.ListDeadLettersResponse(dead_letter=letter)

    def RequeueDeadLetters(self, request: Any, context: Any) -> Any:  # noqa: N802
        return events_pb2.RequeueDeadLettersResponse(requeued=1)

    def Tag(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.TagResponse()

    def Untag(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.UntagResponse()

    def Protect(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.ProtectResponse()

    def Unprotect(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.UnprotectResponse()

    def ExchangePeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.ExchangePeersResponse(peers=[{"peer_id": "16Uheard", "new": True}])

    def ListPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.ListPeersResponse(peers=[peering_pb2.Peer(peer_id="16U")])

    def ListServices(self, request: Any, context: Any) -> Any:  # noqa: N802
        offered = discovery_pb2.ListServicesResponse.Service(service="/x")
        return discovery_pb2.ListServicesResponse(services=[offered])

    def AdvertiseService(self, request: Any, context: Any) -> Any:  # noqa: N802
        return discovery_pb2.AdvertiseServiceResponse()

    def WithdrawService(self, request: Any, context: Any) -> Any:  # noqa: N802
        return discovery_pb2.WithdrawServiceResponse()

    def LookUpService(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        record = discovery_pb2.ServiceRecord(peer_id="16U")
        yield discovery_pb2.LookUpServiceResponse(record=record)

    def GetRegistrar(self, request: Any, context: Any) -> Any:  # noqa: N802
        kept = discovery_pb2.GetRegistrarResponse.Service(service="/x", advertisements=1)
        return discovery_pb2.GetRegistrarResponse(services=[kept], refused={"BUDGET": 1})

    def GetRoutingTable(self, request: Any, context: Any) -> Any:  # noqa: N802
        known = discovery_pb2.GetRoutingTableResponse.Registrar(peer_id="16U", stage=3)
        return discovery_pb2.GetRoutingTableResponse(registrars=[known])


class Limits(rln_pb2_grpc.RlnServicer):
    """Rate limits: of a name that the kernel's answers have too."""

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        return rln_pb2.RlnGetStatusResponse()

    def Register(self, request: Any, context: Any) -> Any:  # noqa: N802
        return rln_pb2.RegisterResponse()


@contextmanager
def answering() -> Iterator[str]:
    """Serves a node; yields its address."""
    node, server = Node(), grpc.server(ThreadPoolExecutor(4))
    installer_pb2_grpc.add_InstallerServicer_to_server(node, server)
    capability_pb2_grpc.add_CapabilityServicer_to_server(node, server)
    kernel_pb2_grpc.add_KernelServicer_to_server(node, server)
    settings_pb2_grpc.add_SettingsServicer_to_server(node, server)
    router_pb2_grpc.add_RouterServicer_to_server(node, server)
    events_pb2_grpc.add_EventsServicer_to_server(node, server)
    supervisor_pb2_grpc.add_SupervisorServicer_to_server(node, server)
    rln_pb2_grpc.add_RlnServicer_to_server(Limits(), server)
    mix_pb2_grpc.add_MixServicer_to_server(MixAnswers(), server)
    peering_pb2_grpc.add_PeeringServicer_to_server(node, server)
    discovery_pb2_grpc.add_DiscoveryServicer_to_server(node, server)
    storage_pb2_grpc.add_StorageServicer_to_server(node, server)
    chain_answers.add_to(server)
    delivery_answers.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
