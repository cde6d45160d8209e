"""Atomic replacement of files: readers, also after a crash, find the old or the new file."""

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replaces a text file atomically and durably."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
