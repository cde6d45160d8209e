"""`Proofs` through the network module of this node."""

from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import rln_pb2 as pb
from logos.network.v1.rln_pb2_grpc import RlnStub
from logos_delivery.core.errors import BudgetSpentError
from logos_delivery.core.relay.relay_guard import ProofVerdict
from logos_delivery.net.calls import failure_of
from logos_module.errors import reason_of

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.rln_pb2_grpc import RlnAsyncStub

PROVE_TIMEOUT_S: Final = 30.0
VERIFY_TIMEOUT_S: Final = 3.5
"""After four seconds gossip ignores a message that was not judged (NET-8)."""
_VERDICTS: Final = {
    pb.PROOF_VERDICT_VALID: ProofVerdict.VALID,
    pb.PROOF_VERDICT_INVALID: ProofVerdict.INVALID,
    pb.PROOF_VERDICT_DUPLICATE: ProofVerdict.DUPLICATE,
    pb.PROOF_VERDICT_RATE_LIMIT_VIOLATION: ProofVerdict.VIOLATION,
}


class NetworkProofs:
    """`Proofs` over `logos.network.v1.Rln`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: RlnAsyncStub = RlnStub(channel)

    async def period_ms(self) -> int:
        """Returns how long an epoch lasts. NetworkUnavailableError."""
        try:
            status = await self._stub.GetStatus(pb.RlnGetStatusRequest(), timeout=PROVE_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Rln/GetStatus") from error
        return status.period.ToMilliseconds()

    async def prove(self, identifier: bytes, signal: bytes) -> bytes:
        request = pb.GenerateProofRequest(rln_identifier=identifier, signal=signal)
        try:
            made = await self._stub.GenerateProof(request, timeout=PROVE_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) == "RLN_BUDGET_SPENT":
                raise BudgetSpentError("no message id is left in this epoch") from error
            raise failure_of(error, "Rln/GenerateProof") from error
        return made.proof

    async def verify(
        self, identifier: bytes, signal: bytes, proof: bytes
    ) -> tuple[ProofVerdict, str]:
        request = pb.VerifyProofRequest(rln_identifier=identifier, signal=signal, proof=proof)
        try:
            judged = await self._stub.VerifyProof(request, timeout=VERIFY_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, "Rln/VerifyProof") from error
        return _VERDICTS.get(judged.verdict, ProofVerdict.INVALID), judged.reason

    async def convict(self, identifier: bytes, one: bytes, other: bytes) -> bytes | None:
        request = pb.RecoverSecretRequest(rln_identifier=identifier, one=one, other=other)
        try:
            return (await self._stub.RecoverSecret(request, timeout=VERIFY_TIMEOUT_S)).secret
        except grpc.aio.AioRpcError:
            return None
