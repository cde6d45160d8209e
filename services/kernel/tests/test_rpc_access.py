"""KER-15 to KER-17 over gRPC: who may call what, on every path of a node."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import echo_service
import grpc
import pytest
from gates import BEARER, borne
from google.protobuf.duration_pb2 import Duration
from observing_kernel import FakeModule, Kernel, refusal

from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_base.capabilities import KERNEL
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.metadata import CALLER_FIELD
from logos_module.errors import reason_of

DENIED = ("PERMISSION_DENIED", "POLICY_DENIED")
WORD = echo_service.Bytes(value=b"x")
ECHO = "test.base.Echo/UnaryUnary"


class Rig:
    """Two modules that are READY, and an admin."""

    def __init__(self, kernel: Kernel, base: FakeModule, top: FakeModule) -> None:
        self.kernel, self.base, self.top = kernel, base, top
        self.admin: Any = capability_pb2_grpc.CapabilityStub(kernel.channel)
        self.credential = Credential()
        self.to_base = AuthorizedChannel(open_channel(base.endpoint), self.credential)

    async def resolve(self) -> None:
        """Has `top` get a token for `base`."""
        request = registry_pb2.ResolveRequest(module="base")
        found = await self.top.registry.Resolve(request)
        self.top.identity.renew(self.credential, found.token, found.public_key)

    def echo(self, channel: grpc.aio.Channel | None = None, method: str = "UnaryUnary") -> Any:
        return echo_service.stub(channel or self.to_base, "test.base.Echo", method)(WORD)

    async def grant(self, *methods: str, refuse: bool = False) -> None:
        grant = capability_pb2.Grant(caller="top", target="base", methods=methods, refuse=refuse)
        await self.admin.SetGrant(capability_pb2.SetGrantRequest(grant=grant))

    async def operator(self, name: str, role: str) -> grpc.aio.Channel:
        """Returns a channel of a new operator."""
        value = capability_pb2.Role.Value(f"ROLE_{role}")
        request = capability_pb2.IssueOperatorTokenRequest(name=name, role=value)
        bearer = (await self.admin.IssueOperatorToken(request)).bearer
        return borne(open_channel(self.kernel.front), bearer)

    async def audit(self) -> list[tuple[str, str, str, str]]:
        records = self.admin.ReadAudit(capability_pb2.ReadAuditRequest())
        return [(one.actor, one.action, one.subject, one.outcome) async for one in records]


@pytest.fixture
async def rig(kernel: Kernel, start: Any) -> AsyncIterator[Rig]:
    base, top = await start("base"), await start("top")
    sessions = [(module, await kernel.make_ready(module)) for module in (base, top)]
    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(module.follow(session)) for module, session in sessions]
        yield Rig(kernel, base, top)
        for task in following:
            task.cancel()


async def _until(call: Callable[[], Any], reason: str) -> None:
    """Repeats a call until it is refused for a reason: revocations arrive on the session."""
    async with asyncio.timeout(30):
        while await _outcome(call()) != reason:  # noqa: ASYNC110 -- a remote event
            await asyncio.sleep(0.01)


async def test_a_module_calls_another_by_the_token_that_it_is_given(rig: Rig) -> None:
    await rig.resolve()

    assert (await rig.echo()).value == b"x"


async def test_each_module_has_a_key_of_its_own(rig: Rig) -> None:
    """KER-22."""
    keys = [module.identity.key for module in (rig.base, rig.top)]

    assert keys == [rig.kernel.gate.keyring.own_key(name) for name in ("base", "top")]
    assert len({*keys, rig.kernel.gate.keyring.join_secret("base")}) == 3
    await rig.kernel.register(rig.base, epoch=1)
    assert rig.base.identity.key == keys[0]


async def test_a_port_that_is_reached_directly_asks_for_a_token(rig: Rig) -> None:
    """kernel.md 14.28."""
    async with open_channel(rig.base.endpoint) as channel:
        assert await refusal(rig.echo(channel)) == ("UNAUTHENTICATED", "TOKEN_MISSING")


async def test_the_inner_address_serves_nobody_without_a_token(rig: Rig) -> None:
    registry: Any = registry_pb2_grpc.RegistryStub(rig.kernel.inner_channel)
    kernel: Any = kernel_pb2_grpc.KernelStub(rig.kernel.inner_channel)
    missing = ("UNAUTHENTICATED", "TOKEN_MISSING")

    resolve = registry.Resolve(registry_pb2.ResolveRequest(module="base"))
    assert await refusal(resolve) == missing
    assert await refusal(kernel.GetInfo(kernel_pb2.GetInfoRequest())) == missing
    assert await refusal(registry.Session(iter([registry_pb2.SessionRequest()])).read()) == missing


async def test_a_module_is_no_operator(rig: Rig) -> None:
    """Of its kernel a module may call what registers it, and no more."""
    inner: Any = capability_pb2_grpc.CapabilityStub(rig.top.to_kernel)
    status: Any = kernel_pb2_grpc.KernelStub(rig.top.to_kernel)
    asked = capability_pb2.RequestTokenRequest(
        target=KERNEL, methods=["logos.kernel.v1.Capability/*"]
    )

    assert await refusal(inner.ListGrants(capability_pb2.ListGrantsRequest())) == (
        "PERMISSION_DENIED",
        "METHOD_DENIED",
    )
    assert await refusal(status.GetStatus(kernel_pb2.GetStatusRequest())) == (
        "PERMISSION_DENIED",
        "METHOD_DENIED",
    )
    assert await refusal(inner.RequestToken(asked)) == DENIED


async def test_a_module_without_its_join_secret_is_refused_and_noted(rig: Rig, start: Any) -> None:
    """kernel.md 14.14: a name is not enough."""
    squatter = await start("base")
    squatter.identity._join_secret = b"guessed".ljust(32)

    assert await refusal(rig.kernel.register(squatter)) == ("UNAUTHENTICATED", "JOIN_REFUSED")

    assert ("module:base", "module.join", squatter.endpoint, "JOIN_REFUSED") in await rig.audit()


async def test_a_registration_cannot_be_sent_again(rig: Rig) -> None:
    request = registry_pb2.RegisterRequest(
        module="top",
        version="0.1.0",
        instance_id=rig.top.instance_id,
        endpoint=rig.top.endpoint,
        services=["test.top.Echo"],
    )
    challenge = registry_pb2.ChallengeRequest(module="top")
    rig.top.identity.sign(request, (await rig.top.registry.Challenge(challenge)).nonce)

    await rig.top.registry.Register(request)

    refused = await refusal(rig.top.registry.Register(request))
    assert refused == ("UNAUTHENTICATED", "JOIN_REFUSED")


async def test_a_refusal_of_an_operator_ends_the_calls_of_a_module(rig: Rig) -> None:
    """kernel.md 14.28: revoked at once, and given back."""
    await rig.resolve()
    await rig.grant("test.base.Echo/UnaryUnary", refuse=True)

    await _until(rig.echo, "TOKEN_REVOKED")
    async with asyncio.timeout(30):
        while not rig.top.identity.is_due(rig.credential):  # noqa: ASYNC110 -- a remote event
            await asyncio.sleep(0.01)
    await rig.resolve()
    assert await _outcome(rig.echo()) == "METHOD_DENIED"
    many = echo_service.stub(rig.to_base, "test.base.Echo", "StreamStream")
    assert (await many(iter([WORD])).read()).value == b"x", "the other methods are left"

    request = capability_pb2.DeleteGrantRequest(caller="top", target="base", refuse=True)
    await rig.admin.DeleteGrant(request)
    await rig.resolve()
    assert (await rig.echo()).value == b"x"
    gone = await refusal(rig.admin.DeleteGrant(request))
    assert gone == ("NOT_FOUND", "GRANT_NOT_FOUND")


async def test_what_is_refused_whole_gives_no_token(rig: Rig) -> None:
    await rig.grant("*", refuse=True)

    request = registry_pb2.ResolveRequest(module="base")
    assert await refusal(rig.top.registry.Resolve(request)) == DENIED


async def test_a_module_that_was_started_again_makes_its_old_tokens_void(
    rig: Rig, start: Any
) -> None:
    """kernel.md 14.14: a token of an old epoch is refused."""
    await rig.resolve()
    lease = rig.kernel.modules.find("top").lease
    assert lease is not None
    left = registry_pb2.DeregisterRequest(lease_id=lease.lease_id)
    await rig.top.registry.Deregister(left)

    newer = await start("top")
    await rig.kernel.make_ready(newer)

    await _until(rig.echo, "TOKEN_REVOKED")


async def test_explain_says_what_a_call_meets(rig: Rig) -> None:
    async def explain(**asked: Any) -> capability_pb2.ExplainResponse:
        response: capability_pb2.ExplainResponse = await rig.admin.Explain(
            capability_pb2.ExplainRequest(**asked)
        )
        return response

    allowed = await explain(module="top", target="base", method=ECHO)
    assert (allowed.allowed, "declares" in allowed.rule) == (True, True)
    await rig.grant(ECHO, refuse=True)
    refused = await explain(module="top", target="base", method=ECHO)
    assert (refused.allowed, "local refused it" in refused.rule) == (False, True)
    viewer = capability_pb2.ROLE_VIEWER
    assert not (await explain(role=viewer, target="base", method=ECHO)).allowed
    status = "logos.kernel.v1.Kernel/GetStatus"
    assert (await explain(role=viewer, target=KERNEL, method=status)).allowed
    unknown = capability_pb2.ExplainRequest(module="gone", target="base", method=ECHO)
    assert await refusal(rig.admin.Explain(unknown)) == ("NOT_FOUND", "MODULE_NOT_FOUND")


@pytest.mark.parametrize("bearer", ["", "logos_" + 43 * "x", "x y z", BEARER[:-1]])
async def test_the_front_door_knows_its_operators(rig: Rig, bearer: str) -> None:
    channel = open_channel(rig.kernel.front)
    if bearer:
        channel = borne(channel, bearer)
    reason = "TOKEN_INVALID" if bearer else "TOKEN_MISSING"
    status: Any = kernel_pb2_grpc.KernelStub(channel)
    async with channel:
        for call in (status.GetStatus(kernel_pb2.GetStatusRequest()), rig.echo(channel)):
            assert await refusal(call) == ("UNAUTHENTICATED", reason)


async def test_each_role_may_do_its_own(rig: Rig) -> None:
    denied = ("PERMISSION_DENIED", "ROLE_DENIED")
    start_ = supervisor_pb2.StartModuleRequest(module="base")
    plan = supervisor_pb2.PlanOperationRequest(
        operation=supervisor_pb2.OPERATION_START, module="base"
    )
    exits, watch = supervisor_pb2.ListExitsRequest, supervisor_pb2.WatchTransitionsRequest
    for role, may in (("VIEWER", 4), ("OPERATOR", 6), ("ADMIN", 7)):
        channel = await rig.operator(role.lower(), role)
        status: Any = kernel_pb2_grpc.KernelStub(channel)
        supervisor: Any = supervisor_pb2_grpc.SupervisorStub(channel)
        access: Any = capability_pb2_grpc.CapabilityStub(channel)
        calls = [
            lambda status=status: status.GetStatus(kernel_pb2.GetStatusRequest()),
            lambda supervisor=supervisor: supervisor.PlanOperation(plan),
            lambda supervisor=supervisor: supervisor.ListExits(exits(module="base")),
            lambda supervisor=supervisor: supervisor.WatchTransitions(watch()).read(),
            lambda channel=channel: rig.echo(channel),
            lambda supervisor=supervisor: supervisor.StartModule(start_),
            lambda access=access: access.ListGrants(capability_pb2.ListGrantsRequest()),
        ]
        async with channel:
            for call in calls[:may]:
                await call()
            for call in calls[may:]:
                assert await refusal(call()) == denied


async def test_a_revoked_operator_is_refused_at_once(rig: Rig) -> None:
    channel = await rig.operator("bob", "OPERATOR")
    await rig.echo(channel)
    request = capability_pb2.RevokeOperatorTokenRequest(name="bob")

    await rig.admin.RevokeOperatorToken(request)

    assert await refusal(rig.echo(channel)) == ("UNAUTHENTICATED", "TOKEN_INVALID")
    again = await refusal(rig.admin.RevokeOperatorToken(request))
    assert again == ("NOT_FOUND", "OPERATOR_NOT_FOUND")
    await channel.close()


async def test_a_module_hears_who_is_behind_a_call_of_the_front_door(rig: Rig) -> None:
    channel = await rig.operator("bob", "OPERATOR")
    forged = ((CALLER_FIELD, b"\x12\x05\n\x03eve"), ("authorization", "Bearer more"))

    call = echo_service.stub(channel, "test.base.Echo", "UnaryUnary")
    assert (await call(WORD, metadata=forged)).value == b"x"

    caller, metadata = rig.base.echo.last
    assert str(caller) == "OperatorSubject(name='bob', role=<Role.OPERATOR: 'operator'>)"
    assert "authorization" not in dict(metadata), "a bearer is for the kernel alone"
    await channel.close()


async def test_tokens_outlive_the_key_that_signed_them_by_one_rotation(rig: Rig) -> None:
    """kernel.md 14.28: old tokens stay valid until they expire."""
    await rig.resolve()

    await rig.admin.RotateKey(capability_pb2.RotateKeyRequest())

    assert (await rig.echo()).value == b"x"
    assert (await rig.echo(rig.kernel.channel)).value == b"x"
    async with asyncio.timeout(30):
        while not rig.top.identity.is_due(rig.credential):  # noqa: ASYNC110 -- a remote event
            await asyncio.sleep(0.01)
    await rig.resolve()
    await rig.admin.RotateKey(capability_pb2.RotateKeyRequest())
    assert (await rig.echo()).value == b"x"


async def test_the_audit_log_tells_who_did_what(rig: Rig) -> None:
    channel = await rig.operator("bob", "VIEWER")
    assert (await refusal(rig.echo(channel)))[1] == "ROLE_DENIED"
    assert (await refusal(rig.echo(channel)))[1] == "ROLE_DENIED"
    await rig.grant("*")
    await channel.close()
    supervisor = rig.kernel.supervisor
    reset = supervisor_pb2.ResetFailedRequest(module="base")
    assert (await refusal(supervisor.ResetFailed(reset)))[1] == "RUNTIME_EXTERNAL"
    cascade = supervisor_pb2.StopModuleRequest(module="base", cascade=True)
    assert (await refusal(supervisor.StopModule(cascade)))[1] == "RUNTIME_EXTERNAL"

    records = await rig.audit()

    assert ("operator:local", "token.issue", "bob", "OK") in records
    assert ("operator:local", "grant.allow", "top", "OK") in records
    assert records.count(("operator:bob", "call", ECHO, "ROLE_DENIED")) == 1
    for action in ("module.reset_failed", "module.stop_all"):
        assert ("operator:local", action, "base", "RUNTIME_EXTERNAL") in records


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"caller": "gone"}, "MODULE_NOT_FOUND"),
        ({"target": "gone"}, "MODULE_NOT_FOUND"),
        ({"methods": []}, "INVALID_ACCESS"),
        ({"methods": ["Echo"]}, "INVALID_ACCESS"),
        ({"methods": ["a.B/*"] * 17}, "INVALID_ACCESS"),
        ({"target": KERNEL, "refuse": True}, "INVALID_ACCESS"),
    ],
)
async def test_a_grant_that_says_nothing_is_refused(
    rig: Rig, changes: dict[str, Any], reason: str
) -> None:
    """kernel.md 14.30: what was decided before still holds."""
    await rig.grant(ECHO, refuse=True)
    before = await rig.admin.ListGrants(capability_pb2.ListGrantsRequest())
    fields = {"caller": "top", "target": "base", "methods": ["*"]} | changes
    request = capability_pb2.SetGrantRequest(grant=capability_pb2.Grant(**fields))

    assert (await refusal(rig.admin.SetGrant(request)))[1] == reason

    assert await rig.admin.ListGrants(capability_pb2.ListGrantsRequest()) == before
    asked = capability_pb2.ExplainRequest(module="top", target="base", method=ECHO)
    assert not (await rig.admin.Explain(asked)).allowed


@pytest.mark.parametrize("seconds", [-(2**63), 0, 3650 * 86_400 + 1, 2**63 - 1])
async def test_an_operators_token_holds_a_second_to_ten_years(rig: Rig, seconds: int) -> None:
    request = capability_pb2.IssueOperatorTokenRequest(
        name="ada", role=capability_pb2.ROLE_VIEWER, ttl=Duration(seconds=seconds)
    )
    refused = await refusal(rig.admin.IssueOperatorToken(request))
    request.ttl.seconds = 3650 * 86_400
    await rig.admin.IssueOperatorToken(request)
    listed = await rig.admin.ListOperatorTokens(capability_pb2.ListOperatorTokensRequest())

    assert refused == ("INVALID_ARGUMENT", "INVALID_ACCESS")
    assert [one.name for one in listed.tokens if one.HasField("expires_at")] == ["ada"]


async def test_a_name_has_one_token(rig: Rig) -> None:
    for name in ("bob", "local"):
        role = capability_pb2.ROLE_ADMIN
        request = capability_pb2.IssueOperatorTokenRequest(name=name, role=role)
        if name == "bob":
            await rig.admin.IssueOperatorToken(request)
        again = await refusal(rig.admin.IssueOperatorToken(request))
        assert again == ("ALREADY_EXISTS", "OPERATOR_EXISTS")
    listed = await rig.admin.ListOperatorTokens(capability_pb2.ListOperatorTokensRequest())
    assert [(one.name, one.HasField("expires_at")) for one in listed.tokens] == [("bob", False)]


async def _outcome(call: Any) -> str:
    """Returns the reason of a refused call; empty if it is not refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return ""
