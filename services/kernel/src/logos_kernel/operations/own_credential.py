"""The kernel's own tokens for modules: it passes on the calls of others (KER-16)."""

from logos_base.capabilities import KERNEL
from logos_client.authorized import Metadata
from logos_kernel.operations.gate import Gate
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.identity import RENEW_AFTER
from logos_module.capabilities.proofs import shared_key


class OwnCredential(Credential):
    """The kernel's token for one module, which it makes itself when it is due."""

    def __init__(self, gate: Gate, module: str) -> None:
        super().__init__()
        self._gate = gate
        self._module = module
        self._generation = 0
        """Of the key that has signed the token."""

    def metadata(self, method: str) -> Metadata:
        is_rotated = self._generation != self._gate.keyring.generation
        if is_rotated or self.is_due(self._gate.now_s()):
            self._issue()
        return super().metadata(method)

    def _issue(self) -> None:
        gate, callee = self._gate, self._gate.public_key(self._module)
        own = gate.public_key(KERNEL)
        issued = gate.authority.issue_own(gate.instance, own, self._module)
        key = shared_key(
            gate.keyring.agreement,
            callee,
            caller=own,
            callee=callee,
            instance_id=gate.instance.instance_id,
        )
        life_s = issued.claims.expires_at_s - gate.now_s()
        renew_at_s = gate.now_s() + RENEW_AFTER * life_s
        self._generation = gate.keyring.generation
        self.renew(issued.token, issued.claims.token_id, key, renew_at_s=renew_at_s)


class OwnCredentials:
    """One per module, kept across channels: the counter of its proofs must not restart."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._by_module: dict[str, OwnCredential] = {}

    def __getitem__(self, module: str) -> OwnCredential:
        credential = self._by_module.get(module)
        if credential is None:
            credential = self._by_module[module] = OwnCredential(self._gate, module)
        return credential
