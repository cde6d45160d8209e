"""Members of a registry, and transactions that register and slash them."""

from dataclasses import dataclass
from functools import cache

from chain_ledger import ALICE, BOB, field_of, named

from logos_chain.core.registry.messages import Registration, Slash
from logos_chain.core.registry.registry import Registry
from logos_chain.core.registry.rules import RegistryRules
from logos_crypto import rln
from logos_crypto.rln import Identity
from logos_mantle.channels import ChannelDeposit
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer

LIMIT = 10
STAKE = 1_000
RULES = RegistryRules(named("genesis"), LIMIT, STAKE)
BEGIN = Transaction((RULES.beginning,))


@cache
def identity(number: int) -> Identity:
    return Identity.from_secret(field_of(number + 1))


def commitment(number: int) -> bytes:
    return identity(number).commitment


@dataclass(frozen=True)
class Registering:
    """A transaction that registers a member, with what may be wrong with it."""

    number: int
    value: int = STAKE
    limit: int = LIMIT
    owner: bytes = ALICE
    payer: str = ""

    @property
    def transaction(self) -> Transaction:
        message = Registration(commitment(self.number), self.limit)
        return deposit(message.encode(), Note(self.value, self.owner), f"{self}")


def slashing(number: int, owner: bytes = BOB, name: str = "") -> Transaction:
    message = Slash(identity(number).secret())
    return deposit(message.encode(), Note(1, owner), f"slash {number} {owner.hex()} {name}")


def deposit(
    metadata: bytes, note: Note, name: str, *, channel: bytes = RULES.channel
) -> Transaction:
    """A transfer of a note that has the name, and the deposit of what it makes."""
    transfer = Transfer((named(name),), (Note(5, ALICE), note))
    made = note_id(operation_id(transfer), 1, note)
    return Transaction((transfer, ChannelDeposit(channel, (made,), metadata)))


def registry_of(*blocks: tuple[Transaction, ...], rules: RegistryRules = RULES) -> Registry:
    """What some blocks after the genesis make."""
    made = Registry(rules)
    for height, each in enumerate(blocks, 1):
        made.apply(height, each)
    return made


def outcome(registry: Registry) -> list[tuple[bytes, bool]]:
    """Who is a member, and who was removed, by leaf."""
    return [(each.commitment, each.removal is not None) for each in registry.members]


def root_of(numbers: dict[int, int]) -> bytes:
    """The root of a tree with members at leaves, made anew."""
    from logos_crypto.trees import RlnTree  # noqa: PLC0415 - as every test that needs it

    tree = RlnTree()
    tree.set_many(
        [(leaf, rln.rate_commitment(commitment(each), LIMIT)) for leaf, each in numbers.items()]
    )
    return tree.root
