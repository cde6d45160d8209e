"""Wallets that a genesis gives notes to: their phrases, keys and files.

Spec: docs/protocol/chain-genesis.md, GEN-3, GEN-7, GEN-12.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from logos_chain.core.chain_spec.errors import GenesisWalletError
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    PhraseChecksumError,
    PhraseLengthError,
    PhraseWordError,
)
from logos_chain.core.wallet.phrase import entropy_of, phrase_of, seed_of
from logos_chain.core.wallet.ring import GAP_LIMIT
from logos_mantle.derivations import public_key
from logos_mantle.genesis import Genesis
from logos_mantle.notes import note_id
from logos_mantle.operations import operation_id

Draw = Callable[[str], bytes]
"""Returns 32 bytes for a name: random ones, or what a seed gives it."""

SECRET_BYTES: Final = 32
MAX_SEED: Final = (1 << 64) - 1
MAX_WALLET_BYTES: Final = 512
"""Of a wallet's file; 24 words have 215 at most."""
MARK: Final = "INSECURE: this phrase follows from the seed of a testnet\n"
"""The first line of a file whose phrase does."""

_LABEL: Final = b"logos-testnet-chain\0"


def seeded(seed: int) -> Draw:
    """Returns what derives all secrets of a genesis from a number, 64 bits (GEN-7).

    Everyone with the number can do so too.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"a seed is 0 to {MAX_SEED}")
    prefix = _LABEL + seed.to_bytes(8, "big")

    def draw(name: str) -> bytes:
        return hashlib.blake2b(prefix + name.encode(), digest_size=SECRET_BYTES).digest()

    return draw


@dataclass(frozen=True, slots=True)
class FirstWallet:
    """A wallet with notes of the genesis. Its representation shows no secret."""

    phrase: str = field(repr=False)
    """24 words."""
    is_insecure: bool

    @classmethod
    def of(cls, entropy: bytes, *, is_insecure: bool) -> Self:
        """Makes one of 32 bytes."""
        return cls(phrase_of(entropy), is_insecure)

    def keys(self) -> Iterator[bytes]:
        """Returns its public keys that receive, in order, 32 bytes each; without end (WAL-6)."""
        account, number = self._account(), 0
        while True:
            yield public_key(account.secret_key(Role.RECEIVE, number))
            number += 1

    def notes(self, genesis: Genesis) -> tuple[LeaderNote, ...]:
        """Returns its notes of a genesis, in the order of their keys, with their secrets.

        It looks as far as a wallet that is restored from its phrase (WAL-8).
        """
        identifier, account = operation_id(genesis.transfer), self._account()
        outputs = {each.public_key: at for at, each in enumerate(genesis.transfer.outputs)}
        found, number, end = list[LeaderNote](), 0, GAP_LIMIT
        while number < end:
            secret = account.secret_key(Role.RECEIVE, number)
            at = outputs.get(public_key(secret))
            number += 1
            if at is not None:
                note, end = genesis.transfer.outputs[at], number + GAP_LIMIT
                found.append(LeaderNote(note_id(identifier, at, note), secret, note.value))
        return tuple(found)

    def encode(self) -> bytes:
        """Returns its file: the phrase in a line, after `MARK` if it follows from a seed."""
        return f"{MARK if self.is_insecure else ''}{self.phrase}\n".encode("ascii")

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Reads a file.

        Raises:
            GenesisWalletError: It is not exactly what `encode` returns. The text and its causes
                hold no word of it.
        """
        # Not strict: an error of the codec would carry all bytes.
        text = raw[: MAX_WALLET_BYTES + 1].decode("ascii", "replace")
        phrase = text.removeprefix(MARK).rstrip("\n")
        try:
            entropy = entropy_of(phrase)
        except (PhraseLengthError, PhraseWordError, PhraseChecksumError) as error:
            raise GenesisWalletError(f"not the phrase of a wallet: {error}") from None
        found = cls(phrase_of(entropy), text.startswith(MARK))
        if len(entropy) != SECRET_BYTES or found.encode() != raw:
            raise GenesisWalletError("24 words in one line, with a space between, and no more")
        return found

    def _account(self) -> Account:
        return Account(seed_of(self.phrase))
