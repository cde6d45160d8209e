"""What a node keeps beside its chain, in memory: it outlives the operations of a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from logos_base.errors import StoreFailedError
from logos_chain.core.mempool.types import Saved
from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry
from logos_chain.core.zone_errors import SequencersFullError
from logos_chain.core.zone_ports import MAX_KEPT, ChannelBlock, IndexPage
from logos_zone_sdk.core.places import Checkpoint


@dataclass
class KeptMarks:
    """`NodeMarks`."""

    numbers: dict[str, int] = field(default_factory=dict)
    fails: bool = False

    async def number(self, name: str) -> int | None:
        return self.numbers.get(name)

    async def put(self, name: str, number: int) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        self.numbers[name] = number


@dataclass
class KeptTransactions:
    """`SavedTransactions`."""

    saved: tuple[Saved, ...] = ()
    saves: int = 0
    fails: bool = False

    async def load(self) -> Sequence[Saved]:
        return self.saved

    async def save(self, waiting: Sequence[Saved]) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        self.saves += 1
        self.saved = tuple({each.raw: each for each in reversed(waiting)}.values())[::-1]


@dataclass
class KeptRegistries:
    """`RegistryStore`."""

    states: dict[bytes, bytes] = field(default_factory=dict)
    fails: bool = False

    async def load(self, channel: bytes) -> bytes | None:
        if self.fails:
            raise StoreFailedError("it failed")
        return self.states.get(channel)

    async def keep(self, channel: bytes, state: bytes) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        self.states[channel] = state


@dataclass
class _Wallet:
    states: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    entries: dict[tuple[int, int], KeptEntry] = field(default_factory=dict)
    drafts: dict[bytes, KeptDraft] = field(default_factory=dict)
    issued: int = 0
    used: dict[Role, int] = field(default_factory=dict)


@dataclass
class KeptWallets:
    """`WalletStore`."""

    wallets: dict[str, _Wallet] = field(default_factory=dict)
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    """That are watched, by wallet."""

    async def load(self, wallet: str, block: bytes) -> bytes | None:
        found = self._of(wallet).states.get(block)
        return None if found is None else found[1]

    async def keep(
        self, wallet: str, block: bytes, height: int, state: bytes, entries: Sequence[KeptEntry]
    ) -> None:
        kept = self._of(wallet)
        older = {each: one for each, one in kept.states.items() if one[0] < height}
        below = max((one[0] for one in older.values()), default=-1)
        kept.states = {each: one for each, one in older.items() if one[0] == below}
        kept.states[block] = (height, state)
        kept.entries = {at: each for at, each in kept.entries.items() if at[0] <= below}
        kept.entries.update({(each.height, each.place): each for each in entries})

    async def entries(
        self, wallet: str, before: tuple[int, int] | None, limit: int
    ) -> Sequence[KeptEntry]:
        found = sorted(self._of(wallet).entries.items(), reverse=True)
        return [each for at, each in found if before is None or at < before][:limit]

    async def put_draft(self, wallet: str, draft: KeptDraft) -> None:
        self._of(wallet).drafts[draft.hash] = draft

    async def drop_drafts(self, wallet: str, hashes: Sequence[bytes]) -> None:
        for each in hashes:
            self._of(wallet).drafts.pop(each, None)

    async def drafts(self, wallet: str) -> Sequence[KeptDraft]:
        return list(self._of(wallet).drafts.values())

    async def next_voucher(self, wallet: str) -> int:
        return self._of(wallet).issued

    async def issue_until(self, wallet: str, number: int) -> None:
        self._of(wallet).issued = max(number, self._of(wallet).issued)

    async def used_before(self, wallet: str) -> Mapping[Role, int]:
        return self._of(wallet).used

    async def watch(self, wallet: str, key: bytes) -> None:
        self.keys.setdefault(wallet, set()).add(key)

    async def watched(self, wallet: str) -> Sequence[bytes]:
        return sorted(self.keys.get(wallet, ()))

    async def forget(self, wallet: str) -> None:
        self.wallets.pop(wallet, None)

    def _of(self, wallet: str) -> _Wallet:
        return self.wallets.setdefault(wallet, _Wallet())


@dataclass
class KeptChannels:
    """`ChannelIndex`."""

    found: set[ChannelBlock] = field(default_factory=set)
    height: int = -1
    fails: bool = False

    async def end(self) -> int:
        return self.height

    async def add(self, found: Sequence[ChannelBlock], end: int) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        if end <= self.height or any(not self.height < each.height <= end for each in found):
            raise ValueError("blocks that the index has, or does not come to")
        self.found |= set(found)
        self.height = end

    async def page(self, channel: bytes, first: int, limit: int) -> IndexPage:
        heights = sorted(
            each.height for each in self.found if each.channel == channel and each.height >= first
        )[:limit]
        return IndexPage(tuple(heights), heights[-1] if len(heights) == limit else self.height)


@dataclass
class KeptSequencers:
    """`SequencerStore`."""

    checkpoints: dict[tuple[bytes, bytes], Checkpoint] = field(default_factory=dict)
    fails: bool = False

    async def load(self, channel: bytes, key: bytes) -> Checkpoint | None:
        return self.checkpoints.get((channel, key))

    async def publish(self, checkpoint: Checkpoint) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        name = (checkpoint.channel, checkpoint.key)
        if name not in self.checkpoints and len(self.checkpoints) >= MAX_KEPT:
            idle = [each for each, one in self.checkpoints.items() if not one.pending]
            if not idle:
                raise SequencersFullError("all have something to write")
            del self.checkpoints[idle[0]]
        self.checkpoints[name] = checkpoint

    async def settle(self, checkpoint: Checkpoint) -> None:
        if (checkpoint.channel, checkpoint.key) in self.checkpoints:
            self.checkpoints[checkpoint.channel, checkpoint.key] = checkpoint

    async def forget(self, channel: bytes, key: bytes) -> None:
        if self.fails:
            raise StoreFailedError("it failed")
        self.checkpoints.pop((channel, key), None)
