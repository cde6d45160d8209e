"""The chain specification of one chain.

Kept is only what nothing else says; what follows from it is computed, and a document that says
otherwise is refused.

Spec: docs/protocol/chain-genesis.md, GEN-8 to GEN-10.
"""

from dataclasses import dataclass
from typing import Final, Self

from logos_chain.core.chain_spec.documents import Table, canonical, first_difference, parse
from logos_chain.core.chain_spec.errors import ChainSpecInvalidError
from logos_chain.core.chain_spec.parameters import (
    MAX_NAME,
    consensus_document,
    consensus_of,
    ledger_document,
    ledger_of,
)
from logos_chain.core.consensus.epochs import BlockState, genesis_state
from logos_chain.core.consensus.lottery import lottery_constants
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.ledger.errors import GenesisInvalidError
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_crypto.keys import KeySet, KeySetError
from logos_mantle.blocks import Block
from logos_mantle.derivations import blake2b
from logos_mantle.errors import MalformedError
from logos_mantle.genesis import Genesis, read_genesis

CIRCUITS: Final = ("claim", "leadership", "quota", "signature2", "signature32")
"""Of which a chain needs keys."""
INSECURE_ENDING: Final = "-insecure"
"""Of the name of every chain that was made from a seed, and of no other (GEN-7)."""
MAX_SPEC_BYTES: Final = 2 * 1024 * 1024
"""A genesis with 255 notes and 253 declarations of the largest size takes 1.6 MB."""

_VERSION: Final = 1
_TAG: Final = b"CHAIN_SPEC_V1"
_KEYS: Final = "verifying_keys"
_MARK: Final = "insecure"
_BLOCK: Final = "genesis.block"
_GENESIS: Final = ("block", "epoch_nonce", "id", "ledger_root", "time_s", "total_stake")
_NAMES: Final = (
    "version",
    "chain_id",
    "preset",
    _MARK,
    "consensus",
    "ledger",
    "lottery",
    _KEYS,
    "genesis",
)


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """What nodes of one chain agree on. Valid: others raise `ChainSpecInvalidError`."""

    consensus: Parameters
    """Spelled out; their name is that of the preset that they once were."""
    ledger: LedgerParameters
    keys: KeySet
    """Hashes of the verifying keys, of `CIRCUITS`; INSECURE if the chain is."""
    genesis: Genesis

    def __post_init__(self) -> None:
        if self.keys.hashes.keys() != set(CIRCUITS):
            raise ChainSpecInvalidError(f"must be those of {', '.join(CIRCUITS)}", field=_KEYS)
        if self.chain_id.endswith(INSECURE_ENDING) != self.is_insecure:
            raise ChainSpecInvalidError(
                f"the name of an INSECURE chain ends with {INSECURE_ENDING}, and no other",
                field="chain_id",
            )
        try:
            self.first_ledger()
        except GenesisInvalidError as error:
            raise ChainSpecInvalidError(str(error), field=_BLOCK) from None

    @property
    def chain_id(self) -> str:
        """At most 255 bytes of UTF-8."""
        return self.genesis.parameters.chain_id

    @property
    def genesis_id(self) -> bytes:
        """The id of the genesis block, 32 bytes."""
        return self.genesis.block.id

    @property
    def genesis_ms(self) -> int:
        """When slot 0 begins: Unix time."""
        return self.genesis.parameters.genesis_time_s * 1000

    @property
    def is_insecure(self) -> bool:
        """Whether all secrets of its genesis follow from a seed, keys of circuits included."""
        return self.keys.is_insecure

    @property
    def hash(self) -> bytes:
        """32 bytes: equal for two nodes only if all of their specification is (GEN-14)."""
        return blake2b(_TAG, self.encode())

    def first_ledger(self) -> Ledger:
        """Returns a new ledger as it is after the genesis (LED-37)."""
        return Ledger.from_genesis(self.ledger, self.genesis)

    def first_state(self) -> BlockState:
        """Returns what the genesis gives to the blocks after it (CON-5)."""
        head = self.first_ledger().head
        nonce = self.genesis.parameters.epoch_nonce_value
        return genesis_state(head.root, nonce, head.genesis)

    def encode(self) -> bytes:
        """Returns the specification as JSON, of at most 2 MiB (GEN-9)."""
        return canonical(self.document())

    def document(self) -> dict[str, object]:
        """Returns the specification as a table, with all that follows from its parts (GEN-8)."""
        constants = lottery_constants(self.consensus.activation)
        head, parameters = self.first_ledger().head, self.genesis.parameters
        return {
            "version": _VERSION,
            "chain_id": parameters.chain_id,
            "preset": self.consensus.name,
            "consensus": consensus_document(self.consensus),
            "ledger": ledger_document(self.ledger),
            "lottery": {
                "linear": hex(constants.linear),
                "quadratic": hex(constants.quadratic),
            },
            "genesis": {
                "block": self.genesis.block.encode().hex(),
                "id": self.genesis_id.hex(),
                "time_s": parameters.genesis_time_s,
                "epoch_nonce": parameters.epoch_nonce.hex(),
                "ledger_root": head.root.hex(),
                "total_stake": head.genesis,
            },
            **self.keys.document(),
        }

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Reads one, and computes anew what follows from its parts. Untrusted.

        Args:
            raw: What `encode` returned; at most 2 MiB.

        Raises:
            ChainSpecInvalidError: It is anything else; `field` and text name the place (GEN-10).
        """
        try:
            return cls._decoded(raw)
        except ChainSpecInvalidError as error:
            if error.field is None:
                raise
            text = f"{error.field}: {error}"
            raise ChainSpecInvalidError(text, field=error.field) from None

    @classmethod
    def _decoded(cls, raw: bytes) -> Self:
        document = parse(raw, limit=MAX_SPEC_BYTES)
        if isinstance(document, dict) and document.get("version", _VERSION) != _VERSION:
            raise ChainSpecInvalidError(f"this release reads {_VERSION}", field="version")
        table = Table(document, "", _NAMES)
        spec = cls(
            consensus_of(table, "consensus", table.word("preset", MAX_NAME)),
            ledger_of(table, "ledger"),
            _keys_of(table),
            _genesis_of(table.table("genesis", _GENESIS)),
        )
        table.table("lottery", ("linear", "quadratic"))
        different = first_difference(document, spec.document())
        if different is not None:
            raise ChainSpecInvalidError("is not what follows from the rest", field=different)
        if raw != spec.encode():
            raise ChainSpecInvalidError("not in the only form in which it is written")
        return spec


def _keys_of(table: Table) -> KeySet:
    table.table(_KEYS, CIRCUITS)
    try:
        return KeySet.parse({_MARK: table.flag(_MARK), _KEYS: table.raw(_KEYS)})
    except KeySetError as error:
        raise ChainSpecInvalidError(str(error), field=error.field) from None


def _genesis_of(table: Table) -> Genesis:
    try:
        return read_genesis(Block.decode(table.octets("block")))
    except MalformedError as error:
        raise ChainSpecInvalidError(str(error), field=_BLOCK) from None
