"""Access: tokens for modules, and what operators decide (KER-15, KER-17).

Each raises `UnknownModuleError` where the profile does not have a module that is named, and
`DiskFullError` or `StoreFailedError` where a decision cannot be saved: nothing has changed then.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from logos_base.audit import AuditRecord
from logos_base.capabilities import KERNEL, PATTERN, ModuleSubject, OperatorSubject, Role, Subject
from logos_base.manifest import NAME
from logos_client.token_file import new_bearer
from logos_kernel.core.access import (
    LOCAL,
    MAX_GRANTS,
    MAX_OPERATOR_TTL_S,
    MAX_OPERATORS,
    MAX_TOKEN_TTL_S,
    TOKEN_TTL_S,
    Access,
    Issued,
    Operator,
    Served,
    digest_of,
)
from logos_kernel.core.audit import actor_of
from logos_kernel.core.errors import (
    InvalidAccessError,
    OperatorExistsError,
    PolicyDeniedError,
    TooManyDecisionsError,
    UnknownGrantError,
    UnknownOperatorError,
)
from logos_kernel.core.policy import Decision, Grant
from logos_kernel.core.views import View
from logos_kernel.operations.gate import KERNEL_SERVED
from logos_kernel.operations.kernel import Kernel

MAX_PATTERNS: Final = 16
AUDIT_PAGE: Final = 256
MAX_SEQUENCE: Final = 2**62
"""More than any log has, and less than the store holds."""


def issue(
    kernel: Kernel,
    subject: ModuleSubject,
    target: str,
    *,
    asked: Sequence[str] = (),
    ttl_s: int = TOKEN_TTL_S,
) -> Issued:
    """Makes a token for a module.

    Args:
        kernel: The kernel.
        subject: The instance that calls.
        target: What it will call, a module or `KERNEL`.
        asked: Patterns of methods; none: all that the rules allow.
        ttl_s: How long it holds, at most an hour.

    Raises:
        InvalidAccessError: The patterns or the time cannot be.
        PolicyDeniedError: The rules allow nothing of it; it is in the audit log.
    """
    _check_patterns(asked)
    if not 1 <= ttl_s <= MAX_TOKEN_TTL_S:
        raise InvalidAccessError(f"ttl: must be from 1 to {MAX_TOKEN_TTL_S} s", field="ttl")
    gate = kernel.gate
    served = KERNEL_SERVED if target == KERNEL else _served(kernel.views.one(target))
    try:
        key = gate.public_key(subject.name)
        return gate.authority.issue(subject, key, target, served, asked=asked, ttl_s=ttl_s)
    except PolicyDeniedError as error:
        kernel.audit.refuse(actor_of(subject), "token.request", target, error)
        raise


def explain(kernel: Kernel, caller: str | Role, target: str, method: str) -> Decision:
    """Returns whether a module, or an operator with a role, may call a method, and why."""
    _find(kernel, target, may_be_kernel=True)
    is_read_only = kernel.changes_nothing(method)
    subject: Subject
    if isinstance(caller, Role):
        subject = OperatorSubject(f"an operator who is {caller}", caller)
    else:
        _find(kernel, caller)
        subject = ModuleSubject(caller, b"", 0)
    return kernel.gate.authority.policy.decide(subject, target, method, is_read_only=is_read_only)


async def set_grant(kernel: Kernel, by: Subject, grant: Grant) -> None:
    """Allows or refuses a module calls of another, in place of the last grant of its kind.

    Raises:
        InvalidAccessError: It names nothing, or would take a module's kernel away.
        TooManyDecisionsError: A node keeps 1,024.
    """
    _find(kernel, grant.caller)
    _find(kernel, grant.target, may_be_kernel=True)
    if not grant.methods:
        raise InvalidAccessError("methods: must name one at least", field="methods")
    _check_patterns(grant.methods)
    if grant.is_refusal and grant.target == KERNEL:
        raise InvalidAccessError(
            "target: a module cannot run without its kernel; stop it instead", field="target"
        )
    grant = replace(grant, by=by.name)

    def decide(access: Access) -> Access:
        changed = access.granting(grant, kernel.gate.now_s())
        if len(changed.grants) > MAX_GRANTS:
            raise TooManyDecisionsError(f"a node keeps {MAX_GRANTS} grants: delete one first")
        return changed

    action = "grant.refuse" if grant.is_refusal else "grant.allow"
    record = kernel.audit.record(actor_of(by), action, grant.caller, detail=str(grant))
    await kernel.decisions.change(decide, record)


async def delete_grant(
    kernel: Kernel, by: Subject, caller: str, target: str, *, is_refusal: bool
) -> None:
    """Takes a grant or a refusal back, or raises `UnknownGrantError`."""

    def decide(access: Access) -> Access:
        now_s = kernel.gate.now_s()
        changed = access.ungranting(caller, target, now_s, is_refusal=is_refusal)
        if changed is access:
            kind = "refusal" if is_refusal else "grant"
            raise UnknownGrantError(f"there is no {kind} for {caller[:64]} of {target[:64]}")
        return changed

    action = "refusal.delete" if is_refusal else "grant.delete"
    record = kernel.audit.record(actor_of(by), action, caller, detail=f"of {target}")
    await kernel.decisions.change(decide, record)


async def issue_operator(
    kernel: Kernel, by: Subject, name: str, role: Role, ttl_s: int | None
) -> str:
    """Makes a token for an operator; returns what goes after `Bearer`. It is not stored.

    Args:
        kernel: The kernel.
        by: Who asks.
        name: For the audit log and to revoke it.
        role: What it may do.
        ttl_s: How long it holds; None: until it is revoked.

    Raises:
        InvalidAccessError: The name cannot be one, or the time is not from 1 s to ten years.
        OperatorExistsError: A token of that name holds.
        TooManyDecisionsError: A node keeps 1,024.
    """
    if not NAME.fullmatch(name):
        raise InvalidAccessError(f"name: must match {NAME.pattern}", field="name")
    if ttl_s is not None and not 1 <= ttl_s <= MAX_OPERATOR_TTL_S:
        raise InvalidAccessError(f"ttl: must be from 1 to {MAX_OPERATOR_TTL_S} s", field="ttl")
    bearer, now_s = new_bearer(), kernel.gate.now_s()
    expires_at_s = now_s + ttl_s if ttl_s else 0
    operator = Operator(name, role, digest_of(bearer), now_s, expires_at_s)

    def decide(access: Access) -> Access:
        held = [one for one in access.operators if not 0 < one.expires_at_s <= now_s]
        if name == LOCAL or any(one.name == name for one in held):
            raise OperatorExistsError(f"operator {name} has a token: revoke it first")
        if len(held) >= MAX_OPERATORS:
            raise TooManyDecisionsError(f"a node knows {MAX_OPERATORS} operators: revoke one first")
        return replace(access, operators=tuple(held)).issuing(operator)

    detail = f"role {role}, " + (f"for {ttl_s} s" if ttl_s else "until it is revoked")
    record = kernel.audit.record(actor_of(by), "token.issue", name, detail=detail)
    await kernel.decisions.change(decide, record)
    return bearer


async def revoke_operator(kernel: Kernel, by: Subject, name: str) -> None:
    """Revokes a token of an operator at once, or raises `UnknownOperatorError`."""

    def decide(access: Access) -> Access:
        changed = access.revoking(name)
        if changed is access:
            what = (
                "the token of this machine is replaced by removing its file and starting the"
                " kernel again"
                if name == LOCAL
                else f"no operator {name[:64]!r} has a token"
            )
            raise UnknownOperatorError(what)
        return changed

    record = kernel.audit.record(actor_of(by), "token.revoke", name)
    await kernel.decisions.change(decide, record)


async def rotate_key(kernel: Kernel, by: Subject) -> bytes:
    """Signs new tokens with a new key from now on; returns its public key, 32 bytes."""
    record = kernel.audit.record(actor_of(by), "key.rotate", KERNEL)
    await kernel.decisions.change(Access.rotating, record)
    return kernel.gate.keyring.signing_keys()[1]


async def read_audit(kernel: Kernel, start: int) -> AsyncIterator[AuditRecord]:
    """Streams the audit log from a sequence to its present end."""
    start = min(max(start, 1), MAX_SEQUENCE)
    while records := await kernel.decisions.read_audit(start, AUDIT_PAGE):
        for record in records:
            yield record
        start = records[-1].sequence + 1


def _find(kernel: Kernel, module: str, *, may_be_kernel: bool = False) -> None:
    if not (may_be_kernel and module == KERNEL):
        kernel.views.one(module)


def _served(view: View) -> Served:
    methods = {} if view.described is None else view.described.methods
    return Served(view.services, methods)


def _check_patterns(patterns: Sequence[str]) -> None:
    if len(patterns) > MAX_PATTERNS:
        raise InvalidAccessError(f"methods: must be at most {MAX_PATTERNS}", field="methods")
    for pattern in patterns:
        if not PATTERN.fullmatch(pattern):
            raise InvalidAccessError(
                f"methods: must be package.Service/Method, package.Service/* or *,"
                f" is {pattern[:200]!r}",
                field="methods",
            )
