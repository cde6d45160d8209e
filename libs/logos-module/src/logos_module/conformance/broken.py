"""What a check says of a module that breaks the contract."""

from typing import NoReturn

from logos_base.errors import ErrorKind, LogosError


class ContractBrokenError(LogosError):
    """A module does something else than the contract says."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "CONTRACT_BROKEN"


def broken(what: str) -> NoReturn:
    """Ends a check: the module breaks the contract."""
    raise ContractBrokenError(what)


def expect(what: str, found: object, wanted: object) -> None:
    """Ends a check unless two values are equal."""
    if found != wanted:
        broken(f"{what} is {found!r}, and must be {wanted!r}")
