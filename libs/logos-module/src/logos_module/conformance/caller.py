"""A module that calls the one that is checked, with whatever token a check wants."""

import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from nacl.signing import SigningKey

from logos_base.capabilities import Claims, ModuleSubject
from logos_client.authorized import Metadata
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.metadata import PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.proofs import Prover, module_key, shared_key
from logos_module.capabilities.tokens import sign
from logos_module.conformance import answers

TIMEOUT_S: Final = 60.0
_LIFETIME_S: Final = 600


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    code: grpc.StatusCode
    reason: str
    """Of its ErrorInfo; empty if it has none."""
    domain: str
    has_retry_info: bool


class Tester:
    """A module that may call all of the other. Its epoch is 5."""

    EPOCH: Final = 5

    def __init__(self, target: str, now_s: int) -> None:
        self._target = target
        self.name = f"tester-{secrets.token_hex(4)}"
        self._key = module_key(answers.SECRET, self.name)
        self.instance_id = secrets.token_bytes(16)
        subject = ModuleSubject(self.name, self.instance_id, self.EPOCH)
        self.claims = Claims(
            secrets.token_bytes(16),
            subject,
            target,
            ("*",),
            now_s,
            now_s + _LIFETIME_S,
            public_key_of(self._key),
        )
        self._prover = Prover(self._shared_key())

    def token(self, key: SigningKey = answers.SIGNING, **claims: Any) -> bytes:
        """Makes a token, with other claims or another key where these are given."""
        return sign(replace(self.claims, **claims), key)

    def metadata(self, method: str, token: bytes | None = None) -> Metadata:
        """Returns what a call of `package.Service/Method` carries."""
        proof = self._prover.prove(self.claims.token_id, method)
        return (TOKEN_FIELD, token or self.token()), (PROOF_FIELD, proof)

    def _shared_key(self) -> bytes:
        own = public_key_of(self._key)
        callee = public_key_of(module_key(answers.SECRET, self._target))
        return shared_key(
            self._key, callee, caller=own, callee=callee, instance_id=self.instance_id
        )


async def outcome_of(channel: grpc.aio.Channel, method: str, metadata: Metadata = ()) -> Outcome:
    """Calls a method of any kind with one empty request; reads all its answers."""
    ask: Any = channel.unary_stream(f"/{method}")
    call = ask(b"", metadata=metadata, timeout=TIMEOUT_S)
    try:
        async for _ in call:
            pass
    except grpc.aio.AioRpcError as error:
        return _outcome(error)
    return Outcome(grpc.StatusCode.OK, "", "", has_retry_info=False)


def _outcome(error: grpc.aio.AioRpcError) -> Outcome:
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    try:
        status = rpc_status.from_call(error)
        details = status.details if status is not None else ()
        for detail in details:
            detail.Unpack(info)
        has_retry_info = any(detail.Unpack(retry) for detail in details)
    except (ValueError, DecodeError):
        return Outcome(error.code(), "", "", has_retry_info=False)
    return Outcome(error.code(), info.reason, info.domain, has_retry_info)
