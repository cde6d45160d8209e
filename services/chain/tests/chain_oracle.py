"""Fork choice and finality by other means: every block carries its whole chain as a list.

Slow, and made from the text of LIP-92 and LIP-147 alone; the product is compared with it.
"""

from dataclasses import dataclass, field
from itertools import takewhile

GENESIS = "genesis"


@dataclass
class Oracle:
    k: int
    window: int
    online: bool = False
    chains: dict[str, list[tuple[str, int]]] = field(
        default_factory=lambda: {GENESIS: [(GENESIS, 0)]}
    )
    """Of each block, from the genesis to itself, with slots; in the order of arrival."""
    tip: str = GENESIS
    lib: str = GENESIS

    def add(self, block: str, parent: str, slot: int) -> bool:
        """Returns whether the block was taken."""
        if block in self.chains or parent not in self.alive():
            return False
        if slot <= self.chains[parent][-1][1]:
            return False
        self.chains[block] = [*self.chains[parent], (block, slot)]
        self.tip = block if parent == self.tip else self.best()
        self.commit()
        return True

    def go(self, *, online: bool) -> None:
        self.online = online
        self.commit()

    def alive(self) -> list[str]:
        """The blocks that descend from the latest immutable one, or are it."""
        lib = self.lib
        return [each for each, chain in self.chains.items() if lib in dict(chain)]

    def forks(self) -> list[str]:
        alive = self.alive()
        parents = {self.chains[each][-2][0] for each in alive if len(self.chains[each]) > 1}
        return [each for each in alive if each not in parents and each != self.tip]

    def best(self) -> str:
        best = self.tip
        for fork in self.forks():
            ours, theirs = self.chains[best], self.chains[fork]
            pairs = zip(ours, theirs, strict=False)
            shared = list(takewhile(lambda pair: pair[0] == pair[1], pairs))
            ours, theirs = ours[len(shared) :], theirs[len(shared) :]
            if len(ours) <= self.k:
                wins = len(theirs) > len(ours)
            elif self.online:
                wins = False
            else:
                last = shared[-1][0][1] + self.window
                wins = len([1 for _, slot in theirs if slot <= last]) > len(
                    [1 for _, slot in ours if slot <= last]
                )
            if wins:
                best = fork
        return best

    def commit(self) -> None:
        chain = [each for each, _ in self.chains[self.tip]]
        if self.online and len(chain) > self.k:
            deep = chain[-1 - self.k]
            if chain.index(deep) > chain.index(self.lib):
                self.lib = deep
