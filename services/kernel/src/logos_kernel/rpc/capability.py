"""`logos.kernel.v1.Capability`: tokens, and the rules behind them."""

from collections.abc import AsyncIterator
from typing import Any

from logos.kernel.v1 import capability_pb2 as pb
from logos.kernel.v1 import capability_pb2_grpc
from logos_base.capabilities import ModuleSubject, OperatorSubject, Role, Subject
from logos_kernel.core.access import TOKEN_TTL_S
from logos_kernel.core.errors import InvalidAccessError
from logos_kernel.core.policy import Grant
from logos_kernel.operations import access
from logos_kernel.operations.kernel import Kernel
from logos_kernel.rpc.convert import timestamp
from logos_module.capabilities.callers import NUMBERS, ROLES
from logos_module.capabilities.tokens import key_id_of
from logos_module.contexts import Context


class CapabilityServicer(capability_pb2_grpc.CapabilityServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def RequestToken(
        self, request: pb.RequestTokenRequest, context: Context
    ) -> pb.RequestTokenResponse:
        caller = caller_of(context)
        if not isinstance(caller, ModuleSubject):
            raise InvalidAccessError("these tokens are for modules: IssueOperatorToken makes yours")
        ttl_s = request.ttl.ToSeconds() if request.HasField("ttl") else TOKEN_TTL_S
        issued = access.issue(
            self._kernel, caller, request.target, asked=request.methods, ttl_s=ttl_s
        )
        return pb.RequestTokenResponse(
            token=issued.token,
            expires_at=timestamp(1000 * issued.claims.expires_at_s),
            target_key=self._kernel.gate.public_key(request.target),
            methods=issued.claims.methods,
        )

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        caller = request.module if request.WhichOneof("caller") == "module" else _role(request.role)
        decision = access.explain(self._kernel, caller, request.target, request.method)
        return pb.ExplainResponse(allowed=decision.is_allowed, rule=decision.rule)

    async def SetGrant(self, request: pb.SetGrantRequest, context: Context) -> pb.SetGrantResponse:
        said = request.grant
        grant = Grant(said.caller, said.target, tuple(said.methods), is_refusal=said.refuse)
        await access.set_grant(self._kernel, caller_of(context), grant)
        return pb.SetGrantResponse()

    async def DeleteGrant(
        self, request: pb.DeleteGrantRequest, context: Context
    ) -> pb.DeleteGrantResponse:
        caller, target = request.caller, request.target
        by = caller_of(context)
        await access.delete_grant(self._kernel, by, caller, target, is_refusal=request.refuse)
        return pb.DeleteGrantResponse()

    async def ListGrants(
        self, request: pb.ListGrantsRequest, context: Context
    ) -> pb.ListGrantsResponse:
        grants = sorted(
            self._kernel.gate.access.grants, key=lambda g: (g.caller, g.target, g.is_refusal)
        )
        return pb.ListGrantsResponse(
            grants=[
                pb.Grant(
                    caller=one.caller,
                    target=one.target,
                    methods=one.methods,
                    refuse=one.is_refusal,
                    by=one.by,
                )
                for one in grants
            ]
        )

    async def IssueOperatorToken(
        self, request: pb.IssueOperatorTokenRequest, context: Context
    ) -> pb.IssueOperatorTokenResponse:
        ttl_s = request.ttl.ToSeconds() if request.HasField("ttl") else None
        by, role = caller_of(context), _role(request.role)
        bearer = await access.issue_operator(self._kernel, by, request.name, role, ttl_s)
        return pb.IssueOperatorTokenResponse(bearer=bearer)

    async def ListOperatorTokens(
        self, request: pb.ListOperatorTokensRequest, context: Context
    ) -> pb.ListOperatorTokensResponse:
        response = pb.ListOperatorTokensResponse()
        for one in sorted(self._kernel.gate.access.operators, key=lambda each: each.name):
            token = response.tokens.add(
                name=one.name,
                role=NUMBERS[one.role],
                issued_at=timestamp(1000 * one.issued_at_s),
            )
            if one.expires_at_s:
                token.expires_at.CopyFrom(timestamp(1000 * one.expires_at_s))
        return response

    async def RevokeOperatorToken(
        self, request: pb.RevokeOperatorTokenRequest, context: Context
    ) -> pb.RevokeOperatorTokenResponse:
        await access.revoke_operator(self._kernel, caller_of(context), request.name)
        return pb.RevokeOperatorTokenResponse()

    async def RotateKey(
        self, request: pb.RotateKeyRequest, context: Context
    ) -> pb.RotateKeyResponse:
        key = await access.rotate_key(self._kernel, caller_of(context))
        return pb.RotateKeyResponse(key_id=key_id_of(key))

    async def ReadAudit(
        self, request: pb.ReadAuditRequest, context: Context
    ) -> AsyncIterator[pb.ReadAuditResponse]:
        async for one in access.read_audit(self._kernel, request.from_sequence):
            yield pb.ReadAuditResponse(
                sequence=one.sequence,
                at=timestamp(one.at_ms),
                actor=one.actor,
                action=one.action,
                subject=one.subject,
                outcome=one.outcome,
                detail=one.detail,
                hash=one.hash,
            )


def caller_of(context: Any) -> Subject:
    """Returns who calls: every call but the free ones has an identity."""
    caller: ModuleSubject | OperatorSubject = context.caller
    return caller


def _role(value: "pb.Role.ValueType") -> Role:
    if value not in ROLES:
        raise InvalidAccessError("role: must be VIEWER, OPERATOR or ADMIN", field="role")
    return ROLES[value]
