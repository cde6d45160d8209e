"""What a capability token says, and what a pattern of methods allows (KER-15, KER-16)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_base.manifest import CALL

TOKEN_ID_BYTES: Final = 16
PROOF_KEY_BYTES: Final = 32
MAX_TOKEN_BYTES: Final = 512
KERNEL: Final = "kernel"
"""The audience of tokens for the kernel's own services; no module has this name."""

PATTERN: Final = re.compile(rf"\*|{CALL.pattern}")
"""`*`, `package.Service/*` or `package.Service/Method`."""


class Role(StrEnum):
    """What an operator may do. Each may do all that those before it may."""

    VIEWER = "viewer"
    """Methods that change nothing."""
    OPERATOR = "operator"
    """All methods of modules, and starting and stopping these."""
    ADMIN = "admin"
    """Also tokens, grants and the audit log."""


@dataclass(frozen=True, slots=True)
class ModuleSubject:
    """One instance of a module."""

    name: str
    instance_id: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class OperatorSubject:
    """A person or a program that bears an operator's token."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class NodeSubject:
    """The kernel of a node, where it calls the broker of its testnet."""

    name: str
    """Of the node."""


Subject = ModuleSubject | OperatorSubject | NodeSubject


@dataclass(frozen=True, slots=True)
class Revocation:
    """Tokens of a module that hold no longer, though they have not expired."""

    module: str
    before_epoch: int = 0
    """Those of its starts before this one."""
    issued_until_s: int = 0
    """Those issued up to this time, Unix time."""

    def covers(self, claims: "Claims") -> bool:
        """Returns whether it covers a token of the module."""
        is_old = claims.issued_at_s <= self.issued_until_s
        return is_old or claims.subject.epoch < self.before_epoch

    def joined(self, other: "Revocation") -> "Revocation":
        """Returns the revocation of all that either covers, of the same module."""
        return Revocation(
            self.module,
            max(self.before_epoch, other.before_epoch),
            max(self.issued_until_s, other.issued_until_s),
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """What the kernel of a node says by a token."""

    token_id: bytes
    """16 random bytes."""
    subject: ModuleSubject
    """Who may use it."""
    audience: str
    """The module that is called, or `KERNEL`."""
    methods: tuple[str, ...]
    """Patterns of `package.Service/Method`."""
    issued_at_s: int
    """Unix time."""
    expires_at_s: int
    """Unix time."""
    proof_key: bytes
    """X25519 public key of the subject, 32 bytes."""


def allows(patterns: Iterable[str], method: str) -> bool:
    """Returns whether any pattern matches a method, `package.Service/Method`."""
    service = method.rpartition("/")[0]
    return any(pattern in {"*", method, f"{service}/*"} for pattern in patterns)
