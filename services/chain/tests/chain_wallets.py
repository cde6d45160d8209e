"""`WalletStore` in memory, which holds its caller to the port's conditions; and one that fails."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from logos_base.errors import StoreFailedError
from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry


@dataclass
class Rows:
    """Of one wallet."""

    states: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    """By height: block and state."""
    entries: dict[tuple[int, int], KeptEntry] = field(default_factory=dict)
    drafts: dict[bytes, KeptDraft] = field(default_factory=dict)
    next_voucher: int = 0
    used: dict[Role, int] = field(default_factory=dict)


@dataclass
class MemoryWallets:
    """Fails at writes of these numbers, before it has done anything or after it has done all."""

    rows: dict[str, Rows] = field(default_factory=dict)
    keys: dict[str, set[bytes]] = field(default_factory=dict)
    """That are watched, by wallet."""
    fails: frozenset[int] = frozenset()
    is_done: bool = False
    is_dead: bool = False
    """Every write after the first that failed fails too, as if the process had ended there."""
    has_failed: bool = False
    writes: int = 0

    def of(self, wallet: str) -> Rows:
        return self.rows.setdefault(wallet, Rows())

    async def load(self, wallet: str, block: bytes) -> bytes | None:
        states = dict(self.of(wallet).states.values())
        return states.get(block)

    async def keep(
        self, wallet: str, block: bytes, height: int, state: bytes, entries: Sequence[KeptEntry]
    ) -> None:
        def do() -> None:
            rows = self.of(wallet)
            older = max([each for each in rows.states if each < height], default=-1)
            rows.states = {key: each for key, each in rows.states.items() if key == older}
            rows.states[height] = (block, state)
            rows.entries = {key: each for key, each in rows.entries.items() if key[0] <= older}
            for each in entries:
                assert each.height <= height
                rows.entries[each.height, each.place] = each

        self._write(do)

    async def entries(
        self, wallet: str, before: tuple[int, int] | None, limit: int
    ) -> Sequence[KeptEntry]:
        found = sorted(self.of(wallet).entries.items(), reverse=True)
        return [each for key, each in found if before is None or key < before][:limit]

    async def put_draft(self, wallet: str, draft: KeptDraft) -> None:
        self._write(lambda: self.of(wallet).drafts.__setitem__(draft.hash, draft))

    async def drop_drafts(self, wallet: str, hashes: Sequence[bytes]) -> None:
        def do() -> None:
            for each in hashes:
                self.of(wallet).drafts.pop(each, None)

        self._write(do)

    async def drafts(self, wallet: str) -> Sequence[KeptDraft]:
        return list(self.of(wallet).drafts.values())

    async def next_voucher(self, wallet: str) -> int:
        return self.of(wallet).next_voucher

    async def issue_until(self, wallet: str, number: int) -> None:
        def do() -> None:
            rows = self.of(wallet)
            rows.next_voucher = max(rows.next_voucher, number)

        self._write(do)

    async def used_before(self, wallet: str) -> Mapping[Role, int]:
        return self.of(wallet).used

    async def watch(self, wallet: str, key: bytes) -> None:
        self._write(lambda: self.keys.setdefault(wallet, set()).add(key))

    async def watched(self, wallet: str) -> Sequence[bytes]:
        return sorted(self.keys.get(wallet, ()))

    async def forget(self, wallet: str) -> None:
        self._write(lambda: self.rows.pop(wallet, None))

    def _write(self, do: Callable[[], object]) -> None:
        self.writes += 1
        is_bad = self.writes in self.fails
        if self.is_dead and self.has_failed:
            raise StoreFailedError("it failed")
        if not is_bad or self.is_done:
            do()
        if is_bad:
            self.has_failed = True
            raise StoreFailedError("it failed")
