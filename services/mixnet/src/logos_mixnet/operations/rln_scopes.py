"""Budgets and logs of the applications of other modules, each under an identifier of its own.

An identifier stands in each proof's external nullifier: a member has its limit of messages in
each of them, and none costs another anything (RLN-33).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import IdentifierReservedError, TooManyIdentifiersError
from logos_mixnet.core.rln.guard import Convict
from logos_mixnet.core.rln.members import MembersChanged
from logos_mixnet.core.rln.ports import MessageIdStore
from logos_mixnet.operations.rln_checks import ProofChecks
from logos_mixnet.operations.rln_proofs import Proofs
from logos_mixnet.operations.rln_standing import Standing
from logos_mixnet.operations.rln_threads import RlnThreads

MAX_SCOPES: Final = 16
IDENTIFIER_BYTES: Final = 32

StoreOf = Callable[[bytes], MessageIdStore]
"""Returns the store of an identifier."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One application."""

    proofs: Proofs
    checks: ProofChecks


class Scopes:
    """The applications that were asked for since the start."""

    def __init__(
        self,
        epochs: Epochs,
        limit: int,
        *,
        standing: Standing,
        threads: RlnThreads,
        store_of: StoreOf,
        now_ms: Callable[[], int],
        convict: Callable[[Convict], None],
    ) -> None:
        self._epochs = epochs
        self._limit = limit
        self._standing = standing
        self._threads = threads
        self._store_of = store_of
        self._now_ms = now_ms
        self._convict = convict
        self._open: dict[bytes, Scope] = {}
        self._opening = asyncio.Lock()
        self._members: MembersChanged | None = None
        self.new_in: int | None = None
        """The epoch of the start, if the node's database was new then, and its secret may not have
        been (RLN-26)."""
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Runs every scope, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    async def get(self, identifier: bytes) -> Scope:
        """Returns the scope of an identifier.

        Raises:
            IdentifierReservedError: It has not 32 bytes, or it is the mix's.
            TooManyIdentifiersError: There are as many as may be.
        """
        check_identifier(identifier)
        async with self._opening:
            if identifier not in self._open:
                if len(self._open) >= MAX_SCOPES:
                    raise TooManyIdentifiersError(f"at most {MAX_SCOPES} identifiers are served")
                self._open[identifier] = await self._make(identifier)
        return self._open[identifier]

    def members_changed(self, change: MembersChanged) -> None:
        """Takes the accepted roots."""
        self._members = change
        for scope in self._open.values():
            scope.checks.members_changed(change)
            scope.proofs.look()

    def look(self) -> None:
        """Takes note that time has passed."""
        for scope in self._open.values():
            scope.checks.look()
            scope.proofs.look()

    async def _make(self, identifier: bytes) -> Scope:
        assert self._tasks is not None  # noqa: S101 -- `run` was called
        application = Application(identifier)
        proofs = Proofs(
            application,
            self._epochs,
            standing=self._standing,
            threads=self._threads,
            now_ms=self._now_ms,
        )
        store = self._store_of(identifier)
        await proofs.load(store, self._limit, new_in=self.new_in)
        checks = ProofChecks(
            application,
            self._epochs,
            threads=self._threads,
            now_ms=self._now_ms,
            convict=self._convict,
            report=lambda _report: None,  # its relays are the caller's
        )
        if self._members is not None:
            checks.members_changed(self._members)
        for each in (proofs, checks):
            self._tasks.create_task(each.run())
        return Scope(proofs, checks)


def check_identifier(identifier: bytes) -> None:
    """Raises `IdentifierReservedError` unless it has 32 bytes and is not the mix's."""
    if len(identifier) != IDENTIFIER_BYTES or identifier == Application().identifier:
        raise IdentifierReservedError(
            "an rln identifier has 32 bytes, and the mix's own is not for callers",
            field="rln_identifier",
        )
