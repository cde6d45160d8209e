"""Brings the folders in step with the catalogue at a start.

Only what unfinished puts and deletions have left is removed. Content without a
row is set aside, and files of others are left where they are.

Spec: docs/protocol/storage.md, STO-10, STO-15.
"""

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_module.database import (
    DatabaseDamagedError,
    Fit,
    check_database,
    database_files,
    free_name,
    set_aside_command,
)
from logos_storage.core.errors import CatalogueLostError
from logos_storage.core.types import shape_of_name
from logos_storage.store import files as tree_files
from logos_storage.store.files import BITMAP, DATA, TREE
from logos_storage.store.sql import SCHEMA, StoredTree

log = logging.getLogger(__name__)

CATALOGUE: Final = "storage.db"
TREES: Final = "trees"
UPLOADS: Final = "uploads"
ASIDE: Final = "aside"

_UPLOAD_NAME: Final = re.compile("[0-9a-f]{32}")
_NAMES_LOGGED: Final = 20


@dataclass(frozen=True, slots=True)
class Content:
    """How much a folder holds."""

    trees: int = 0
    size_bytes: int = 0

    def __str__(self) -> str:
        return f"{self.trees} tree{'' if self.trees == 1 else 's'} of {self.size_bytes} bytes"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a start has found."""

    sound: frozenset[str]
    """Names of the trees whose files are there with the right sizes."""
    aside: Content
    """Everything in `aside/`, from earlier starts as well."""


def check_catalogue(folder: Path) -> None:
    """Refuses a start on content without a catalogue. Changes nothing; blocks.

    Raises:
        CatalogueLostError: The catalogue is missing, empty, damaged, without its tables
            or not of this version, and there is content.
    """
    catalogue, trees = folder / CATALOGUE, folder / TREES
    if not any(_is_tree(entry) for entry in _entries(trees)):
        return
    try:
        if check_database(catalogue, SCHEMA) is not Fit.NEW:
            return
        problem = f"{catalogue} {_lack_of(catalogue)}"
    except DatabaseDamagedError as error:
        problem = str(error)
    content = _content_of(entry for entry in _entries(trees) if _is_tree(entry))
    command = set_aside_command(folder, [trees, *database_files(catalogue)])
    raise CatalogueLostError(
        f"{problem}, but {trees} holds {content}; restore {CATALOGUE} from a backup, or begin"
        f" without them: {command}"
    )


def _lack_of(catalogue: Path) -> str:
    if not catalogue.exists():
        return "is missing"
    return "lacks its tables" if catalogue.stat().st_size else "is empty"


def sweep(folder: Path, trees: list[StoredTree]) -> Swept:
    """Puts the folders in step with the catalogue. Blocks.

    Raises:
        DiskFullError, BadDataError: The disk does not do it.
    """
    with tree_files.disk_errors():
        for name in (TREES, UPLOADS):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder / UPLOADS)
        _bring_back(folder, trees)
        _set_aside(folder, {tree.shape.name for tree in trees})
        return Swept(
            frozenset(tree.shape.name for tree in trees if _is_sound(folder / TREES, tree)),
            _content_of(_entries(folder / ASIDE)),
        )


def _remove_unfinished(uploads: Path) -> None:
    others = []
    for entry in _entries(uploads):
        if _UPLOAD_NAME.fullmatch(entry.name):
            tree_files.remove_folder(entry)
        else:
            others.append(entry.name)
    _log_others(uploads, others)


def _bring_back(folder: Path, trees: Iterable[StoredTree]) -> None:
    """Moves back what was set aside under another catalogue, if this one has its row."""
    moved = []
    for tree in trees:
        source, target = folder / ASIDE / tree.shape.name, folder / TREES / tree.shape.name
        is_partial = (source / BITMAP).exists()
        if source.is_dir() and is_partial != tree.is_complete and not target.exists():
            source.rename(target)
            moved.append(source.name)
    if moved:
        tree_files.sync_folder(folder / TREES)
        tree_files.sync_folder(folder / ASIDE)
        log.warning(
            "content of the catalogue was moved back from aside",
            extra={"trees": moved[:_NAMES_LOGGED]},
        )


def _set_aside(folder: Path, known: set[str]) -> None:
    """Moves away content without a row, which a crash or an older catalogue lacks."""
    trees, aside = folder / TREES, folder / ASIDE
    unknown = [entry for entry in _entries(trees) if entry.name not in known]
    orphans = [entry for entry in unknown if _is_tree(entry)]
    _log_others(trees, [entry.name for entry in unknown if entry not in orphans])
    if not orphans:
        return
    aside.mkdir(exist_ok=True)
    tree_files.sync_folder(folder)
    content = _content_of(orphans)
    for entry in orphans:
        entry.rename(free_name(aside, entry.name))
    tree_files.sync_folder(aside)
    tree_files.sync_folder(trees)
    log.warning(
        "content that the catalogue does not know was set aside",
        extra={
            "folder": str(aside),
            "trees": [entry.name for entry in orphans[:_NAMES_LOGGED]],
            "tree_count": content.trees,
            "size_bytes": content.size_bytes,
        },
    )


def _is_sound(trees: Path, tree: StoredTree) -> bool:
    sizes = {one.name: one.stat().st_size for one in _entries(trees / tree.shape.name)}
    return DATA in sizes and sizes.get(TREE) == tree.shape.packed_bytes


def _is_tree(entry: Path) -> bool:
    return shape_of_name(entry.name) is not None and entry.is_dir()


def _content_of(trees: Iterable[Path]) -> Content:
    sizes = [sum(file.lstat().st_size for file in _entries(tree)) for tree in trees]
    return Content(len(sizes), sum(sizes))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _log_others(folder: Path, names: list[str]) -> None:
    if names:
        log.warning(
            "files that are not of this module are left where they are",
            extra={"folder": str(folder), "names": names[:_NAMES_LOGGED]},
        )
