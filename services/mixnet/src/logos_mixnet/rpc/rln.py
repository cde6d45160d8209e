"""`logos.network.v1.Rln`."""

from collections.abc import AsyncIterator
from typing import Final

from logos.network.v1 import rln_pb2 as pb
from logos.network.v1 import rln_pb2_grpc as pb_grpc
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.rln.errors import AuthenticationError, RlnOffError
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.operations.rln import RlnOperations
from logos_mixnet.operations.rln_signals import RlnSignals
from logos_mixnet.rpc.rln_convert import membership_to_pb, status_to_pb, verdict_to_pb
from logos_module.contexts import Context

MAX_SECRET_BYTES: Final = 256


class RlnServicer(pb_grpc.RlnServicer):
    """One instance per process; holds no state of its own."""

    def __init__(self, rln: RlnOperations | None) -> None:
        """Without operations, every call says that rate limits are off."""
        self._on = rln
        self._its_signals = None if rln is None else RlnSignals(rln)

    @property
    def _rln(self) -> RlnOperations:
        if self._on is None:
            raise RlnOffError('this node keeps no rate limits: its settings say rln = "off"')
        return self._on

    @property
    def _signals(self) -> RlnSignals:
        return self._its_signals or RlnSignals(self._rln)

    async def GetStatus(
        self, request: pb.RlnGetStatusRequest, context: Context
    ) -> pb.RlnGetStatusResponse:
        return status_to_pb(self._rln)

    async def Register(self, request: pb.RegisterRequest, context: Context) -> pb.RegisterResponse:
        return pb.RegisterResponse(membership=membership_to_pb(await self._rln.register()))

    async def RequestAllocation(
        self, request: pb.RequestAllocationRequest, context: Context
    ) -> pb.RequestAllocationResponse:
        peer_id = parse_peer_id(request.peer_id)
        if not 0 < len(request.shared_secret) <= MAX_SECRET_BYTES:
            raise AuthenticationError(f"a shared secret has 1 to {MAX_SECRET_BYTES} bytes")
        done = await self._rln.request_allocation(peer_id, request.shared_secret)
        return pb.RequestAllocationResponse(
            leaf_index=done.leaf_index,
            merkle_root=done.merkle_root,
            block_number=done.block_number,
            transaction_hash=done.transaction_hash,
        )

    async def GetMembership(
        self, request: pb.GetMembershipRequest, context: Context
    ) -> pb.GetMembershipResponse:
        return pb.GetMembershipResponse(membership=membership_to_pb(self._rln.state()))

    async def WatchMembership(
        self, request: pb.WatchMembershipRequest, context: Context
    ) -> AsyncIterator[pb.WatchMembershipResponse]:
        with self._rln.watch() as states:
            async for state in states:
                yield pb.WatchMembershipResponse(membership=membership_to_pb(state))

    async def GetQuota(self, request: pb.GetQuotaRequest, context: Context) -> pb.GetQuotaResponse:
        quota = await self._signals.quota(request.rln_identifier)
        return pb.GetQuotaResponse(epoch=quota.epoch, limit=quota.limit, left=quota.left)

    async def GenerateProof(
        self, request: pb.GenerateProofRequest, context: Context
    ) -> pb.GenerateProofResponse:
        proof = await self._signals.prove(
            request.rln_identifier, request.signal, waits=request.wait
        )
        return pb.GenerateProofResponse(proof=proof, epoch=ProofFrame.decode(proof).epoch)

    async def VerifyProof(
        self, request: pb.VerifyProofRequest, context: Context
    ) -> pb.VerifyProofResponse:
        judgement = await self._signals.verify(
            request.rln_identifier, request.signal, request.proof
        )
        return verdict_to_pb(judgement)

    async def VerifyWithRoots(
        self, request: pb.VerifyWithRootsRequest, context: Context
    ) -> pb.VerifyWithRootsResponse:
        judgement = await self._signals.verify_with(
            request.rln_identifier, request.signal, request.proof, request.roots
        )
        packed = verdict_to_pb(judgement)
        return pb.VerifyWithRootsResponse(verdict=packed.verdict, reason=packed.reason)

    async def RecoverSecret(
        self, request: pb.RecoverSecretRequest, context: Context
    ) -> pb.RecoverSecretResponse:
        identity = self._signals.recover(request.rln_identifier, request.one, request.other)
        return pb.RecoverSecretResponse(secret=identity.secret(), commitment=identity.commitment)
