"""What every `ModuleStore` does. Subclass it with a `store` fixture."""

from logos_base.audit import AuditRecord, first_broken
from logos_base.capabilities import Role
from logos_kernel.core.access import Access, Operator, Withdrawal
from logos_kernel.core.journal import (
    MAX_EXITS,
    MAX_TRANSITIONS,
    Entries,
    PastExit,
    Reason,
    Transition,
)
from logos_kernel.core.policy import Grant
from logos_kernel.core.ports import ModuleStore
from logos_kernel.core.settings import Outcome, Version
from logos_kernel.core.types import Desired, Exit, ModuleState, ProcessId, Record
from logos_kernel.core.upgrade import Phase, Upgrade
from logos_kernel.core.versions import ModuleVersion

FULL = Record(
    name="storage",
    desired=Desired.STOPPED,
    epoch=2**53,
    restart_count=7,
    process=ProcessId(4711, 2**40),
    endpoint="unix:/run/storage.sock",
    instance_id=bytes(range(16)),
    newest=2**53 + 1,
    installed="0.2.0",
    beside=ProcessId(4712, 2**41),
    upgrade=Upgrade(
        operation="ab" * 16,
        module="storage",
        old="",
        new="0.2.0",
        phase=Phase.ROLLED_BACK,
        started_ms=2**41,
        ended_ms=2**41 + 1,
        why="the new version ended by signal 11: ✝",
    ),
    is_leaving=True,
)


def version(number: str, directory: str = "/modules/storage") -> ModuleVersion:
    return ModuleVersion.of(f'name = "storage"\nversion = "{number}"\n', directory, 2**41)


ACCESS = Access(
    grants=(
        Grant("chat", "storage", ("a.B/C", "a.D/*"), by="ada"),
        Grant("chat", "storage", ("*",), is_refusal=True, by="bob"),
    ),
    operators=(Operator("ada", Role.VIEWER, b"d" * 32, 2**40, 0),),
    withdrawals=(Withdrawal("chat", "storage", 2**40),),
    generation=3,
)


def record(action: str) -> AuditRecord:
    return AuditRecord(0, 2**50, "operator:ada", action, "chat", "OK", "Zürich")


def transition(revision: int) -> Transition:
    return Transition(
        revision=revision,
        module="storage",
        epoch=2**53,
        old=ModuleState.READY,
        new=ModuleState.BACKOFF,
        reason=Reason.EXITED,
        detail="ended by signal 11: ✝",
        at_ms=2**41,
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

    async def test_keeps_installed_versions_side_by_side(self, store: ModuleStore) -> None:
        assert await store.load_versions() == []
        await store.save_version(version("0.1.0"), None)
        await store.save_version(version("0.2.0"), None)
        await store.save_version(version("0.3.0"), version("0.1.0"))
        await store.save_version(version("0.2.0", "/elsewhere"), None)

        kept = {one.key[1]: one for one in await store.load_versions()}
        assert kept == {"0.2.0": version("0.2.0", "/elsewhere"), "0.3.0": version("0.3.0")}

    async def test_keeps_the_last_transitions(self, store: ModuleStore) -> None:
        assert await store.load_entries() == Entries()
        first = Entries(tuple(map(transition, range(1, MAX_TRANSITIONS))))
        await store.keep(first)
        assert await store.load_entries() == first

        last = range(MAX_TRANSITIONS, MAX_TRANSITIONS + 8)
        await store.keep(Entries(tuple(map(transition, last))))

        kept = (await store.load_entries()).transitions
        assert [one.revision for one in kept] == list(range(8, MAX_TRANSITIONS + 8))
        assert kept[0] == transition(8)

    async def test_keeps_the_last_exits_of_each_module(self, store: ModuleStore) -> None:
        def ended(module: str, epoch: int) -> PastExit:
            is_oom = (None, False, True)[epoch % 3]
            return PastExit(module, epoch, Exit(-9, is_oom=is_oom), Reason.LEASE_LOST, 2**41)

        unknown = PastExit("mixnet", 1, Exit(None), Reason.EXITED, 5)
        await store.keep(Entries(exits=(unknown,)))
        for epoch in range(1, MAX_EXITS + 4):
            await store.keep(Entries(exits=(ended("storage", epoch),)))

        kept = (await store.load_entries()).exits
        expected = range(4, MAX_EXITS + 4)
        assert kept == (unknown, *(ended("storage", epoch) for epoch in expected))
        await store.forget("storage")
        assert (await store.load_entries()).exits == (unknown,)

    async def test_keeps_versions_of_settings(self, store: ModuleStore) -> None:
        old = Version(1, "{}", '{"a": "\\u0000"}', "kernel", 2**41, Outcome.APPLIED)
        new = Version(2**40, '{"a": 1}', '{"a": 1}', "operator:ada", 5, Outcome.REJECTED, "Zürich")
        assert await store.load_settings() == {}

        await store.save_settings({"storage": [old], "mixnet": [old]})
        await store.save_settings({"storage": [old, new]})

        assert await store.load_settings() == {"mixnet": [old], "storage": [old, new]}
        await store.save_settings({"storage": [new]})
        await store.forget("mixnet")
        assert await store.load_settings() == {"storage": [new]}

    async def test_counts_starts_from_one(self, store: ModuleStore) -> None:
        assert [await store.begin() for _ in range(3)] == [1, 2, 3]

    async def test_knows_no_decisions_at_first(self, store: ModuleStore) -> None:
        assert await store.load_access() == Access()
        assert await store.read_audit(1, 10) == []

    async def test_replaces_decisions_whole(self, store: ModuleStore) -> None:
        await store.save_access(ACCESS, record("one"))
        assert await store.load_access() == ACCESS

        await store.save_access(Access(generation=4), record("two"))

        assert await store.load_access() == Access(generation=4)

    async def test_chains_the_audit_log(self, store: ModuleStore) -> None:
        await store.audit([record("one"), record("two")])
        await store.save_access(ACCESS, record("three"))
        await store.audit([record("four")])

        records = await store.read_audit(1, 10)

        assert [one.action for one in records] == ["one", "two", "three", "four"]
        assert [one.sequence for one in records] == [1, 2, 3, 4]
        assert first_broken(records) is None
        assert await store.read_audit(2, 2) == records[1:3]
        assert await store.read_audit(2**62, 2) == []
