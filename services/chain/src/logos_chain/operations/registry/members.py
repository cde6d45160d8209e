"""Registers members, takes reports of those that used a message id twice, and tells of all.

What this node adds goes by deposits of its wallet, which keeps them over restarts and makes each
once. So nothing is queued here: what a wallet has taken comes to the chain, or is asked for anew.

Spec: docs/protocol/rln-registry.md, RLC-9 to RLC-11.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from logos_chain.core.registry.errors import (
    CommitmentInvalidError,
    EvidenceError,
    LimitMismatchError,
    MembersFullError,
    MemberSlashedError,
    RegistrationPendingError,
    RegistryTakenError,
)
from logos_chain.core.registry.messages import Registration, Slash, is_value
from logos_chain.core.registry.registry import Member, Registry, Root
from logos_chain.core.wallet.types import Deposit
from logos_chain.operations.registry.reading import RegistryReader
from logos_chain.operations.waiting import news_or_end
from logos_crypto.rln import Identity
from logos_mantle.channels import ChannelConfig
from logos_mantle.derivations import blake2b

WAIT_S: Final = 8.0
"""A mixnet waits for 10 seconds."""
SLASH_VALUE: Final = 1
"""What a slash deposits: a note has a value (LED-9)."""

_REQUEST_TAG: Final = b"rln registry"


class Depositor(Protocol):
    """A wallet: `WalletOperations.deposit`."""

    def __call__(
        self, deposit: Deposit, begin: Sequence[ChannelConfig] = (), *, request: bytes = b""
    ) -> Awaitable[bytes]:
        """Deposits a value once for each request; returns the transaction's hash."""
        ...


@dataclass(frozen=True, slots=True)
class MembersSeen:
    """Members that are new or have changed since the one before, and the state that this is of."""

    members: tuple[Member, ...]
    """By leaf."""
    height: int
    """Of the newest block that was read."""
    root: bytes
    """32 bytes."""


class RegistryOperations:
    """The registry that a node serves."""

    def __init__(
        self,
        reader: RegistryReader,
        deposit: Depositor,
        is_there: Callable[[bytes], Awaitable[bool]],
        stopping: asyncio.Event,
        *,
        wait_s: float = WAIT_S,
    ) -> None:
        """
        Args:
            reader: Of the final chain.
            deposit: Of the node's wallet.
            is_there: Whether a channel exists at the tip.
            stopping: Set when the module is to stop.
            wait_s: How long a registration waits.
        """
        self._reader = reader
        self._deposit = deposit
        self._is_there = is_there
        self._stopping = stopping
        self._wait_s = wait_s

    async def register(self, commitment: bytes, limit: int) -> Member:
        """Registers a member, and returns it once it is final (RLC-9). Idempotent.

        Raises:
            CommitmentInvalidError, LimitMismatchError, MemberSlashedError, MembersFullError
            RegistrationPendingError: It goes on.
            RegistryBehindError, RegistryTakenError
            LogosError: What the wallet raises, e.g. that it has too little.
        """
        rules = self._reader.rules
        if not is_value(commitment):
            raise CommitmentInvalidError(
                "no field value of 32 bytes above zero", field="commitment"
            )
        if limit != rules.limit:
            raise LimitMismatchError(f"the limit of this registry is {rules.limit}", field="limit")
        registry = self._reader.registry
        if registry.find(commitment) is None:
            if len(registry.members) >= rules.max_members:
                raise MembersFullError(f"there are {rules.max_members} members")
            await self._say(Registration(commitment, limit), rules.stake)
        try:
            async with asyncio.timeout(self._wait_s):
                member = await self._registered(commitment)
        except TimeoutError:
            raise RegistrationPendingError("it is on its way to a final block") from None
        if member.removal is not None:
            raise MemberSlashedError("the member was removed")
        return member

    async def report(self, identity: Identity) -> None:
        """Has a member removed whose secret is known; it is durable then (RLC-10). Idempotent.

        Raises:
            EvidenceError: It is no member.
            RegistryBehindError, RegistryTakenError
            LogosError: What the wallet raises.
        """
        member = self._reader.registry.find(identity.commitment)
        if member is None:
            raise EvidenceError("it is against no member of this registry")
        if member.removal is None:
            await self._say(Slash(identity.secret()), SLASH_VALUE)

    async def watch(self) -> AsyncGenerator[MembersSeen]:
        """Yields all members, then those that change, until the module stops.

        Raises:
            ModuleDrainingError: The module stops.
        """
        while not self._reader.is_read:
            await news_or_end(self._reader.changed(), self._stopping)
        registry = self._reader.registry
        told = len(registry.log)
        yield _seen(registry, registry.members)
        while True:
            if told == len(registry.log):
                await news_or_end(self._reader.changed(), self._stopping)
                continue
            leaves, told = sorted(set(registry.log[told:])), len(registry.log)
            yield _seen(registry, [registry.members[each] for each in leaves])

    def roots(self) -> list[Root]:
        """Returns the newest roots, oldest first; raises `RegistryBehindError` (RLC-11)."""
        return list(self._reader.registry.roots)

    async def _registered(self, commitment: bytes) -> Member:
        while (member := self._reader.registry.find(commitment)) is None:
            self._require_begun()
            await news_or_end(self._reader.changed(), self._stopping)
        return member

    async def _say(self, message: Registration | Slash, value: int) -> None:
        self._require_begun()
        rules, metadata = self._reader.rules, message.encode()
        is_there = await self._is_there(rules.channel)
        await self._deposit(
            Deposit(rules.channel, value, metadata),
            () if is_there else (rules.beginning,),
            request=blake2b(_REQUEST_TAG, rules.channel, metadata),
        )

    def _require_begun(self) -> None:
        if self._reader.registry.is_begun is False:
            raise RegistryTakenError(
                "the registry's channel began otherwise: choose another stake or keeper"
            )


def _seen(registry: Registry, members: Sequence[Member]) -> MembersSeen:
    return MembersSeen(tuple(members), registry.height, registry.root)
