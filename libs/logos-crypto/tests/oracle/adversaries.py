"""Witnesses at the edge of each statement and just past it, each with its verdict.

Every case changes one thing of a satisfied witness, and says which relation that breaks:
so a circuit that is satisfied wrongly shows which relation it lost. Some
change what a statement does not bind, and stay satisfied.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Final

from oracle import predicates as of
from oracle import witnesses as some
from oracle.draw import Draw
from oracle.poseidon2 import P, compress, hash  # noqa: A004 - the specification's name
from oracle.witnesses import Case

ENOUGH: Final = 200
"""Cases per circuit that the acceptance of the circuits asks for."""


def adversarial(circuit: str, at_least: int = ENOUGH) -> list[Case]:
    """At least so many cases of a circuit, always the same ones. All of a seed, or none."""
    cases: list[Case] = []
    for seed in count():
        if len(cases) >= at_least:
            return cases
        cases += _ADVERSARIES[circuit](seed)
    raise AssertionError("unreachable: seeds do not end")


def leaders(seed: int) -> Iterator[Case]:
    """Leadership: the lottery's edge, either tree, and the contribution to the nonce."""
    base = some.leadership(seed)
    yield from _lottery(base)
    yield from _in_tree(base, "aged_root", "aged_path", "aged_index", "aged_membership")
    yield from _in_tree(base, "latest_root", "latest_path", "latest_index", "latest_membership")
    yield from _note(base)
    sure = base.but("always wins", None, t0=some.t0_for(base, P - 1))
    yield sure
    note, secret = some.note_of(base), base["secret_key"]
    broken = "entropy_contribution"
    yield sure.but("another slot", broken, slot=base["slot"] + 1)
    yield sure.but("another nonce, which is no part of the contribution", None, epoch_nonce=0)
    yield from _outputs(
        base,
        broken,
        zero=0,
        of_the_note_alone=hash([of.NONCE_CONTRIB, base["slot"], note]),
        of_another_secret=of.entropy_contribution(base["slot"], note, secret + 1),
        of_another_slot=of.entropy_contribution(base["slot"] + 1, note, secret),
        with_the_lottery_tag=of.ticket(base["epoch_nonce"], base["slot"], note, secret),
    )
    yield from _keys(base)


def claims(seed: int) -> Iterator[Case]:
    """Claims: the tree of vouchers and the nullifier; the transaction is bound only."""
    base = some.claim(seed)
    secret = base["secret_voucher"]
    yield from _in_tree(base, "voucher_root", "path", "index", "voucher_membership")
    yield base.but("another voucher", "voucher_membership", secret_voucher=secret + 1)
    yield base.but(
        "another voucher and its nullifier",
        "voucher_membership",
        secret_voucher=secret + 1,
        voucher_nullifier=of.voucher_nullifier(secret + 1),
    )
    yield base.but("no voucher at all", "voucher_membership", secret_voucher=0)
    yield base.but("secret not canonical", "canonical", secret_voucher=secret + P)
    yield from _outputs(
        base,
        "voucher_nullifier",
        zero=0,
        the_voucher=of.voucher(secret),
        the_secret=secret,
        hashed_not_compressed=hash([of.VOUCHER_NF, secret]),
        of_another_voucher=of.voucher_nullifier(secret + 1),
        compressed_the_other_way=compress(secret, of.VOUCHER_NF),
    )
    for name, value in {"zero": 0, "one": 1, "the largest": P - 1}.items():
        yield base.but(f"transaction {name}", None, mantle_tx_hash=value)
    yield base.but("transaction not canonical", "canonical", mantle_tx_hash=P)


def senders(seed: int) -> Iterator[Case]:
    """Message keys of both roles: the quota's edge, the role, and the nullifier."""
    core, leader = (some.quota_of(seed, is_leader=role) for role in (0, 1))
    yield from _in_tree(core, "core_root", "core_path", "core_index", "core_membership")
    yield core.but(
        "index past the tree", "core_membership", core_index=core["core_index"] | 1 << 20
    )
    yield core.but("another secret", "core_membership", core_secret_key=core["core_secret_key"] + 1)
    yield core.but("empty leaf", "core_membership", core_secret_key=0)
    yield from _in_tree(leader, "aged_root", "aged_path", "aged_index", "aged_membership")
    yield from _note(leader)
    yield from islice(_lottery(leader), 32)
    yield core.but("core as leader", "aged_membership", is_leader=1, **_plenty())
    yield leader.but("leader as core", "core_membership", is_leader=0, **_plenty())
    yield from _quotas(core, "core_quota", "leader_quota")
    yield from _quotas(leader, "leader_quota", "core_quota")
    core_nullifier = of.key_nullifier(core["core_secret_key"], core["quota_index"], core["slot"])
    yield core.but("nullifier by slot", "key_nullifier", key_nullifier=core_nullifier)
    secret, index, slot = (leader[name] for name in ("secret_key", "quota_index", "slot"))
    randomness = hash([of.SELECTION_RANDOMNESS, secret, index, slot])
    for base in (core, leader):
        yield from _keys(base)
        yield from _outputs(base, "key_nullifier", zero=0, the_index=base["quota_index"])
    yield from _outputs(
        leader,
        "key_nullifier",
        the_randomness=randomness,
        hashed_not_compressed=hash([of.KEY_NULLIFIER, randomness]),
        of_the_nonce=of.key_nullifier(secret, index, leader["epoch_nonce"]),
        of_the_next_index=of.key_nullifier(secret, index + 1, slot),
        of_the_core_secret=of.key_nullifier(leader["core_secret_key"], index, slot),
    )


def signers(size: int) -> Callable[[int], Iterator[Case]]:
    """Signatures: each place on its own, their order, and the padding."""

    def cases(seed: int) -> Iterator[Case]:
        base = some.signature(size)(seed)
        keys, secrets = base["public_keys"], base["secret_keys"]
        zero = of.public_key(0)
        for at in range(size):
            for name, key in {
                "one more": keys[at] + 1,
                "the secret": secrets[at],
                "hashed": hash([of.KDF, secrets[at]]),
                "of the next secret": of.public_key(secrets[at] + 1),
            }.items():
                changed = _at(keys, at, key)
                yield base.but(f"key {at} {name}", "public_key", public_keys=changed)
            changed = _at(secrets, at, secrets[at] + 1)
            yield base.but(f"secret {at} one more", "public_key", secret_keys=changed)
            changed = _at(keys, at, keys[at] + P)
            yield base.but(f"key {at} not canonical", "canonical", public_keys=changed)
            both = _at(keys, at, zero), _at(secrets, at, 0)
            yield base.but(f"place {at} unused", None, public_keys=both[0], secret_keys=both[1])
            if secrets[at]:
                yield base.but(f"key {at} of padding", "public_key", public_keys=both[0])
        turned = secrets[1:] + secrets[:1]
        if len(set(secrets)) > 1:
            yield base.but("secrets turned", "public_key", secret_keys=turned)
        yield base.but("both turned", None, secret_keys=turned, public_keys=keys[1:] + keys[:1])
        for name, value in {"zero": 0, "the largest": P - 1}.items():
            yield base.but(f"message {name}", None, message=value)
        yield base.but("message not canonical", "canonical", message=base["message"] + P)

    return cases


def _lottery(base: Case) -> Iterator[Case]:
    """Thresholds around the ticket, and all that differ from it in one bit."""
    secret, slot = base["secret_key"], base["slot"]
    ticket = of.ticket(base["epoch_nonce"], slot, some.note_of(base), secret)
    lost = "ticket_below_threshold"
    for off in (0, 1, -1, 2, -2, 3, -3, 4, -4):
        t0 = some.t0_for(base, ticket + off)
        yield base.but(f"threshold is the ticket {off:+}", None if off > 0 else lost, t0=t0)
    for threshold in (0, 1, 2, 3):
        yield base.but(f"threshold {threshold}", lost, t0=some.t0_for(base, threshold))
    for bit in range(254):
        threshold = ticket ^ 1 << bit
        if threshold < P:
            expected = None if threshold > ticket else lost
            t0 = some.t0_for(base, threshold)
            yield base.but(f"threshold differs in bit {bit}", expected, t0=t0)


def _note(base: Case) -> Iterator[Case]:
    """Another note than the one in the tree, and values at the ends of their range."""
    for name in ("secret_key", "value", "op_id", "output_index"):
        yield base.but(f"{name} one more", "aged_membership", **{name: base[name] + 1})
        yield base.but(f"{name} zero", "aged_membership", **{name: 0}) if base[name] else base
    yield base.but("value 2^64", "value", value=1 << 64)
    yield base.but("op_id not canonical", "canonical", op_id=base["op_id"] + P)
    yield _worth(base, "the largest value", (1 << 64) - 1, P - 1, None)
    yield _worth(base, "the smallest value", 1, P - 1, None)
    worthless = _worth(base, "worth", 1, P - 1, None)
    rooted = _rooted(worthless, 0)
    yield worthless.but("zero value", "ticket_below_threshold", value=0, **rooted)


def _worth(base: Case, name: str, value: int, threshold: int, expected: str | None) -> Case:
    """The same with a note of another value, in its trees, under another threshold."""
    changed = base.but(name, expected, value=value, **_rooted(base, value))
    if "entropy_contribution" in base.public:
        entropy = of.entropy_contribution(base["slot"], some.note_of(changed), base["secret_key"])
        changed = changed.but(name, expected, entropy_contribution=entropy)
    return changed.but(name, expected, t0=some.t0_for(changed, threshold))


def _rooted(base: Case, value: int) -> dict[str, int]:
    """The roots of the trees that have a note of this value at the same places."""
    key = of.public_key(base["secret_key"])
    leaf = of.note_id(base["op_id"], base["output_index"], value, key)
    return {
        f"{tree}_root": of.root_of(leaf, base[f"{tree}_path"], base[f"{tree}_index"])
        for tree in ("aged", "latest")
        if f"{tree}_root" in base.public
    }


def _in_tree(base: Case, root: str, path: str, index: str, broken: str) -> Iterator[Case]:
    """Each bit of the index, each node of the path, and other trees."""
    nodes, at = base[path], base[index]
    depth = len(nodes)
    bits = f"{at:0{depth}b}"
    for level in range(depth):
        yield base.but(f"{index} bit {level} flipped", broken, **{index: at ^ 1 << level})
        node = (nodes[level] + 1) % P
        yield base.but(f"{path} node {level} changed", broken, **{path: _at(nodes, level, node)})
    reversed_index = int(bits[::-1], 2)
    if reversed_index != at:
        yield base.but(f"{index} with its bits reversed", broken, **{index: reversed_index})
    yield base.but(f"{index} complemented", broken, **{index: at ^ (1 << depth) - 1})
    yield base.but(f"{path} upside down", broken, **{path: nodes[::-1]})
    yield base.but(f"{path} of zeros", broken, **{path: [0] * depth})
    leafless = of.root_of(0, nodes, at)
    yield base.but(f"{root} after the leaf was removed", broken, **{root: leafless})
    other = Draw(root, at).element()
    for name, value in {"zero": 0, "another": other, "one more": (base[root] + 1) % P}.items():
        yield base.but(f"{root} {name}", broken, **{root: value})
    yield base.but(f"{root} not canonical", "canonical", **{root: base[root] + P})


def _quotas(base: Case, quota: str, other: str) -> Iterator[Case]:
    """An index at the quota, below it, and both at the ends of 20 bits."""
    secret, period = base["core_secret_key"], base["epoch_nonce"]
    if base["is_leader"]:
        secret, period = base["secret_key"], base["slot"]
    last = (1 << 20) - 1

    def case(name: str, expected: str | None, index: int, allowed: int, elsewhere: int) -> Case:
        nullifier = of.key_nullifier(secret, index, period)
        changes = {"quota_index": index, quota: allowed, other: elsewhere}
        return base.but(f"{quota}: {name}", expected, key_nullifier=nullifier, **changes)

    index = base["quota_index"]
    yield case("index is the quota less one", None, index, index + 1, 0)
    yield case("index is the quota", "quota", index, index, last)
    yield case("index is the quota and one", "quota", index + 1, index, last)
    yield case("the first of one", None, 0, 1, 0)
    yield case("none", "quota", 0, 0, last)
    yield case("the largest", None, last - 1, last, 0)
    yield case("index is the largest", "quota", last, last, last)
    yield case("index of 21 bits", "quota", last + 1, last, last)
    yield case("quota of 21 bits", "quota", 0, last + 1, 1)
    yield case("quota of the field's size", "quota", 0, P - 1, 1)


def _plenty() -> dict[str, int]:
    most = (1 << 20) - 1
    return {"core_quota": most, "leader_quota": most}


def _outputs(base: Case, name: str, **values: int) -> Iterator[Case]:
    """Other values of what a statement computes."""
    true = base[name]
    yield base.but(f"{name} one more", name, **{name: (true + 1) % P})
    yield base.but(f"{name} negated", name, **{name: P - true})
    yield base.but(f"{name} not canonical", "canonical", **{name: true + P})
    for what, value in values.items():
        if value != true:
            yield base.but(f"{name} {what}".replace("_", " "), name, **{name: value})


def _keys(base: Case) -> Iterator[Case]:
    """The one-time key: bound by its place among the public inputs, by no relation."""
    low, high = base["key_low"], base["key_high"]
    yield base.but("halves of the key swapped", None, key_low=high, key_high=low)
    yield base.but("key of zeros", None, key_low=0, key_high=0)
    yield base.but("key of ones", None, key_low=some.HALF_KEY - 1, key_high=some.HALF_KEY - 1)


def _at(values: list[int], at: int, value: int) -> list[int]:
    return [*values[:at], value, *values[at + 1 :]]


_ADVERSARIES: Final[dict[str, Callable[[int], Iterable[Case]]]] = {
    of.POL: leaders,
    of.POC: claims,
    of.POQ: senders,
    of.SIGNATURE_2: signers(2),
    of.SIGNATURE_32: signers(32),
}
