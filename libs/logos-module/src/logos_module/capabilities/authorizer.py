"""What the server of a module asks of each call (KER-15)."""

from typing import Final

from logos_base.capabilities import KERNEL, ModuleSubject, Subject
from logos_module.access import Caller
from logos_module.capabilities.callers import caller_from_bytes
from logos_module.capabilities.errors import TokenMissingError
from logos_module.capabilities.metadata import CALLER_FIELD, PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.verifier import Verifier

FREE: Final = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.",
    "/logos.module.v1.ModuleHost/Describe",
)
"""Methods that need no token: discovery, without private data."""


class TokenAuthorizer:
    """Lets calls pass that carry a token for their method and prove that it is theirs."""

    def __init__(self, verifier: Verifier, free: tuple[str, ...] = FREE) -> None:
        """Takes what verifies, and the beginnings of the methods that need no token."""
        self._verifier = verifier
        self._free = free

    def authorize(self, caller: Caller, method: str) -> Subject | None:
        """Returns the module or operator that calls, or refuses the call."""
        if method.startswith(self._free):
            return None
        fields = dict(caller.metadata)
        token, proof = fields.get(TOKEN_FIELD), fields.get(PROOF_FIELD)
        if not isinstance(token, bytes) or not isinstance(proof, bytes):
            raise TokenMissingError(
                f"{method} needs a token; clients call the front door of the node instead"
            )
        subject: ModuleSubject = self._verifier.admit(token, proof, method[1:]).subject
        passed_on = fields.get(CALLER_FIELD)
        if subject.name == KERNEL and isinstance(passed_on, bytes):
            return caller_from_bytes(passed_on)
        return subject
