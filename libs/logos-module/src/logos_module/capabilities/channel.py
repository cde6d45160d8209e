"""The caller's side: what a channel adds to calls, a token and a proof (KER-15, KER-16)."""

from logos_client.authorized import Metadata
from logos_module.capabilities.metadata import PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.proofs import Prover


class Credential:
    """A token for one callee, and the key to prove that it is ours. Renewed in place."""

    def __init__(self) -> None:
        self._token = b""
        self._token_id = b""
        self._prover: Prover | None = None
        self._renew_at_s = 0.0

    def renew(self, token: bytes, token_id: bytes, key: bytes, *, renew_at_s: float) -> None:
        """Takes a new token.

        Args:
            token: At most 512 bytes.
            token_id: The name of it, 16 bytes.
            key: What `shared_key` gives for its callee.
            renew_at_s: When to ask for the next one, by the clock of `is_due`.
        """
        self._token, self._token_id, self._renew_at_s = token, token_id, renew_at_s
        if self._prover is None or not self._prover.has(key):
            self._prover = Prover(key)

    def is_due(self, now_s: float) -> bool:
        """Returns whether it must be renewed."""
        return now_s >= self._renew_at_s

    def metadata(self, method: str) -> Metadata:
        """Returns what a call of `package.Service/Method` carries; once for each call."""
        if self._prover is None:
            return ()
        proof = self._prover.prove(self._token_id, method)
        return (TOKEN_FIELD, self._token), (PROOF_FIELD, proof)
