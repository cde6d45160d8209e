"""What a capability token says, and what a pattern of methods allows (KER-15, KER-16)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TOKEN_ID_BYTES: Final = 16
PROOF_KEY_BYTES: Final = 32
MAX_TOKEN_BYTES: Final = 512
KERNEL: Final = "kernel"
"""The audience of tokens for the kernel's own services; no module has this name."""

PATTERN: Final = re.compile(
    r"\*|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+/(?:\*|[A-Za-z_][A-Za-z0-9_]*)"
)
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
    """A person or a program that has a token of a node's operator."""

    name: str
    role: Role


Subject = ModuleSubject | OperatorSubject


@dataclass(frozen=True, slots=True)
class Claims:
    """What the kernel of a node says by a token."""

    token_id: bytes
    """16 random bytes."""
    subject: Subject
    """Who may use it."""
    audience: str
    """The module that is called, or `KERNEL`."""
    methods: tuple[str, ...]
    """Patterns of `package.Service/Method`."""
    issued_at_s: int
    """Unix time."""
    expires_at_s: int
    """Unix time; 0: never."""
    proof_key: bytes = b""
    """X25519 public key of the subject, 32 bytes; empty for a bearer token."""

    def is_over(self, now_s: int) -> bool:
        """Says whether it has expired."""
        return 0 < self.expires_at_s <= now_s


def allows(patterns: Iterable[str], method: str) -> bool:
    """Says whether any pattern matches a method, `package.Service/Method`."""
    service = method.rpartition("/")[0]
    return any(pattern in {"*", method, f"{service}/*"} for pattern in patterns)
