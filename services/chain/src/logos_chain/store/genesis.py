"""The genesis of a chain on disk: the public folder, and each node's private one.

Spec: docs/protocol/chain-genesis.md, GEN-1, GEN-10 to GEN-13. Its job imports this: it imports
little.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from logos_chain.core.chain_spec.errors import (
    ChainSpecInvalidError,
    ChainSpecMissingError,
    GenesisWalletError,
    VerifyingKeyMismatchError,
)
from logos_chain.core.chain_spec.spec import CIRCUITS, MAX_SPEC_BYTES, ChainSpec
from logos_chain.core.chain_spec.wallets import MAX_WALLET_BYTES, FirstWallet
from logos_client.private_files import write_private
from logos_crypto.circuit_refusals import KeyFileError
from logos_crypto.circuits import CircuitVerifier
from logos_crypto.keys import CircuitKeys
from logos_crypto.refusals import RefusedError

SPEC: Final = "chain.json"
"""In the public folder."""
KEYS: Final = "keys"
"""A folder in the public folder: a file with each circuit's key, and one for verifying alone."""
WALLET: Final = "wallet.phrase"
"""In a private folder."""
FAUCET: Final = "faucet.phrase"
"""In the private folder of the first node."""

_PUBLIC: Final = 0o644


@dataclass(frozen=True, slots=True)
class Given:
    """What a genesis gives to one node; its representation shows no secret."""

    spec: ChainSpec
    verifiers: dict[str, CircuitVerifier] = field(repr=False)
    """By circuit, those of `CIRCUITS`."""
    wallet: FirstWallet | None
    """None: the node came later, or has no stake, and makes a wallet of its own (GEN-13)."""
    faucet: FirstWallet | None
    """None: the faucet is another node's, or there is none."""


def read_given(public: Path, private: Path | None) -> Given:
    """Reads and checks all that a node begins with. Some 40 ms; blocks.

    Args:
        public: The folder for all nodes.
        private: The node's own; None, missing or empty if it has none.

    Raises:
        ChainSpecMissingError, ChainSpecInvalidError: As `read_spec`.
        VerifyingKeyMismatchError, InsecureKeyError, KeyFileError: As `load_verifiers`.
        GenesisWalletError: A private file is damaged, or belongs to another chain.
    """
    spec = read_spec(public)
    verifiers = load_verifiers(spec, public)
    return Given(spec, verifiers, _wallet(spec, private, WALLET), _wallet(spec, private, FAUCET))


def read_spec(public: Path) -> ChainSpec:
    """Reads the specification (GEN-10).

    Raises:
        ChainSpecMissingError: There is none.
        ChainSpecInvalidError: It was changed.
    """
    path = public / SPEC
    try:
        with path.open("rb") as file:
            return ChainSpec.decode(file.read(MAX_SPEC_BYTES + 1))
    except FileNotFoundError:
        raise ChainSpecMissingError(
            f"{path} is missing: start the testnet by `./logos up`, which makes it, or copy the"
            " folder from another node of the chain"
        ) from None
    except ChainSpecInvalidError as error:
        raise ChainSpecInvalidError(
            f"{path}: {error}; copy the folder from another node of the chain", field=error.field
        ) from None


def load_verifiers(spec: ChainSpec, public: Path) -> dict[str, CircuitVerifier]:
    """Loads the verifying keys that a specification names (GEN-11).

    Raises:
        VerifyingKeyMismatchError: One is missing, damaged, or another.
        InsecureKeyError: One is INSECURE, and the chain is not.
        KeyFileError: A file cannot be read.
    """
    folder = public / KEYS
    advice = "copy the folder from another node of the chain"
    if not folder.is_dir():
        raise VerifyingKeyMismatchError(f"{folder} is missing; {advice}")
    store, found = CircuitKeys(folder), dict[str, CircuitVerifier]()
    for circuit in CIRCUITS:
        try:
            found[circuit] = spec.keys.load_verifier(store, circuit)
        except KeyFileError:
            raise
        except RefusedError as error:
            raise VerifyingKeyMismatchError(
                f"{folder} has no key of {circuit} with the hash"
                f" {spec.keys.hash_of(circuit).hex()}: {error}; {advice}"
            ) from None
    return found


def write_spec(public: Path, spec: ChainSpec) -> None:
    """Writes the specification, durably and for all to read: whole, or not at all."""
    write_private(public / SPEC, spec.encode())
    (public / SPEC).chmod(_PUBLIC)


def write_wallet(private: Path, name: str, wallet: FirstWallet) -> None:
    """Writes a wallet, durably and for the node alone (GEN-12)."""
    write_private(private / name, wallet.encode())


def _wallet(spec: ChainSpec, private: Path | None, name: str) -> FirstWallet | None:
    if private is None:
        return None
    path = private / name
    try:
        with path.open("rb") as file:
            wallet = FirstWallet.decode(file.read(MAX_WALLET_BYTES + 1))
    except FileNotFoundError:
        return None
    except GenesisWalletError as error:
        raise GenesisWalletError(f"{path}: {error}; restore it from a backup") from None
    if wallet.is_insecure != spec.is_insecure or not wallet.notes(spec.genesis):
        raise GenesisWalletError(f"{path} has no note of {spec.chain_id}: it is another chain's")
    return wallet
