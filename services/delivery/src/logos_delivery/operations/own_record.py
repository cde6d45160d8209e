"""The record in which this node describes itself: made, signed, and kept up to date (DLC-38)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from logos_base.errors import LogosError
from logos_crypto import node_record
from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import Capability
from logos_delivery.core.enr.identity import public_key_of
from logos_delivery.core.enr.own import mark_of, next_sequence, own_content, own_fields
from logos_delivery.core.enr.record import Record
from logos_delivery.core.enr.shards import RelayShards
from logos_delivery.core.ports import Identity
from logos_delivery.core.topics import MAX_SHARDS

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Between two looks at what the record says."""
SEQUENCE: Final = "record.sequence"
MARK: Final = "record.mark"
NO_KEY: Final = (
    "this node has no record: its key is not of secp256k1, the `key_type` of the network module"
)


class Notes(Protocol):
    """Numbers that outlive the process."""

    async def note(self, name: str, value: int) -> None:
        """Keeps a number on disk."""
        ...

    async def noted(self, name: str) -> int | None:
        """Returns a number, if there is one."""
        ...


class OwnRecord:
    """The record of one node."""

    def __init__(
        self,
        identity: Identity,
        notes: Notes,
        shards: Callable[[], Sequence[int]],
        unix_ms: Callable[[], int],
        *,
        cluster: int,
        capabilities: Capability,
        given: Record | None = None,
    ) -> None:
        """`shards` returns those that this node follows now; `given` is one of the settings."""
        self._identity = identity
        self._notes = notes
        self._shards = shards
        self._unix_ms = unix_ms
        self._cluster = cluster
        self._capabilities = capabilities
        self._is_given = given is not None
        self._mark: int | None = None
        self.record = given
        """As it is told to others; None if there is none, or none yet."""
        self.why = "" if self._is_given else "this node has no record yet"
        """Why there is none, or none that is up to date; empty otherwise."""

    async def run(self) -> None:
        """Signs another record whenever the node has another thing to say, until cancelled."""
        while not self._is_given:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Makes the record anew if it says something else by now. Never raises."""
        if self._is_given:
            return
        try:
            await self._look()
        except LogosError as error:
            self._fail(str(error))

    async def _look(self) -> None:
        who = await self._identity.identity()
        public_key = public_key_of(who.peer_id)
        if public_key is None:
            self._fail(NO_KEY)
            return
        followed = tuple(sorted(one for one in self._shards() if one < MAX_SHARDS))
        shards = RelayShards(self._cluster, followed) if followed else None
        said = own_fields(who.announced, self._capabilities, shards)
        mark = mark_of(public_key, said)
        if mark == self._mark:
            self.why = ""
            return
        content = own_content(public_key, await self._sequence(mark), said)
        signature = await self._identity.sign_node_record(content)
        self.record = record.decode(node_record.joined(signature, content))
        self._mark, self.why = mark, ""
        log.info("this node has a record", extra={"enr": str(self.record)})

    async def _sequence(self, mark: int) -> int:
        """Returns the number of the content with a mark; it is on disk before it is used."""
        last = await self._notes.noted(SEQUENCE)
        if last is not None and await self._notes.noted(MARK) == mark:
            return last
        sequence = next_sequence(last, self._unix_ms())
        # In this order: a crash between the two wastes a number, and never uses one twice.
        await self._notes.note(SEQUENCE, sequence)
        await self._notes.note(MARK, mark)
        return sequence

    def _fail(self, why: str) -> None:
        if why != self.why:
            log.warning("the record of this node is not signed", extra={"why": why})
        self.why = why
