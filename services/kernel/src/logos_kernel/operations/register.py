"""Register: an instance of a module is there, and is what the profile means (KER-7, KER-15)."""

import hmac
import secrets
from dataclasses import dataclass

from logos_base.capabilities import ModuleSubject, Revocation
from logos_base.errors import LogosError
from logos_kernel.core.access import Issued
from logos_kernel.core.challenges import RANDOM_BYTES, JoinRefusedError
from logos_kernel.core.errors import ModuleUnreachableError
from logos_kernel.core.settings import Version
from logos_kernel.core.types import (
    LEASE_ID_BYTES,
    Candidate,
    Instance,
    Introduction,
    JoinProof,
    LeaseGrant,
)
from logos_kernel.operations.gate import Gate
from logos_kernel.operations.kernel import Kernel
from logos_module.capabilities.joining import join_proof, kernel_proof
from logos_module.capabilities.sealing import seal


@dataclass(frozen=True, slots=True)
class Joined:
    """What a module gets when it registers."""

    grant: LeaseGrant
    kernel_key: bytes
    signing_keys: list[bytes]
    now_s: int
    proof: bytes
    """That the answer is the kernel's."""
    issued: Issued
    """For the kernel's own services."""
    revocations: list[Revocation]
    sealed_key: bytes
    """The module's own key, sealed to it: 48 bytes."""
    settings: Version


def challenge(kernel: Kernel, module: str) -> bytes:
    """Returns a nonce for one registration, 32 bytes, or raises `UnknownModuleError`."""
    kernel.views.one(module)
    random = secrets.token_bytes(RANDOM_BYTES)
    return kernel.gate.challenges.issue(module, random, 1000 * kernel.gate.now_s())


async def register(kernel: Kernel, introduction: Introduction, proof: JoinProof) -> Joined:
    """Registers an instance that knows its join secret, once it has proved that it answers.

    Raises:
        UnknownModuleError, InvalidRegistrationError, StaleEpochError: It is not admitted.
        JoinRefusedError: It does not know the join secret; it is in the audit log.
        ModuleUnreachableError: Nothing answers at its endpoint, or another process does.
        DiskFullError, StoreFailedError: The epoch of an observed instance cannot be saved.
    """
    name = introduction.module
    kernel.views.one(name)
    _check_proof(kernel, introduction, proof)
    rival = kernel.registry.check(introduction)
    described = await kernel.probe(introduction.endpoint)
    gone = None if rival is None or await _answers(kernel, rival) else rival
    lease_id = secrets.token_bytes(LEASE_ID_BYTES)
    candidate = Candidate(introduction, described, gone, lease_id)
    grant: LeaseGrant = await kernel.driver.ask(kernel.registry.register, candidate)
    kernel.gate.authority.note_start(name, kernel.views.one(name).oldest_epoch)
    settings = await kernel.settings.granted(name, grant.epoch)
    return _joined(kernel.gate, introduction, proof, grant, settings)


def _check_proof(kernel: Kernel, said: Introduction, proof: JoinProof) -> None:
    gate = kernel.gate
    now_ms = 1000 * gate.now_s()
    try:
        gate.challenges.check(said.module, proof.nonce, now_ms)
        expected = join_proof(
            gate.keyring.join_secret(said.module),
            nonce=proof.nonce,
            module=said.module,
            instance_id=said.instance_id,
            endpoint=said.endpoint,
            public_key=gate.public_key(said.module),
        )
        if not hmac.compare_digest(expected, proof.proof):
            raise JoinRefusedError(
                f"it does not know the join secret of {said.module}: is LOGOS_JOIN_SECRET the"
                " file that this kernel has written?"
            )
    except LogosError as error:
        kernel.audit.refuse(f"module:{said.module}", "module.join", said.endpoint, error)
        raise
    gate.challenges.use(proof.nonce, now_ms)


def _joined(
    gate: Gate, said: Introduction, proof: JoinProof, grant: LeaseGrant, settings: Version
) -> Joined:
    subject = ModuleSubject(said.module, said.instance_id, grant.epoch)
    kernel_key, signing_keys = gate.keyring.agreement_key(), gate.keyring.signing_keys()
    now_s = gate.now_s()
    return Joined(
        grant=grant,
        kernel_key=kernel_key,
        signing_keys=signing_keys,
        now_s=now_s,
        proof=kernel_proof(
            gate.keyring.join_secret(said.module),
            nonce=proof.nonce,
            public_key=gate.public_key(said.module),
            kernel_key=kernel_key,
            signing_keys=signing_keys,
            now_s=now_s,
        ),
        issued=gate.issue_for_kernel(subject),
        revocations=list(gate.authority.revocations(said.module).values()),
        sealed_key=seal(
            gate.keyring.agreement,
            gate.public_key(said.module),
            proof.nonce,
            gate.keyring.own_key(said.module),
        ),
        settings=settings,
    )


async def _answers(kernel: Kernel, instance: Instance) -> bool:
    try:
        described = await kernel.probe(instance.endpoint)
    except ModuleUnreachableError:
        return False
    return described.instance_id == instance.instance_id
