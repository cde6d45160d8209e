"""`ProofJob`s for the chain's circuits and for RLN.

They hold secrets, and print none. They fail with `WitnessError`, which names the relation, or
with `ProofFailedError`.
"""

from dataclasses import dataclass, field

from logos_crypto.circuits import CachedPart, Cancellation, CircuitKey, Witness
from logos_crypto.prover import ProofFailedError, WitnessError
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import CachedMembership, Proof


@dataclass(frozen=True, slots=True, eq=False)
class CircuitJob:
    """A proof of 128 bytes of one of the chain's circuits."""

    witness: Witness
    key: CircuitKey
    cached: CachedPart | None = None
    """For the same fixed values; None: they are computed again."""

    @property
    def circuit(self) -> str:
        return self.witness.circuit

    def check(self) -> None:
        """Raises `WitnessError` with the first relation that the values break."""
        try:
            self.witness.check()
        except RefusedError as error:
            raise WitnessError(self.circuit, error.relation or error.reason) from None

    def run(self, cancelled: Cancellation) -> bytes:
        """Proves, and checks `cancelled` at each step, about every 0.2 s."""
        try:
            return self.witness.prove(self.key, cancelled, self.cached)
        except RefusedError as error:
            raise ProofFailedError(self.circuit, error.reason) from None


@dataclass(frozen=True, slots=True, eq=False)
class RlnJob:
    """A proof of one message of a member.

    It cannot be stopped once it runs, which takes a tenth of a second.
    """

    membership: CachedMembership
    external_nullifier: bytes
    x: bytes
    message_ids: tuple[int, ...] = field(repr=False)

    @property
    def circuit(self) -> str:
        return "rln-multi" if self.membership.multi else "rln"

    def check(self) -> None:
        """Does nothing: the membership has checked the path, and `run` checks the ids."""

    def run(self, cancelled: Cancellation) -> Proof:
        """Proves; raises `WitnessError` before proving if an input is not valid."""
        if cancelled.is_cancelled:
            raise ProofFailedError(self.circuit, "CANCELLED")
        try:
            return self.membership.prove(self.external_nullifier, self.x, *self.message_ids)
        except RefusedError as error:
            raise WitnessError(self.circuit, error.reason) from None
