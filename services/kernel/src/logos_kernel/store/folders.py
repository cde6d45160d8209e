"""Folders that modules are installed from (KER-49)."""

import os
import stat
from pathlib import Path
from typing import Final

from logos_base.manifest import MAX_MANIFEST_BYTES
from logos_kernel.core.errors import InvalidInstallError

MAX_PATH_BYTES: Final = 4096


def real_folder(path: str) -> Path:
    """Returns the folder that a path means, with no link left in it.

    Raises:
        InvalidInstallError: It is not absolute, or holds `..`, or there is no such folder.
    """
    is_plain = path.startswith("/") and "\x00" not in path and len(path.encode()) <= MAX_PATH_BYTES
    if not is_plain or ".." in Path(path).parts:
        raise _invalid("must be an absolute path without ..")
    try:
        folder = Path(path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise _invalid(f"{path}: cannot be read: {error}") from error
    if not folder.is_dir():
        raise _invalid(f"{path}: is no folder")
    return folder


def is_below(folder: Path, root: Path | None) -> bool:
    """Says whether a folder without links is below another."""
    return root is not None and folder.is_relative_to(root.resolve())


def read_manifest(folder: Path) -> str:
    """Returns the text of `module.toml`, which must be a file in that very folder.

    Raises:
        InvalidInstallError: It is a link, too large, or not UTF-8; or there is none.
    """
    path = folder / "module.toml"
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _invalid(f"{path}: cannot be read: {error.strerror}") from error
    with os.fdopen(file, "rb") as manifest:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _invalid(f"{path}: is no file")
        raw = manifest.read(MAX_MANIFEST_BYTES + 1)
    if len(raw) > MAX_MANIFEST_BYTES:
        raise _invalid(f"{path}: is over {MAX_MANIFEST_BYTES} bytes")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _invalid(f"{path}: is not UTF-8") from error


def _invalid(what: str) -> InvalidInstallError:
    return InvalidInstallError(f"directory: {what}", field="directory")
