"""What a module process is to others: its key, the tokens it holds, those it accepts."""

import hmac
import time
from collections.abc import Callable, Iterable
from typing import Final

from logos.kernel.v1 import registry_pb2 as pb
from logos_base.capabilities import Revocation
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.joining import KernelUnprovenError, join_proof, kernel_proof
from logos_module.capabilities.proofs import module_key, shared_key
from logos_module.capabilities.sealing import unseal
from logos_module.capabilities.verifier import Verifier

RENEW_AFTER: Final = 0.5
"""Part of a token's life after which it is renewed."""


class KernelClock:
    """The time of the kernel, which tokens go by: a clock that is set disturbs no call."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ahead_s = 0.0

    def set(self, now_s: int) -> None:
        """Takes what the kernel's clock shows."""
        self._ahead_s = now_s - self._monotonic()

    def now_s(self) -> int:
        """Returns its time, in seconds since 1970 UTC."""
        return int(self._monotonic() + self._ahead_s)


class Identity:
    """One process of a module. Times are those of the kernel, in seconds since 1970 UTC."""

    def __init__(
        self,
        module: str,
        instance_id: bytes,
        join_secret: bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._module = module
        self.instance_id: Final = instance_id
        """16 random bytes."""
        self._join_secret = join_secret
        self._clock = KernelClock(monotonic)
        self._key = module_key(join_secret, module)
        self.public_key: Final = public_key_of(self._key)
        self.verifier: Final = Verifier(module, self._key, self._clock.now_s)
        """Of calls to this process."""
        self.for_kernel: Final = Credential()
        """For calls to the kernel, once it has registered this process."""
        self.key = b""
        """The module's own, 32 bytes, once the kernel has registered this process."""
        self._newest_key = b""
        self._signed: dict[Credential, bytes] = {}
        """The newest key at the time of each credential's token."""

    def sign(self, request: pb.RegisterRequest, nonce: bytes) -> None:
        """Completes a registration with key and proof."""
        request.nonce = nonce
        request.public_key = self.public_key
        request.join_proof = join_proof(
            self._join_secret,
            nonce=nonce,
            module=self._module,
            instance_id=self.instance_id,
            endpoint=request.endpoint,
            public_key=self.public_key,
        )

    def accept(self, response: pb.RegisterResponse, nonce: bytes) -> None:
        """Takes the kernel's keys and token.

        Raises:
            KernelUnprovenError: The kernel has not proved that it knows the join secret.
            SealBrokenError: The module's own key cannot be read.
        """
        expected = kernel_proof(
            self._join_secret,
            nonce=nonce,
            public_key=self.public_key,
            kernel_key=response.kernel_key,
            signing_keys=response.signing_keys,
            now_s=response.now,
        )
        if not hmac.compare_digest(expected, response.kernel_proof):
            raise KernelUnprovenError(
                "the kernel does not know this module's join secret: is it this node's kernel?"
            )
        self.key = unseal(self._key, response.kernel_key, nonce, response.sealed_key)
        self._clock.set(response.now)
        self.trust(response.signing_keys)
        self.revoke(response.revocations)
        self.renew(self.for_kernel, response.token, response.kernel_key)

    def trust(self, signing_keys: Iterable[bytes]) -> None:
        """Accepts tokens that these keys, newest first, have signed, and no others."""
        keys = list(signing_keys)
        self._newest_key = keys[0] if keys else b""
        self.verifier.trust(keys)

    def revoke(self, revocations: Iterable[pb.Revocation]) -> None:
        """Refuses tokens from now on."""
        for each in revocations:
            self.verifier.revoke(Revocation(each.module, each.before_epoch, each.issued_until))

    def expire(self) -> None:
        """Makes all credentials due."""
        self._signed.clear()

    def is_due(self, credential: Credential) -> bool:
        """Returns whether a credential needs a new token: it is old, or so is its key."""
        is_of_old_key = self._signed.get(credential) != self._newest_key
        return is_of_old_key or credential.is_due(self._clock.now_s())

    def renew(self, credential: Credential, token: pb.CapabilityToken, callee: bytes) -> None:
        """Puts a token into a credential.

        Args:
            credential: For one callee.
            token: As the kernel has sent it.
            callee: X25519 public key of the callee, 32 bytes.
        """
        key = shared_key(
            self._key,
            callee,
            caller=self.public_key,
            callee=callee,
            instance_id=self.instance_id,
        )
        self._signed[credential] = self._newest_key
        renew_at_s = self._clock.now_s() + RENEW_AFTER * token.ttl.ToNanoseconds() / 1e9
        credential.renew(token.token, token.token_id, key, renew_at_s=renew_at_s)
