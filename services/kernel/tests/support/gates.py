"""Gates of kernels, and the credentials of those who come to them. For tests."""

import secrets
from collections.abc import Mapping, Sequence

import grpc

from logos_base.capabilities import KERNEL, ModuleSubject, OperatorSubject, Role
from logos_client.authorized import AuthorizedChannel
from logos_kernel.core.access import LOCAL, Access, Operator, digest_of
from logos_kernel.core.modules import Modules
from logos_kernel.core.types import Introduction, JoinProof
from logos_kernel.operations.gate import Gate
from logos_module.capabilities.joining import join_proof

MASTER = b"m" * 32
BEARER = "logos_" + 43 * "b"
NOW_S = 1_800_000_000
ADA = OperatorSubject("ada", Role.ADMIN)


class Clock:
    """The time of a kernel in a test."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> int:
        return self.now_s


class Bearer:
    """What an operator sends."""

    def __init__(self, bearer: str = BEARER) -> None:
        self._metadata = (("authorization", f"Bearer {bearer}"),)

    def metadata(self, _method: str) -> tuple[tuple[str, str], ...]:
        return self._metadata


def gate_of(
    modules: Modules | Mapping[str, Sequence[str]],
    *,
    access: Access | None = None,
    clock: Clock | None = None,
) -> Gate:
    """Makes a gate for modules, or for what modules declare to call."""
    declared = (
        modules
        if isinstance(modules, Mapping)
        else {m.name: m.plan.manifest.calls for m in modules}
    )
    return Gate(
        access or Access(),
        master=MASTER,
        local=Operator(LOCAL, Role.ADMIN, digest_of(BEARER)),
        declared={name: tuple(calls) for name, calls in declared.items()},
        serves={name: (f"test.{name}.Echo",) for name in declared},
        instance=ModuleSubject(KERNEL, b"k" * 16, 1),
        now_s=clock or Clock(),
    )


def proof_of(gate: Gate, said: Introduction) -> JoinProof:
    """Proves a registration as the module's process does."""
    nonce = gate.challenges.issue(said.module, secrets.token_bytes(8), 1000 * gate.now_s())
    key = gate.public_key(said.module)
    proof = join_proof(
        gate.keyring.join_secret(said.module),
        nonce=nonce,
        module=said.module,
        instance_id=said.instance_id,
        endpoint=said.endpoint,
        public_key=key,
    )
    return JoinProof(nonce, key, proof)


def borne(channel: grpc.aio.Channel, bearer: str = BEARER) -> AuthorizedChannel:
    """Returns a channel whose calls bear a token of an operator."""
    return AuthorizedChannel(channel, Bearer(bearer))
