"""What a kernel answers to a registration, with keys that everybody knows: for tests alone."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc
from nacl.signing import SigningKey

from logos.kernel.v1 import registry_pb2
from logos_base.capabilities import KERNEL, Claims, ModuleSubject
from logos_client.authorized import AuthorizedChannel
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.joining import kernel_proof
from logos_module.capabilities.proofs import module_key, shared_key
from logos_module.capabilities.sealing import seal
from logos_module.capabilities.tokens import sign

SECRET: Final = b"s" * 32
NONCE: Final = b"n" * 32
SIGNING: Final = SigningKey(bytes(32))
SIGNING_KEY: Final = SIGNING.verify_key.encode()
KERNEL_PRIVATE: Final = module_key(b"k" * 32, KERNEL)
KERNEL_KEY: Final = public_key_of(KERNEL_PRIVATE)
OWN_KEY: Final = b"o" * 32
NOW_S: Final = 1_800_000_000
FAR_S: Final = 2**40


def make_secret(folder: Path) -> Path:
    """Writes the join secret into a folder; returns its path, for `LOGOS_JOIN_SECRET`."""
    path = folder / "join.secret"
    path.write_bytes(SECRET)
    return path


def challenge() -> registry_pb2.ChallengeResponse:
    """The answer to `Challenge`."""
    return registry_pb2.ChallengeResponse(nonce=NONCE)


def grant(
    request: registry_pb2.RegisterRequest,
    *,
    ttl_ms: int = 15_000,
    epoch: int = 1,
    now_s: int = NOW_S,
    **fields: Any,
) -> registry_pb2.RegisterResponse:
    """The answer to `Register`, with a proof of the kernel."""
    response = registry_pb2.RegisterResponse(
        kernel_key=KERNEL_KEY,
        signing_keys=[SIGNING_KEY],
        kernel_proof=kernel_proof(
            SECRET,
            nonce=request.nonce,
            public_key=request.public_key,
            kernel_key=KERNEL_KEY,
            signing_keys=[SIGNING_KEY],
            now_s=now_s,
        ),
        now=now_s,
        sealed_key=seal(KERNEL_PRIVATE, request.public_key, request.nonce, OWN_KEY),
        token=token(request, KERNEL, ["*"], epoch=epoch),
        epoch=epoch,
        **fields,
    )
    response.ttl.FromMilliseconds(ttl_ms)
    return response


def authorized(channel: grpc.aio.Channel, target: str) -> AuthorizedChannel:
    """A channel to a module that has `SECRET`, for a caller that may call all of it."""
    key, callee = module_key(SECRET, "tester"), module_key(SECRET, target)
    own, other = (public_key_of(each) for each in (key, callee))
    instance_id = secrets.token_bytes(16)
    caller = registry_pb2.RegisterRequest(module="tester", instance_id=instance_id, public_key=own)
    shared = shared_key(key, other, caller=own, callee=other, instance_id=instance_id)
    credential = Credential()
    made = token(caller, target, ["*"])
    credential.renew(made.token, made.token_id, shared, renew_at_s=FAR_S)
    return AuthorizedChannel(channel, credential)


def token(
    caller: registry_pb2.RegisterRequest, target: str, methods: Sequence[str], *, epoch: int = 1
) -> registry_pb2.CapabilityToken:
    """A token for a module that has registered."""
    subject = ModuleSubject(caller.module, caller.instance_id, epoch)
    key = caller.public_key
    claims = Claims(b"t" * 16, subject, target, tuple(methods), 0, FAR_S, key)
    made = registry_pb2.CapabilityToken(token=sign(claims, SIGNING), token_id=b"t" * 16)
    made.ttl.FromSeconds(600)
    return made
