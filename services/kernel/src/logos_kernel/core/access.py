"""What operators have decided on access, and the tokens that follow from it (KER-15, KER-17).

`Access` is what the store keeps; `Authority` answers questions about it and makes tokens. No
input or output: the keys sign, and that is all.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from logos_base.capabilities import (
    TOKEN_ID_BYTES,
    Claims,
    ModuleSubject,
    OperatorSubject,
    Revocation,
    Role,
)
from logos_kernel.core.errors import (
    OperatorTokenExpiredError,
    OperatorTokenInvalidError,
    PolicyDeniedError,
)
from logos_kernel.core.policy import Grant, Policy

TOKEN_TTL_S: Final = 600
MAX_TOKEN_TTL_S: Final = 3600
MAX_OPERATOR_TTL_S: Final = 3650 * 86_400
"""Of an operator's token that does not hold until it is revoked."""
MAX_GRANTS: Final = 1024
MAX_OPERATORS: Final = 1024
LOCAL: Final = "local"
"""The operator whose token stands in a file of the machine: an admin."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A token that was given to a person or a program."""

    name: str
    role: Role
    digest: bytes
    """SHA-256 of the bearer text: what makes a token one is not stored."""
    issued_at_s: int = 0
    """Unix time."""
    expires_at_s: int = 0
    """Unix time; 0: never."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Tokens of a caller for a target that hold no longer, since an operator said so."""

    caller: str
    target: str
    issued_until_s: int
    """Unix time; a new token is issued later."""


@dataclass(frozen=True, slots=True)
class Access:
    """The decisions of operators. Immutable: a change makes another, whole."""

    grants: tuple[Grant, ...] = ()
    operators: tuple[Operator, ...] = ()
    withdrawals: tuple[Withdrawal, ...] = ()
    generation: int = 0
    """Counts the rotations of the signing key."""

    def granting(self, grant: Grant, now_s: int) -> "Access":
        """Returns it with a grant in place of the last of its kind."""
        others = self._without(grant.caller, grant.target, is_refusal=grant.is_refusal)
        granted = replace(self, grants=(*others, grant))
        is_replaced = len(others) < len(self.grants)
        if grant.is_refusal or is_replaced:
            return granted.withdrawing(grant.caller, grant.target, now_s)
        return granted  # more is allowed than before: no token holds too much

    def ungranting(self, caller: str, target: str, now_s: int, *, is_refusal: bool) -> "Access":
        """Returns it without a grant; itself if there is none."""
        others = self._without(caller, target, is_refusal=is_refusal)
        if len(others) == len(self.grants):
            return self
        left = replace(self, grants=others)
        return left if is_refusal else left.withdrawing(caller, target, now_s)

    def issuing(self, operator: Operator) -> "Access":
        """Returns it with another operator."""
        return replace(self, operators=(*self.operators, operator))

    def revoking(self, name: str) -> "Access":
        """Returns it without an operator; itself if there is none."""
        left = tuple(one for one in self.operators if one.name != name)
        return self if len(left) == len(self.operators) else replace(self, operators=left)

    def rotating(self) -> "Access":
        """Returns it with the next signing key."""
        return replace(self, generation=self.generation + 1)

    def _without(self, caller: str, target: str, *, is_refusal: bool) -> tuple[Grant, ...]:
        kind = caller, target, is_refusal
        return tuple(g for g in self.grants if (g.caller, g.target, g.is_refusal) != kind)

    def withdrawing(self, caller: str, target: str, now_s: int) -> "Access":
        """Returns it with the end of all tokens of a caller for a target that were made so far."""
        alive = [
            one
            for one in self.withdrawals
            if one.issued_until_s + MAX_TOKEN_TTL_S > now_s
            and (one.caller, one.target) != (caller, target)
        ]
        # Those made since the last withdrawal are dated after it, maybe after now.
        issued_until_s = max(now_s, self.issued_until_s(caller, target) + 1)
        withdrawal = Withdrawal(caller, target, issued_until_s)
        return replace(self, withdrawals=(*alive, withdrawal))

    def of_caller(self, caller: str) -> frozenset[Grant | Withdrawal]:
        """Returns all decisions on the calls of a module: if they change, so do its tokens."""
        grants = frozenset(one for one in self.grants if one.caller == caller)
        return grants | frozenset(one for one in self.withdrawals if one.caller == caller)

    def issued_until_s(self, caller: str, target: str) -> int:
        """Returns up to when tokens of a caller for a target were withdrawn; -1 for none."""
        pair = caller, target
        times = (w.issued_until_s for w in self.withdrawals if (w.caller, w.target) == pair)
        return max(times, default=-1)


class Keys(Protocol):
    """The keys of a kernel."""

    def sign(self, claims: Claims) -> bytes:
        """Makes a token, or raises `ValueError` if it would be too long."""
        ...


@dataclass(frozen=True, slots=True)
class Served:
    """What a module serves, so far as that is known."""

    services: tuple[str, ...]
    methods: Mapping[str, object]
    """By `/<service>/<method>`; empty if it has not described them."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token for a module."""

    token: bytes
    claims: Claims


class Authority:
    """Answers who may call what, and makes tokens for it."""

    def __init__(
        self,
        access: Access,
        keys: Keys,
        *,
        declared: Mapping[str, Iterable[str]],
        serves: Mapping[str, Iterable[str]],
        local: Operator,
        now_s: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        """Takes what manifests declare and serve, by module. `now_s` is Unix time."""
        self._declared = declared
        self._serves = serves
        self._local = local
        self._now_s = now_s
        self._random = random
        self._operators: dict[bytes, Operator]
        self._listeners: set[Callable[[], None]] = set()
        self.access: Access
        self.keys: Keys
        self.policy: Policy
        self.epochs: dict[str, int] = {}
        """Of the newest starts of modules."""
        self.moves = 0
        """Counts the times that a module took another address while it served."""
        self.take(access, keys)

    def take(self, access: Access, keys: Keys) -> None:
        """Goes by other decisions from now on."""
        self.access, self.keys = access, keys
        self.policy = Policy(self._declared, self._serves, access.grants)
        self._operators = {one.digest: one for one in (*access.operators, self._local)}
        self._tell()

    def declare(self, module: str, calls: tuple[str, ...], services: tuple[str, ...]) -> None:
        """Goes by another manifest of a module from now on."""
        held = self._declared.get(module), self._serves.get(module)
        if held != (calls, services):
            self._declared = {**self._declared, module: calls}
            self._serves = {**self._serves, module: services}
            self.take(self.access, self.keys)

    def note_move(self) -> None:
        """Tells all modules that one has another address (KER-48)."""
        self.moves += 1
        self._tell()

    def note_start(self, module: str, epoch: int) -> None:
        """Ends the tokens of earlier starts of a module."""
        if self.epochs.get(module, 0) < epoch:
            self.epochs[module] = epoch
            self._tell()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` at each change; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def operator_of(self, bearer: str) -> OperatorSubject:
        """Returns who bears a token.

        Raises:
            OperatorTokenInvalidError, OperatorTokenExpiredError: It is not accepted.
        """
        operator = self._operators.get(digest_of(bearer))
        if operator is None:
            raise OperatorTokenInvalidError(
                "this node does not know the operator's token: it was revoked, or is another"
                " testnet's"
            )
        if 0 < operator.expires_at_s <= self._now_s():
            raise OperatorTokenExpiredError(f"the token of operator {operator.name} has expired")
        return OperatorSubject(operator.name, operator.role)

    def revocations(self, target: str) -> dict[str, Revocation]:
        """Returns, by caller, what `target` must refuse though it has not expired."""
        withdrawn = {w.caller for w in self.access.withdrawals if w.target == target}
        found = {}
        for caller in self.epochs.keys() & (self.policy.callers(target) | withdrawn):
            issued_until_s = self.access.issued_until_s(caller, target)
            found[caller] = Revocation(caller, self.epochs[caller], max(issued_until_s, 0))
        return found

    def issue(
        self,
        subject: ModuleSubject,
        proof_key: bytes,
        target: str,
        served: Served,
        *,
        asked: Iterable[str] = (),
        ttl_s: int = TOKEN_TTL_S,
    ) -> Issued:
        """Makes a token for all that is asked and allowed.

        Args:
            subject: The instance that calls.
            proof_key: X25519 public key of that module, 32 bytes.
            target: The module that is called, or `KERNEL`.
            served: What that serves.
            asked: Patterns; none: all that is allowed.
            ttl_s: How long it holds.

        Raises:
            PolicyDeniedError: Nothing of it is allowed, or it is too much for one token.
        """
        asked = tuple(asked)
        methods = self.policy.patterns(subject.name, target, served.methods, asked)
        if not methods:
            method = asked[0] if asked else f"{next(iter(served.services), target)}/*"
            raise PolicyDeniedError(self.policy.decide(subject, target, method).rule)
        return self._sign(subject, proof_key, target, tuple(methods), ttl_s)

    def issue_own(self, subject: ModuleSubject, proof_key: bytes, target: str) -> Issued:
        """Makes the kernel's own token for a module: it passes on the calls of others."""
        return self._sign(subject, proof_key, target, ("*",), TOKEN_TTL_S)

    def _sign(
        self,
        subject: ModuleSubject,
        proof_key: bytes,
        target: str,
        methods: tuple[str, ...],
        ttl_s: int,
    ) -> Issued:
        now_s = self._now_s()
        claims = Claims(
            token_id=self._random(TOKEN_ID_BYTES),
            subject=subject,
            audience=target,
            methods=methods,
            issued_at_s=max(now_s, self.access.issued_until_s(subject.name, target) + 1),
            expires_at_s=now_s + ttl_s,
            proof_key=proof_key,
        )
        try:
            return Issued(self.keys.sign(claims), claims)
        except ValueError as error:
            raise PolicyDeniedError(
                f"{subject.name} may call {len(methods)} methods of {target}, too many for one"
                " token: ask for fewer with RequestToken, or allow whole services"
            ) from error


def digest_of(bearer: str) -> bytes:
    """Returns what is kept of a bearer text: 32 bytes."""
    return hashlib.sha256(bearer.encode()).digest()
