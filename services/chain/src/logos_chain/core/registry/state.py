"""How a registry is written down, so that a start need not read the chain from the genesis on.

Spec: docs/protocol/rln-registry.md, RLC-8.
"""

from collections.abc import Sequence
from typing import Final

from logos_chain.core.registry.deposits import ChannelNote
from logos_chain.core.registry.errors import RegistryStateDamagedError
from logos_chain.core.registry.registry import MAX_ROOTS, Member, Registry, Removal, Root
from logos_chain.core.registry.rules import RegistryRules
from logos_crypto.refusals import RefusedError
from logos_mantle import octets
from logos_mantle.errors import MalformedError, ValueUnencodableError
from logos_mantle.octets import HASH_BYTES, KEY_BYTES, Reader

_VERSION: Final = b"\x01"
_U64: Final = 8
_U32: Final = 4
_MEMBER_BYTES: Final = 5 * HASH_BYTES + 3 * _U64 + 2
_BEGUN: Final = (None, False, True)


def encode(registry: Registry) -> bytes:
    """Returns at most 186 bytes a member, and 3 KiB."""
    return b"".join(
        (
            _VERSION,
            registry.rules.channel,
            octets.number(registry.height, _U64, "height"),
            octets.number(_BEGUN.index(registry.is_begun), 1, "is_begun"),
            _listed([_member(each) for each in registry.members]),
            _listed(
                [octets.number(each.height, _U64, "height") + each.root for each in registry.roots]
            ),
        )
    )


def decode(raw: bytes, rules: RegistryRules) -> Registry:
    """Reads one; hashes a tenth of a millisecond for each member.

    Raises:
        RegistryStateDamagedError: The bytes are none, or of other rules.
    """
    try:
        reader = Reader(raw, limit=_MEMBER_BYTES * rules.max_members + (1 << 14))
        if reader.take(1) != _VERSION or reader.take(HASH_BYTES) != rules.channel:
            raise RegistryStateDamagedError("it is of another version, or of another registry")
        height, is_begun = reader.number(_U64), _BEGUN[reader.number(1)]
        count = reader.number(_U32)
        members = [_read_member(reader, leaf) for leaf in range(min(count, rules.max_members))]
        count = reader.number(_U32)
        roots = [
            Root(reader.number(_U64), reader.take(HASH_BYTES)) for _ in range(min(count, MAX_ROOTS))
        ]
        reader.end()
        return Registry(rules, height=height, is_begun=is_begun, members=members, roots=roots)
    except (MalformedError, ValueUnencodableError, IndexError, RefusedError) as error:
        raise RegistryStateDamagedError("the kept state of the registry does not decode") from error


def _listed(parts: Sequence[bytes]) -> bytes:
    return octets.number(len(parts), _U32, "count") + b"".join(parts)


def _member(member: Member) -> bytes:
    removal, stake = member.removal, member.stake
    return b"".join(
        (
            member.commitment,
            stake.id,
            octets.number(stake.value, _U64, "value"),
            stake.public_key,
            octets.number(member.height, _U64, "height"),
            member.transaction,
            octets.number(member.has_stake, 1, "has_stake"),
            _removal(removal),
        )
    )


def _removal(removal: Removal | None) -> bytes:
    if removal is None:
        return b"\0"
    height = octets.number(removal.height, _U64, "height")
    return b"\1" + height if removal.reporter is None else b"\2" + height + removal.reporter


def _read_member(reader: Reader, leaf: int) -> Member:
    commitment, note = reader.take(HASH_BYTES), reader.take(HASH_BYTES)
    return Member(
        leaf=leaf,
        commitment=commitment,
        stake=ChannelNote(note, reader.number(_U64), reader.take(KEY_BYTES)),
        height=reader.number(_U64),
        transaction=reader.take(HASH_BYTES),
        has_stake=bool(reader.number(1)),
        removal=_read_removal(reader),
    )


def _read_removal(reader: Reader) -> Removal | None:
    kind = reader.number(1)
    if not kind:
        return None
    height = reader.number(_U64)
    return Removal(height, None if kind == 1 else reader.take(KEY_BYTES))
