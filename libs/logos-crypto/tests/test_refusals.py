"""Every public function, asked with bad input of each kind, refuses as the house does.

A valid call is given. Each of its arguments in turn is replaced by whatever its kind
can be that it should not. What comes out is a result or an error of a rule of ours, which
says whose fault it is.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from oracle import predicates as of
from oracle.witnesses import SATISFIED
from test_circuits import native

from logos_base.errors import LocalFaultError, LogosError, RemoteFaultError
from logos_crypto import (
    base58,
    ceremony,
    circuit_refusals,
    circuits,
    hashes,
    jobs,
    keys,
    rln,
    rln_refusals,
    trees,
    varint,
)
from logos_crypto.ceremony import Ceremony
from logos_crypto.circuits import Cancellation, CircuitKey, Witness
from logos_crypto.keys import CircuitKeys, KeySet, KeySetError
from logos_crypto.refusals import Base58Error, RefusedError, VarintError
from logos_crypto.rln import Expected, Identity, Membership, Proof, RateLimitProof, Share

pytestmark = pytest.mark.proofs

NATIVE_SOURCES = Path(__file__).parents[3] / "native" / "crates"
MODULES = [base58, ceremony, circuits, hashes, jobs, keys, rln, trees, varint]

ONE = b"\x01" + bytes(31)
TWO = b"\x02" + bytes(31)
SIGNATURE = "signature2"

BYTES = [b"", b"\x00", bytes(31), bytes(32), bytes(33), b"\xff" * 32, bytes(128), b"\xff" * 128]
BYTES += [bytes(288), b"\xff" * 289, bytes(301), bytes(509), b"\xff" * 1000]
INTEGERS = [-1, 0, 1 << 16, 1 << 20, 1 << 31, 1 << 32, 1 << 33, 1 << 63, 1 << 64, 1 << 70]
TEXTS = ["", "nothing", "0OIl", "a\n", "\x00", "x" * 100]
BAD: Mapping[type, Sequence[Any]] = {
    bytes: BYTES,
    int: INTEGERS,
    str: TEXTS,
    bool: [],
}

UNDECIDED = (Base58Error, VarintError, KeySetError)
"""What cannot know whether it reads a peer's bytes or this node's."""


def bad_for(value: Any) -> Iterator[Any]:
    """All that can be wrong with an argument of this kind."""
    yield from BAD.get(type(value), ())
    if isinstance(value, Path):
        yield from (value / "nowhere" / "x", value.parent, Path("/dev/null/x"))
    elif isinstance(value, list):
        yield from ([], value * 40)
        yield from ([bad, *value[1:]] for bad in bad_for(value[0]))
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from ((*value[:number], bad, *value[number + 1 :]) for bad in bad_for(one))
    elif isinstance(value, Mapping):
        yield from ({}, {**value, "more": 1})
        yield from bad_entries(value)
    elif isinstance(value, Expected | Share):
        parts = {name: getattr(value, name) for name in value.__slots__}
        yield from (type(value)(**changed) for changed in bad_entries(parts))


def bad_entries(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The same values with one of them wrong."""
    for name, value in values.items():
        yield from ({**values, name: bad} for bad in bad_for(value))


@dataclass(frozen=True)
class Call:
    """A call that works."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None

    def changed(self) -> Iterator[Callable[[], Any]]:
        """The call with one argument wrong, in every way."""
        named = dict(self.named or {})
        for number, value in enumerate(self.arguments):
            for bad in bad_for(value):
                arguments = (*self.arguments[:number], bad, *self.arguments[number + 1 :])
                yield partial(self.function, *arguments, **named)
        for changed in bad_entries(named):
            yield partial(self.function, *self.arguments, **changed)


def calls_of_encodings() -> dict[str, Call]:
    return {
        "base58.decode": Call(base58.decode, ("2g",)),
        "varint.encode": Call(varint.encode, (300,)),
        "varint.decode": Call(varint.decode, (b"\xac\x02",)),
        "hashes.poseidon_hash": Call(hashes.poseidon_hash, ([ONE, TWO],)),
        "hashes.poseidon2_hash": Call(hashes.poseidon2_hash, ([ONE, TWO],)),
        "hashes.poseidon2_compress": Call(hashes.poseidon2_compress, (ONE, TWO)),
    }


def calls_of_trees() -> dict[str, Call]:
    ledger, frontier = trees.LedgerTree(), trees.FrontierTree()
    numbered, ordered = trees.RlnTree(), trees.SortedTree([ONE, TWO])
    ledger.insert(ONE)
    frontier.append(ONE)
    numbered.set(5, ONE)
    path = ledger.path(ONE)
    return {
        "trees.merkle_path": Call(trees.merkle_path, (0, path.siblings)),
        "trees.LedgerTree": Call(trees.LedgerTree, (), {"history": 3}),
        "trees.LedgerTree.verify": Call(ledger.verify, (ONE, path, ledger.root)),
        "trees.LedgerTree.restore": Call(ledger.restore, (ledger.snapshot(),)),
        "trees.LedgerTree.contains_root": Call(ledger.contains_root, (ledger.root,)),
        "trees.LedgerTree.slot_of": Call(ledger.slot_of, (ONE,)),
        "trees.LedgerTree.insert": Call(ledger.insert, (ONE,)),
        "trees.LedgerTree.remove": Call(ledger.remove, (ONE,)),
        "trees.LedgerTree.update": Call(ledger.update, (), {"removed": [ONE], "inserted": [ONE]}),
        "trees.LedgerTree.path": Call(ledger.path, (ONE,)),
        "trees.LedgerTree.paths": Call(ledger.paths, ([ONE],)),
        "trees.FrontierTree.restore": Call(frontier.restore, (frontier.snapshot(),)),
        "trees.FrontierTree.append": Call(frontier.append, (ONE,)),
        "trees.FrontierTree.append_many": Call(frontier.append_many, ([ONE],)),
        "trees.SortedTree": Call(trees.SortedTree, ([ONE, TWO],)),
        "trees.SortedTree.verify": Call(ordered.verify, (ONE, ordered.path(ONE), ordered.root)),
        "trees.SortedTree.path": Call(ordered.path, (ONE,)),
        "trees.SortedTree.paths": Call(ordered.paths, ([ONE],)),
        "trees.RlnTree": Call(trees.RlnTree, (), {"history": 3}),
        "trees.RlnTree.verify": Call(numbered.verify, (ONE, numbered.path(5), numbered.root)),
        "trees.RlnTree.restore": Call(numbered.restore, (numbered.snapshot(),)),
        "trees.RlnTree.contains_root": Call(numbered.contains_root, (numbered.root,)),
        "trees.RlnTree.leaf": Call(numbered.leaf, (5,)),
        "trees.RlnTree.set": Call(numbered.set, (5, ONE)),
        "trees.RlnTree.set_many": Call(numbered.set_many, ([(5, ONE)],)),
        "trees.RlnTree.set_range": Call(numbered.set_range, (5, [ONE])),
        "trees.RlnTree.remove": Call(numbered.remove, (6,)),
        "trees.RlnTree.remove_many": Call(numbered.remove_many, ([6],)),
        "trees.RlnTree.path": Call(numbered.path, (5,)),
        "trees.RlnTree.paths": Call(numbered.paths, ([5],)),
    }


def calls_of_rln() -> dict[str, Call]:
    identity, tree = Identity.from_seed(b"sixteen bytes at least"), trees.RlnTree()
    tree.set(5, identity.rate_commitment(3))
    siblings = tree.path(5).siblings
    of_member = {"limit": 3, "siblings": siblings, "index": 5, "root": tree.root}
    member = Membership.of(identity, **of_member)
    cached, many = member.cached(), member.cached(multi=True)
    preparer = member.preparer()
    proof, other = cached.prove(ONE, TWO, 0), cached.prove(ONE, ONE, 0)
    multi = many.prove(ONE, TWO, 0, 1)
    message = RateLimitProof.of(proof, rln.epoch_bytes(7))
    expected = Expected([tree.root], ONE, TWO)
    return {
        "rln.rate_commitment": Call(rln.rate_commitment, (identity.commitment, 3)),
        "rln.epoch_bytes": Call(rln.epoch_bytes, (7,)),
        "rln.epoch_number": Call(rln.epoch_number, (rln.epoch_bytes(7),)),
        "rln.external_nullifier": Call(rln.external_nullifier, (ONE, b"name"), {"raw": True}),
        "rln.verify_all": Call(rln.verify_all, ([(proof, expected)],)),
        "rln.recover": Call(rln.recover, (proof.shares, other.shares)),
        "rln.Identity.from_seed": Call(Identity.from_seed, (b"sixteen bytes at least",)),
        "rln.Identity.from_secret": Call(Identity.from_secret, (identity.secret(),)),
        "rln.Identity.rate_commitment": Call(identity.rate_commitment, (3,)),
        "rln.Proof.from_bytes": Call(Proof.from_bytes, (proof.to_bytes(),)),
        "rln.Proof.from_bundle": Call(Proof.from_bundle, (proof.to_bundle(),)),
        "rln.Proof.to_bundle": Call(lambda times: (multi if times else proof).to_bundle(), (0,)),
        "rln.Proof.verify": Call(proof.verify, (expected,)),
        "rln.CachedMembership.prove": Call(cached.prove, (ONE, TWO, 0)),
        "rln.Preparer.prepare": Call(preparer.prepare, (ONE, 0)),
        "rln.Prepared.finish": Call(preparer.prepare(ONE, 0).finish, (TWO,)),
        "rln.Membership.of": Call(partial(Membership.of, identity), (), of_member),
        "rln.Membership.prove": Call(member.prove, (ONE, TWO, 0)),
        "rln.Membership.prove_multi": Call(member.prove_multi, (ONE, TWO, [0, 1])),
        "rln.RateLimitProof.of": Call(RateLimitProof.of, (proof, rln.epoch_bytes(7))),
        "rln.RateLimitProof.from_bytes": Call(RateLimitProof.from_bytes, (message.to_bytes(),)),
        "rln.RateLimitProof.proof": Call(message.proof, (ONE,)),
        "jobs.RlnJob.run": Call(
            lambda *values: jobs.RlnJob(cached, *values).run(Cancellation()), (ONE, TWO, (0,))
        ),
    }


def calls_of_circuits(folder: Path) -> dict[str, Call]:
    key = CircuitKey.insecure_from_seed(SIGNATURE, bytes(32))
    made = native(SATISFIED[of.SIGNATURE_2](1))
    proof = made.prove(key, Cancellation())
    verifier = key.verifier()
    store = CircuitKeys(folder / "keys")
    store.add(key)
    known = KeySet({SIGNATURE: key.verifying_key_hash}, is_insecure=True)
    begun = Ceremony.begin(key)
    transcript = folder / "transcript"
    begun.save(transcript)
    values = {"public_keys": [1, 2], "message": 3}
    parts = (SIGNATURE, made.public, made.private)
    return {
        "circuits.witness": Call(circuits.witness, (SIGNATURE, values, {"secret_keys": [1, 2]})),
        "circuits.public_inputs": Call(circuits.public_inputs, (SIGNATURE, values)),
        "circuits.selectors": Call(circuits.selectors, (5, 20)),
        "circuits.key_halves": Call(circuits.key_halves, (bytes(32),)),
        "circuits.Witness.check": Call(lambda *each: Witness(*each).check(), parts),
        "circuits.Witness.prove": Call(
            lambda *each: Witness(SIGNATURE, *each).prove(key, Cancellation()), parts[1:]
        ),
        "circuits.CircuitKey.generate": Call(CircuitKey.generate, (SIGNATURE,)),
        "circuits.CircuitKey.insecure_from_seed": Call(
            CircuitKey.insecure_from_seed, (SIGNATURE, bytes(32))
        ),
        "circuits.CircuitKey.prove_fixed": Call(
            lambda *each: key.prove_fixed(*each, Cancellation()), parts[1:]
        ),
        "circuits.CircuitVerifier.verify": Call(verifier.verify, (made.public, proof)),
        "circuits.CircuitVerifier.verify_all": Call(verifier.verify_all, ([(made.public, proof)],)),
        "jobs.CircuitJob.check": Call(
            lambda *each: jobs.CircuitJob(Witness(*each), key).check(), parts
        ),
        "jobs.CircuitJob.run": Call(
            lambda *each: jobs.CircuitJob(Witness(SIGNATURE, *each), key).run(Cancellation()),
            parts[1:],
        ),
        "keys.CircuitKeys": Call(CircuitKeys, (folder / "file",)),
        "keys.CircuitKeys.add": Call(lambda at: CircuitKeys(at).add(key), (folder / "keys",)),
        "keys.CircuitKeys.load": Call(store.load, (SIGNATURE, key.verifying_key_hash)),
        "keys.CircuitKeys.load_verifier": Call(
            store.load_verifier, (SIGNATURE, key.verifying_key_hash)
        ),
        "keys.KeySet.hash_of": Call(known.hash_of, (SIGNATURE,)),
        "keys.KeySet.load_key": Call(partial(known.load_key, store), (SIGNATURE,)),
        "keys.KeySet.load_verifier": Call(partial(known.load_verifier, store), (SIGNATURE,)),
        "keys.KeySet.parse": Call(KeySet.parse, (known.document(),)),
        "ceremony.Ceremony.load": Call(Ceremony.load, (transcript,)),
        "ceremony.Ceremony.save": Call(begun.save, (transcript,)),
        "ceremony.Ceremony.contribute": Call(
            lambda *each: Ceremony.begin(key).contribute(*each), ("ada", b"dice")
        ),
        "ceremony.Ceremony.finish": Call(lambda names: finished(key, names), (["ada"],)),
    }


def finished(key: CircuitKey, names: Sequence[str]) -> CircuitKey:
    ceremony = Ceremony.begin(key)
    for name in names[:1]:
        ceremony.contribute(name, b"")
    return ceremony.finish()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    folder = tmp_path_factory.mktemp("refusals")
    return calls_of_encodings() | calls_of_trees() | calls_of_rln() | calls_of_circuits(folder)


NEVER_REFUSE = {
    "base58.encode",
    "hashes.keccak256",
    "rln.load_keys",
    "rln.verifying_key_json",
    "rln.signal_x",
    "rln.Identity.random",
    "rln.Identity.of_native",
    "rln.Identity.secret",
    "rln.Proof.of_native",
    "rln.Proof.to_bytes",
    "rln.Proof.proof_json",
    "rln.Proof.public_json",
    "rln.Membership.cached",
    "rln.Membership.preparer",
    "rln.RateLimitProof.to_bytes",
    "jobs.RlnJob.check",
    "circuits.circuit_names",
    "circuits.CircuitKey.verifier",
    "circuits.CircuitVerifier.to_bytes",
    "circuits.CircuitVerifier.to_json",
    "keys.KeySet.document",
    "trees.LedgerTree.snapshot",
    "trees.FrontierTree",
    "trees.FrontierTree.snapshot",
    "trees.RlnTree.snapshot",
    "ceremony.Ceremony.begin",
    "ceremony.Ceremony.verify_step",
}
"""Functions of no argument that could be wrong."""


def public_functions(module: ModuleType) -> Iterator[str]:
    """Names of a module's own functions, of its classes where making one can fail, and of
    their methods."""
    name = module.__name__.rpartition(".")[2]
    for key, value in vars(module).items():
        if key.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield f"{name}.{key}"
        elif inspect.isclass(value) and not issubclass(value, Exception):
            if "__init__" in vars(value) and "__dataclass_fields__" not in vars(value):
                yield f"{name}.{key}"
            for method, _ in inspect.getmembers(value, callable):
                if not method.startswith("_"):
                    yield f"{name}.{key}.{method}"


def test_every_public_function_is_asked(calls: dict[str, Call]) -> None:
    found = {name for module in MODULES for name in public_functions(module)}

    assert found - calls.keys() - NEVER_REFUSE == {"ceremony.Ceremony"} & found
    assert NEVER_REFUSE - {"circuits.circuit_names"} <= found
    assert calls.keys() - found <= {"trees.LedgerTree", "trees.RlnTree"}


def test_bad_input_of_each_kind_is_refused_with_a_reason_and_a_fault(
    calls: dict[str, Call],
) -> None:
    silent, wrong = [], []
    for name, call in calls.items():
        refusals = 0
        for changed in call.changed():
            try:
                changed()
            except LogosError as error:
                refusals += 1
                if not re.fullmatch("[A-Z][A-Z0-9_]{2,62}", error.reason):
                    wrong.append(f"{name}: {error.reason}")
                whose = [isinstance(error, each) for each in (LocalFaultError, RemoteFaultError)]
                if whose.count(True) != (0 if type(error) in UNDECIDED else 1):
                    wrong.append(f"{name}: {error.reason} is whose fault?")
            except Exception as error:  # noqa: BLE001  the very thing that must not come out
                wrong.append(f"{name}: {error!r}")
        if not refusals:
            silent.append(name)

    assert sorted(set(wrong)) == []
    assert silent == []


@pytest.mark.parametrize(
    ("decode", "size"),
    [
        (Proof.from_bytes, 289),
        (partial(Proof.from_bytes, multi=True), 509),
        (Proof.from_bundle, 288),
        (RateLimitProof.from_bytes, 301),
        (rln.epoch_number, 32),
    ],
)
def test_bytes_that_cannot_be_decoded_are_their_senders_fault(
    decode: Callable[[bytes], object], size: int
) -> None:
    for raw in (b"", b"\xff" * size, bytes(size + 1)):
        with pytest.raises(RemoteFaultError):
            decode(raw)


def test_every_reason_of_the_native_core_has_its_class() -> None:
    pattern = re.compile(r'(?:=> |reason: |zk_error\(|refuse\()"([A-Z][A-Z0-9_]+)"')
    reasons = {
        reason
        for folder in ("zk/src", "python/src")
        for file in sorted((NATIVE_SOURCES / folder).rglob("*.rs"))
        for reason in pattern.findall(file.read_text(encoding="utf-8"))
    }

    assert {"FIELD_LENGTH", "CANCELLED", "PROOF_INVALID", "KEY_TORN", "CEREMONY_EMPTY"} <= reasons
    assert {"CIRCUIT_UNKNOWN", "TREE_FULL", "PROOF_LENGTH", "PUBLIC_WIDTH"} <= reasons
    assert reasons - RefusedError.of_reason.keys() == set()


def test_each_reason_is_of_one_class() -> None:
    own = {
        value
        for module in (rln_refusals, circuit_refusals)
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }

    assert {RefusedError.of_reason[each.reason] for each in own} == own
