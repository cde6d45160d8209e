"""Why a call is refused for its token, one class per rule."""

from logos_base.errors import ErrorKind, LogosError


class TokenMissingError(LogosError):
    """The call carries no token, and its method needs one."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_MISSING"


class TokenInvalidError(LogosError):
    """The token was not made by this node's kernel, or not for this callee."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_INVALID"


class TokenExpiredError(LogosError):
    """The token has expired."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_EXPIRED"


class TokenRevokedError(LogosError):
    """The token was revoked, or its holder was started again since."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "TOKEN_REVOKED"


class ProofInvalidError(LogosError):
    """The caller has not proved that the token is its own, or the call was sent before."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "PROOF_INVALID"


class MethodDeniedError(LogosError):
    """The token is not for this method."""

    kind = ErrorKind.PERMISSION_DENIED
    reason = "METHOD_DENIED"
