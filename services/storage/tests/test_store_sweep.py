"""STO-15: a start deletes no content, whatever has become of the catalogue."""

import hashlib
import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from contents import pieces_of
from logos_module.database import DatabaseDamagedError
from logos_storage.core.errors import CatalogueLostError
from logos_storage.core.ports import DatasetRecord, Description
from logos_storage.core.types import shape_of_name
from logos_storage.store import sweep as sweeping
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.opening import open_store
from logos_storage.store.sweep import Content

SIZE = 300_000
PACKED = 11 * 32


def opened(folder: Path) -> AbstractAsyncContextManager[DatasetStore]:
    return open_store(folder, quota_bytes=1 << 30, monotonic_ms=lambda: 0, wall_clock_us=lambda: 0)


def content_of(salt: bytes) -> bytes:
    return hashlib.shake_128(salt).digest(SIZE)


async def put(store: DatasetStore, salt: bytes) -> DatasetRecord:
    return await store.put(Description(65536), pieces_of(content_of(salt)))


async def read(store: DatasetStore, record: DatasetRecord) -> bytes:
    async with store.open(record) as tree:
        return b"".join(await tree.read(0, tree.shape.block_count))[:SIZE]


async def filled(folder: Path, *salts: bytes) -> list[DatasetRecord]:
    async with opened(folder) as store:
        return [await put(store, salt) for salt in salts]


def tree_of(record: DatasetRecord) -> str:
    return record.manifest.shape.name


def files_under(folder: Path) -> dict[str, bytes]:
    """All files with what is in them, but for traces of a connection that only read."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }
    return {name: raw for name, raw in files.items() if raw or not name.endswith("-wal")}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lose(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


def empty_beside_its_log(path: Path) -> None:
    writer = sqlite3.connect(path)
    writer.execute("DELETE FROM dataset")
    writer.commit()
    log = path.with_name(f"{path.name}-wal").read_bytes()
    writer.close()
    path.with_name(f"{path.name}-wal").write_bytes(log)
    empty(path)


def fill_with_text(path: Path) -> None:
    path.write_text("not a database\n" * 1000)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def spoil_its_schema(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"x" * 3996)


def take_a_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE dataset")
    connection.close()


def make_it_another_one(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (else_ TEXT)")
    connection.close()


def give_it_other_columns(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE tree RENAME COLUMN is_complete TO complete")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose, "is missing"),
        (empty, "is empty"),
        (empty_beside_its_log, "is empty, but its write-ahead log is not"),
        (fill_with_text, "is not an SQLite database"),
        (cut_in_half, "is damaged"),
        (spoil_its_schema, "is damaged"),
        (take_a_table, "lacks the table dataset"),
        (make_it_another_one, "lacks its tables"),
        (give_it_other_columns, "is not of this version"),
    ],
)
async def test_a_lost_catalogue_beside_content_is_a_refusal_with_two_ways_out(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    folder, backup = tmp_path / "a state", tmp_path / "backup"
    records = await filled(folder, b"one", b"two")
    shutil.copy(folder / "storage.db", backup)
    damage(folder / "storage.db")
    before = files_under(folder)

    for _ in range(2):
        with pytest.raises(CatalogueLostError) as caught:
            async with opened(folder):
                pass
        assert files_under(folder) == before

    text = str(caught.value)
    assert f"{folder}/storage.db {said}" in text
    assert f"{folder}/trees holds 2 trees of {2 * (SIZE + PACKED)} bytes" in text
    assert "\n" not in text
    shutil.copytree(folder, tmp_path / "other way")
    # One way out: the backup.
    for path in folder.glob("storage.db*"):
        path.unlink()
    shutil.copy(backup, folder / "storage.db")
    async with opened(folder) as store:
        assert [await read(store, one) for one in records] == [
            content_of(b"one"),
            content_of(b"two"),
        ]
        assert store.aside == Content()
    # The other: the command, as it is printed.
    shutil.rmtree(folder)
    (tmp_path / "other way").rename(folder)
    run_shell(text.partition("begin without them: ")[2])
    assert files_under(folder / "lost") == before
    async with opened(folder) as store:
        assert await read(store, await put(store, b"one")) == content_of(b"one")


def run_shell(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True)


@pytest.mark.parametrize("damage", [fill_with_text, cut_in_half])
async def test_a_damaged_catalogue_without_content_is_named_too(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    await filled(tmp_path)
    damage(tmp_path / "storage.db")

    with pytest.raises(DatabaseDamagedError):
        async with opened(tmp_path):
            pass


@pytest.mark.parametrize("damage", [lose, empty])
async def test_what_is_not_ours_does_not_make_a_first_start_a_loss(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    await filled(tmp_path)
    damage(tmp_path / "storage.db")
    (tmp_path / "trees" / "notes.txt").write_text("mine")

    async with opened(tmp_path) as store:
        assert (await store.space()).datasets == 0


async def test_a_crash_between_placing_and_noting_the_very_first_put_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [record] = await filled(tmp_path / "other", b"one")
    await filled(tmp_path / "state")
    tree = tree_of(record)
    shutil.copytree(tmp_path / "other" / "trees" / tree, tmp_path / "state" / "trees" / tree)

    with caplog.at_level(logging.WARNING):
        async with opened(tmp_path / "state") as store:
            assert (await store.space()).used_bytes == 0
            assert store.aside == Content(1, SIZE + PACKED)
            assert names(tmp_path / "state" / "trees") == set()
            again = await put(store, b"one")
            assert await read(store, again) == content_of(b"one")

    [warning] = [one for one in caplog.records if "set aside" in one.message]
    said = vars(warning)
    assert (said["trees"], said["size_bytes"]) == ([tree], SIZE + PACKED)
    assert said["folder"] == str(tmp_path / "state" / "aside")
    aside = tmp_path / "state" / "aside" / tree
    assert (aside / "data").read_bytes() == content_of(b"one")


async def test_content_of_an_older_catalogue_is_set_aside_and_comes_back(tmp_path: Path) -> None:
    old = await filled(tmp_path, b"old")
    shutil.copy(tmp_path / "storage.db", tmp_path / "backup")
    new = await filled(tmp_path, b"new", b"newer")
    shutil.copy(tmp_path / "storage.db", tmp_path / "right")

    shutil.copy(tmp_path / "backup", tmp_path / "storage.db")
    async with opened(tmp_path) as store:
        assert await read(store, old[0]) == content_of(b"old")
        assert store.aside == Content(2, 2 * (SIZE + PACKED))
        assert names(tmp_path / "aside") == {tree_of(one) for one in new}
        assert await store.find(new[0].cid) is None
    async with opened(tmp_path) as store:  # told of at every start
        assert store.aside == Content(2, 2 * (SIZE + PACKED))

    shutil.copy(tmp_path / "right", tmp_path / "storage.db")
    async with opened(tmp_path) as store:
        assert store.aside == Content()
        for record, salt in zip([*old, *new], (b"old", b"new", b"newer"), strict=True):
            assert await read(store, record) == content_of(salt)
        assert (await store.space()).used_bytes == 3 * (SIZE + PACKED)


async def test_the_same_content_set_aside_twice_is_kept_twice(tmp_path: Path) -> None:
    await filled(tmp_path)
    shutil.copy(tmp_path / "storage.db", tmp_path / "backup")
    for _ in range(3):
        [record] = await filled(tmp_path, b"one")
        shutil.copy(tmp_path / "backup", tmp_path / "storage.db")

    async with opened(tmp_path) as store:
        assert store.aside == Content(3, 3 * (SIZE + PACKED))
    tree = tree_of(record)
    assert names(tmp_path / "aside") == {tree, f"{tree}.2", f"{tree}.3"}


async def test_a_partial_tree_that_lies_aside_does_not_pass_for_a_whole_one(
    tmp_path: Path,
) -> None:
    [record] = await filled(tmp_path, b"one")
    tree = tmp_path / "trees" / tree_of(record)
    aside = tmp_path / "aside" / tree_of(record)
    aside.parent.mkdir()
    tree.rename(aside)
    (aside / "bitmap").write_bytes(b"\1")

    async with opened(tmp_path) as store:
        found = await store.find(record.cid)

    assert found is not None
    assert found.blocks_held == 0
    assert aside.exists()


async def test_names_are_durable_where_they_moved_to_before_where_they_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(tmp_path)
    shutil.copy(tmp_path / "storage.db", tmp_path / "backup")
    await filled(tmp_path, b"one")
    shutil.copy(tmp_path / "backup", tmp_path / "storage.db")
    synced: list[str] = []
    monkeypatch.setattr(sweeping.tree_files, "sync_folder", lambda path: synced.append(path.name))

    async with opened(tmp_path):
        pass

    assert synced == [tmp_path.name, "aside", "trees"]


async def test_only_what_puts_left_unfinished_is_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    [kept] = await filled(tmp_path, b"one")
    tree = tree_of(kept)
    strange = ["trees/notes.txt", "trees/other/data", f"trees/{tree}.old/data", "uploads/todo"]
    strange += [f"trees/{tree.replace('65536', '065536')}/data", "elsewhere/data"]
    for name in [*strange, "uploads/0123456789abcdef0123456789abcdef/data"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")

    with caplog.at_level(logging.WARNING):
        async with opened(tmp_path) as store:
            assert await read(store, kept) == content_of(b"one")
            assert store.aside == Content()

    assert all((tmp_path / name).exists() for name in strange)
    assert names(tmp_path / "uploads") == {"todo"}
    left = [vars(one)["names"] for one in caplog.records if "left where they are" in one.message]
    assert left == [["todo"], sorted({name.split("/")[1] for name in strange[:3] + strange[4:5]})]


@pytest.mark.parametrize(
    "name", ["", "x", "a-b-c", "z-65536-2", "zDzSvJT-65536-2", "-65536-2", "é-1-1"]
)
def test_other_names_are_no_trees(name: str) -> None:
    assert shape_of_name(name) is None


async def test_a_trees_name_says_what_it_is(tmp_path: Path) -> None:
    [record] = await filled(tmp_path, b"one")

    assert shape_of_name(tree_of(record)) == record.manifest.shape
