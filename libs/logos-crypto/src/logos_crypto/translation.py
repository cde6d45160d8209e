"""Translates all errors of the native core to those of `logos_crypto.refusals`."""

from types import TracebackType
from typing import Final

from logos_base.errors import LocalFaultError, LogosError, RemoteFaultError
from logos_crypto.refusals import IndexOutOfRangeError, RefusedError
from logos_native import ZkError


class Translator:
    """Translates `ZkError` to the class of its reason. Stateless, so it can be shared."""

    def __init__(
        self, fault: type[LogosError], beyond: type[RefusedError] = IndexOutOfRangeError
    ) -> None:
        """Makes one.

        Args:
            fault: `LocalFaultError` or `RemoteFaultError`, for rules that do not define it.
            beyond: Class for numbers that do not fit into the native core's integers.
        """
        self._fault = fault
        self._beyond = beyond

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, ZkError):
            refused = RefusedError.of_reason.get(error.reason, RefusedError)
            translated = _with_fault(refused, self._fault)(str(error))
            translated.relation = error.relation
            raise translated from None
        if isinstance(error, OverflowError):
            raise _with_fault(self._beyond, self._fault)(
                "the number is negative or too large"
            ) from None


_MADE: Final[dict[tuple[type[RefusedError], type[LogosError]], type[RefusedError]]] = {}


def _with_fault(refused: type[RefusedError], fault: type[LogosError]) -> type[RefusedError]:
    """Returns the class of a rule, with a class of fault unless it has one."""
    if issubclass(refused, LocalFaultError | RemoteFaultError):
        return refused
    if (refused, fault) not in _MADE:
        place = {"__module__": refused.__module__}
        _MADE[refused, fault] = type(refused.__name__, (refused, fault), place)
    return _MADE[refused, fault]


def own_fault(refused: type[RefusedError]) -> type[RefusedError]:
    """Returns the class of a rule that this node has broken itself."""
    return _with_fault(refused, LocalFaultError)


refusals: Final = Translator(LocalFaultError)
"""For computations with this node's own values."""

peer_refusals: Final = Translator(RemoteFaultError)
"""For received bytes, and for proofs that are verified."""
