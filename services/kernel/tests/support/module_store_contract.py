"""What every `ModuleStore` does. Subclass it with a `store` fixture."""

from logos_kernel.core.ports import ModuleStore
from logos_kernel.core.types import Desired, ProcessId, Record

FULL = Record(
    name="storage",
    desired=Desired.STOPPED,
    epoch=2**53,
    restart_count=7,
    process=ProcessId(4711, 2**40),
    endpoint="unix:/run/storage.sock",
    instance_id=bytes(range(16)),
)


class ModuleStoreContract:
    """One suite for all stores."""

    async def test_is_empty_at_first(self, store: ModuleStore) -> None:
        assert await store.load() == []

    async def test_returns_what_it_was_given_by_name(self, store: ModuleStore) -> None:
        empty = Record("mixnet")
        await store.save(FULL)
        await store.save(empty)

        assert await store.load() == [empty, FULL]

    async def test_keeps_the_last_record_of_a_name(self, store: ModuleStore) -> None:
        await store.save(FULL)
        await store.save(Record("storage", epoch=3))

        assert await store.load() == [Record("storage", epoch=3)]

    async def test_stores_several_at_once(self, store: ModuleStore) -> None:
        await store.save(FULL, Record("mixnet"))

        assert await store.load() == [Record("mixnet"), FULL]

    async def test_forgets(self, store: ModuleStore) -> None:
        await store.save(FULL)

        await store.forget("storage")
        await store.forget("storage")

        assert await store.load() == []

    async def test_counts_starts_from_one(self, store: ModuleStore) -> None:
        assert [await store.begin() for _ in range(3)] == [1, 2, 3]
