"""Where the manifest of a module lies in a folder of its own."""

from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError

MANIFEST: Final = "module.toml"


def manifest_of(folder: Path) -> Path:
    """Returns the manifest of the module in a folder: at its top, or in a package in `src`.

    Raises:
        ConfigError: There is none, or more than one.
    """
    places = (folder / MANIFEST, *folder.glob(f"src/*/{MANIFEST}"))
    found = sorted(path for path in places if path.is_file())
    if len(found) != 1:
        what = "has no" if not found else "has more than one"
        raise ConfigError([f"{folder}: {what} {MANIFEST}, at its top or in src/PACKAGE"])
    return found[0]
