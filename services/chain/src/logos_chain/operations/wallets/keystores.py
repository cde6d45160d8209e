"""The phrase of a node's wallet on disk: sealed, written once, and read at every start.

All functions block: half a second for each use of a passphrase. No error has a secret in it.

Spec: docs/protocol/chain-wallet.md, WAL-19, WAL-20, WAL-27.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Final

from logos_base.errors import DiskFullError, StoreFailedError
from logos_chain.core.chain_spec.wallets import SECRET_BYTES, FirstWallet
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.errors import KeystoreDamagedError
from logos_chain.core.wallet.keystore import (
    MAX_KEYSTORE_BYTES,
    SALT_BYTES,
    USUAL,
    Cost,
    seal,
    unseal,
)
from logos_chain.core.wallet.phrase import entropy_of, phrase_of, seed_of
from logos_client.private_files import create_private, write_private

KEYSTORE: Final = "wallet.keystore"
"""In the module's folder. Older ones lie beside it, with a digest after the name."""


class WalletKeystore:
    """The keystore of one wallet. For one process at a time."""

    def __init__(
        self, folder: Path, *, cost: Cost = USUAL, draw: Callable[[int], bytes] = os.urandom
    ) -> None:
        """
        Args:
            folder: Of the module's state; it exists.
            cost: Of a guess at the passphrase of what is written.
            draw: Returns so many random bytes.
        """
        self.path = folder / KEYSTORE
        self._cost = cost
        self._draw = draw

    def open(self, passphrase: str, given: FirstWallet | None) -> Account:
        """Returns the account of the keystore, which is made if there is none (WAL-27).

        Args:
            passphrase: Not empty.
            given: What a genesis gives to the node. Only looked at if there is no keystore.

        Raises:
            KeystoreDamagedError, KeystoreVersionError, PassphraseEmptyError,
                PassphraseWrongError: As `unseal`.
            DiskFullError, StoreFailedError: It cannot be read or written.
        """
        if not self.path.exists():
            phrase = phrase_of(self._draw(SECRET_BYTES)) if given is None else given.phrase
            with _storing(self.path):
                create_private(self.path, self._sealed(phrase, passphrase))
        return account_of(self.phrase(passphrase))

    def phrase(self, passphrase: str) -> str:
        """Returns the phrase, for a backup. Secret. Errors as `open`."""
        with _storing(self.path), self.path.open("rb") as file:
            raw = file.read(MAX_KEYSTORE_BYTES + 1)
        phrase = unseal(raw, passphrase).decode("ascii", "replace")
        try:
            entropy_of(phrase)
        except Exception:  # noqa: BLE001 -- a cause could say where it is wrong
            raise KeystoreDamagedError("the keystore holds no phrase") from None
        return phrase

    def replace(self, phrase: str, passphrase: str) -> Account:
        """Writes a keystore of another phrase; the one before is kept beside it.

        Args:
            phrase: Of 12 to 24 words.
            passphrase: Which opens the present one.

        Raises:
            PhraseLengthError, PhraseWordError, PhraseChecksumError: It is no phrase.
            And as `open`; the present keystore is unchanged.
        """
        phrase = phrase_of(entropy_of(phrase))
        self.phrase(passphrase)
        sealed = self._sealed(phrase, passphrase)
        with _storing(self.path):
            before = self.path.read_bytes()
            mark = blake2b(before, digest_size=8).hexdigest()
            write_private(self.path.with_name(f"{KEYSTORE}.{mark}"), before)
            write_private(self.path, sealed)
        return account_of(phrase)

    def _sealed(self, phrase: str, passphrase: str) -> bytes:
        salt = self._draw(SALT_BYTES)
        return seal(phrase.encode("ascii"), passphrase, salt=salt, cost=self._cost)


def open_account(
    folder: Path, passphrase: str, given: FirstWallet | None, *, cost: Cost = USUAL
) -> Account:
    """Returns the account of a node's wallet, as `WalletKeystore.open`."""
    return WalletKeystore(folder, cost=cost).open(passphrase, given)


def account_of(phrase: str) -> Account:
    """Returns the account of a phrase; raises what `entropy_of` raises."""
    return Account(seed_of(phrase))


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno == errno.ENOSPC else StoreFailedError
        raise kind(f"{path} cannot be used: {error.strerror}") from None
