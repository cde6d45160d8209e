"""Who calls at the front door: an operator, by the bearer token of the call (KER-17)."""

from collections.abc import Callable
from typing import Final

from logos_base.capabilities import KERNEL, OperatorSubject
from logos_base.errors import LogosError
from logos_kernel.core.access import Authority
from logos_kernel.core.audit import actor_of
from logos_kernel.core.errors import OperatorTokenMissingError, RoleDeniedError
from logos_module.access import Caller

FREE: Final = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Methods that need no token: health and reflection, without private data."""

_FIELD: Final = "authorization"
_SCHEME: Final = "bearer "


class Operators:
    """Lets those pass whose role is enough.

    Args:
        authority: Knows the operators and their roles.
        changes_nothing: Whether `package.Service/Method` has no side effects.
        refused: Notes a refusal: who called which method, and why not.
    """

    def __init__(
        self,
        authority: Authority,
        changes_nothing: Callable[[str], bool],
        refused: Callable[[str, str, LogosError], None],
    ) -> None:
        self._authority = authority
        self._refused = refused
        self._changes_nothing = changes_nothing

    def authorize(self, caller: Caller, method: str) -> OperatorSubject | None:
        """Returns the operator who calls, or refuses the call and audits that."""
        if method.startswith(FREE):
            return None
        operator = None
        try:
            operator = self._operator(caller, method)
            self._check(operator, method[1:])
        except LogosError as error:
            self._refused(actor_of(operator), method[1:], error)
            raise
        return operator

    def _operator(self, caller: Caller, method: str) -> OperatorSubject:
        for field, value in caller.metadata:
            if field == _FIELD and isinstance(value, str) and value[:7].lower() == _SCHEME:
                return self._authority.operator_of(value[7:].strip())
        raise OperatorTokenMissingError(
            f"{method[1:200]} needs a token of an operator, as authorization: Bearer TOKEN;"
            " logosctl finds it, and logos-token in the kernel's container prints one"
        )

    def _check(self, operator: OperatorSubject, method: str) -> None:
        decision = self._authority.policy.decide(
            operator, KERNEL, method, is_read_only=self._changes_nothing(method)
        )
        if not decision.is_allowed:
            raise RoleDeniedError(decision.rule)
