"""The gate of a kernel: its keys, whom it knows, and what it lets them do."""

import secrets
from collections.abc import Callable, Mapping
from typing import Final

from logos_base.capabilities import KERNEL, ModuleSubject
from logos_kernel.core.access import Access, Authority, Issued, Operator, Served
from logos_kernel.core.challenges import Challenges
from logos_kernel.core.policy import FOR_MODULES
from logos_kernel.operations.keyring import Keyring
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.proofs import module_key
from logos_module.capabilities.verifier import Verifier

KERNEL_SERVED: Final = Served(
    tuple(pattern.rpartition("/")[0] for pattern in FOR_MODULES), methods={}
)
"""Of the kernel, for tokens: what its rules name."""


class Gate:
    """Keys and decisions. `now_s` is the kernel's time (KER-15)."""

    def __init__(
        self,
        access: Access,
        *,
        master: bytes,
        local: Operator,
        declared: Mapping[str, tuple[str, ...]],
        serves: Mapping[str, tuple[str, ...]],
        instance: ModuleSubject,
        now_s: Callable[[], int],
    ) -> None:
        self._master = master
        self._public_keys: dict[str, bytes] = {}
        self.instance: Final = instance
        """This process of the kernel."""
        self.now_s: Final = now_s
        self.challenges: Final = Challenges(secrets.token_bytes(32))
        self.keyring = Keyring(master, access.generation)
        self.verifier: Final = Verifier(KERNEL, self.keyring.agreement, now_s)
        """Of calls to the kernel."""
        self.verifier.trust(self.keyring.signing_keys())
        self.authority: Final = Authority(
            access,
            self.keyring,
            declared=declared,
            serves=serves,
            local=local,
            now_s=now_s,
            random=secrets.token_bytes,
        )
        self.authority.listen(self._revoke)

    @property
    def access(self) -> Access:
        """The decisions of operators, as they are now."""
        return self.authority.access

    def public_key(self, module: str) -> bytes:
        """Returns the X25519 public key of a module, 32 bytes."""
        if module == KERNEL:
            return self.keyring.agreement_key()
        if module not in self._public_keys:
            private = module_key(self.keyring.join_secret(module), module)
            self._public_keys[module] = public_key_of(private)
        return self._public_keys[module]

    def issue_for_kernel(self, subject: ModuleSubject) -> Issued:
        """Makes a module's token for the kernel's own services."""
        return self.authority.issue(subject, self.public_key(subject.name), KERNEL, KERNEL_SERVED)

    def take(self, access: Access) -> None:
        """Goes by other decisions from now on."""
        if access.generation != self.keyring.generation:
            self.keyring = Keyring(self._master, access.generation)
            self.verifier.trust(self.keyring.signing_keys())
        self.authority.take(access, self.keyring)

    def _revoke(self) -> None:
        for revocation in self.authority.revocations(KERNEL).values():
            self.verifier.revoke(revocation)
