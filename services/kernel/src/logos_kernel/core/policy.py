"""Who may call what: one decision, with the rule that made it (KER-17).

Denied unless a rule allows. What an operator refused comes before what was granted, and that
before what manifests declare.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from logos_base.capabilities import KERNEL, OperatorSubject, Role, Subject, allows

FOR_MODULES: Final = (
    "logos.kernel.v1.Registry/*",
    "logos.kernel.v1.Capability/RequestToken",
    "logos.kernel.v1.Kernel/GetInfo",
    "logos.kernel.v1.Events/*",
    "logos.kernel.v1.Router/*",
)
"""What every module may call of its kernel."""

_TOLD: Final = ", ".join(FOR_MODULES)

FOR_ADMINS: Final = ("logos.kernel.v1.Capability/*",)
"""What no other role may call, but for `EXPLAIN`."""

ROUTER: Final = ("logos.kernel.v1.Router/*",)
"""What everybody may call: a call needs the permission of the method that it names (KER-29)."""

EXPLAIN: Final = "logos.kernel.v1.Capability/Explain"


@dataclass(frozen=True, slots=True)
class Grant:
    """An operator's decision on the calls of one module to another."""

    caller: str
    target: str
    methods: tuple[str, ...]
    """Patterns."""
    is_refusal: bool = False
    by: str = ""
    """The operator."""

    def __str__(self) -> str:
        return f"{', '.join(self.methods)} of {self.target}, for {self.caller}"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call is allowed, and why."""

    is_allowed: bool
    rule: str
    """A sentence for operators."""


class Policy:
    """The rules of one node. Immutable: a change makes another, whole."""

    def __init__(
        self,
        declared: Mapping[str, Iterable[str]],
        serves: Mapping[str, Iterable[str]],
        grants: Iterable[Grant] = (),
    ) -> None:
        """Takes what manifests declare (`calls`) and serve, by module, and what operators say."""
        self._declared = {name: tuple(patterns) for name, patterns in declared.items()}
        self._serves = {name: frozenset(services) for name, services in serves.items()}
        self._grants = tuple(grants)
        self._callers: dict[str, frozenset[str]] = {}
        """By target, as far as it was asked for."""

    def decide(
        self, subject: Subject, target: str, method: str, *, is_read_only: bool = False
    ) -> Decision:
        """Decides on a call.

        Args:
            subject: Who calls.
            target: The module that is called, or `KERNEL`.
            method: `package.Service/Method`.
            is_read_only: The contract says that it changes nothing.
        """
        if isinstance(subject, OperatorSubject):
            return _of_operator(subject, method, is_read_only=is_read_only)
        return self._of_module(subject.name, target, method)

    def callers(self, target: str) -> frozenset[str]:
        """Returns the modules that may call anything of another, or of `KERNEL`."""
        if target not in self._callers:
            names = self._serves.keys() | {grant.caller for grant in self._grants}
            found = frozenset(name for name in names if self._allowed(name, target))
            self._callers[target] = found
        return self._callers[target]

    def patterns(
        self, caller: str, target: str, methods: Iterable[str], asked: Iterable[str] = ()
    ) -> list[str]:
        """Returns the patterns that a token of a module may hold.

        A pattern of which a part is refused is replaced by the methods that are left.

        Args:
            caller: The module that calls.
            target: The module that is called, or `KERNEL`.
            methods: What that is known to serve, `/<service>/<method>`.
            asked: What it asks for, of which others are left out; none: all that is allowed.
        """
        found: dict[str, None] = {}
        for pattern in tuple(asked) or self._allowed(caller, target):
            if self._of_module(caller, target, pattern).is_allowed:
                found[pattern] = None
                continue
            for method in (one[1:] for one in methods if allows([pattern], one[1:])):
                if self._of_module(caller, target, method).is_allowed:
                    found[method] = None
        return list(found)

    def _allowed(self, caller: str, target: str) -> list[str]:
        """Returns what is granted and declared, before refusals."""
        granted = [
            pattern
            for grant in self._grants
            if (grant.caller, grant.target) == (caller, target) and not grant.is_refusal
            for pattern in grant.methods
        ]
        if target == KERNEL:
            return [*granted, *FOR_MODULES]
        serves = self._serves.get(target, frozenset()) | {invocation_of(target)}
        declared = self._declared.get(caller, ())
        return [*granted, *(one for one in declared if one.rpartition("/")[0] in serves)]

    def _of_module(self, caller: str, target: str, method: str) -> Decision:
        said = [one for one in self._grants if (one.caller, one.target) == (caller, target)]
        for grant in said:
            if grant.is_refusal and _touches(grant.methods, method):
                return _deny(f"{grant.by} refused it: {grant}")
        for grant in said:
            if not grant.is_refusal and allows(grant.methods, method):
                return _allow(f"{grant.by} granted it: {grant}")
        if target == KERNEL:
            rule = f"of its kernel a module may call {_TOLD}"
            return _allow(rule) if allows(FOR_MODULES, method) else _deny(rule)
        if allows(self._allowed(caller, target), method):
            return _allow(f"{caller} declares it: calls in its module.toml")
        return _deny(f"{caller} does not declare it (calls in its module.toml), and has no grant")


def invocation_of(module: str) -> str:
    """Returns the name by which permissions for methods of a module's Invocation go (KER-29)."""
    return f"{module.replace('-', '_')}.Invocation"


def _touches(refused: tuple[str, ...], asked: str) -> bool:
    """Returns whether a method or pattern overlaps with what is refused."""
    return allows(refused, asked) or any(allows([asked], one) for one in refused)


def _of_operator(subject: OperatorSubject, method: str, *, is_read_only: bool) -> Decision:
    role = subject.role
    if role is Role.ADMIN:
        return _allow("an admin may call everything")
    if allows(FOR_ADMINS, method) and method != EXPLAIN:
        return _deny(f"{subject.name} is {role}: this needs the role {Role.ADMIN}")
    if allows(ROUTER, method):
        return _allow("what it calls has a rule of its own")
    if is_read_only:
        return _allow("it changes nothing")
    if role is Role.OPERATOR:
        return _allow("an operator may call this")
    return _deny(f"{subject.name} is {role}: this needs the role {Role.OPERATOR}")


def _allow(rule: str) -> Decision:
    return Decision(is_allowed=True, rule=rule)


def _deny(rule: str) -> Decision:
    return Decision(is_allowed=False, rule=rule)
