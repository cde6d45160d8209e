"""What the server of a module asks of each call (KER-15)."""

from typing import Final

from google.protobuf.message import DecodeError

from logos.kernel.v1 import capability_pb2 as pb
from logos_base.capabilities import KERNEL, ModuleSubject, OperatorSubject, Subject
from logos_module.access import Caller
from logos_module.capabilities.errors import TokenInvalidError, TokenMissingError
from logos_module.capabilities.metadata import CALLER_FIELD, PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.tokens import ROLES
from logos_module.capabilities.verifier import Verifier

FREE: Final = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.",
    "/logos.module.v1.ModuleHost/Describe",
)
"""Methods that need no token: they are how a module is found, and say nothing of anybody."""


class TokenAuthorizer:
    """Lets calls pass that carry a token for their method and prove that it is theirs."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def authorize(self, caller: Caller, method: str) -> Subject | None:
        """Returns the module or operator that calls, or refuses the call."""
        if method.startswith(FREE):
            return None
        fields = dict(caller.metadata)
        token, proof = fields.get(TOKEN_FIELD), fields.get(PROOF_FIELD)
        if not isinstance(token, bytes) or not isinstance(proof, bytes):
            raise TokenMissingError(
                f"{method} needs a token; clients call the front door of the node instead"
            )
        subject = self._verifier.admit(token, proof, method[1:]).subject
        if isinstance(subject, ModuleSubject) and subject.name == KERNEL:
            return _passed_on(fields.get(CALLER_FIELD), subject)
        return subject


def _passed_on(said: str | bytes | None, kernel: Subject) -> Subject:
    """Returns the caller behind a call of the kernel: it alone is believed in this."""
    if not isinstance(said, bytes):
        return kernel
    info = pb.CallerInfo()
    try:
        info.ParseFromString(said)
    except DecodeError as error:
        raise TokenInvalidError("who is behind this call cannot be read") from error
    match info.WhichOneof("caller"):
        case "module":
            return ModuleSubject(info.module.name, info.module.instance_id, info.module.epoch)
        case "operator" if info.operator.role in ROLES:
            return OperatorSubject(info.operator.name, ROLES[info.operator.role])
    raise TokenInvalidError("who is behind this call is not known here")
