"""snarkjs as a verifier, installed by npm into a cache outside the repository."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parents[1] / "snarkjs"
_FILES: Final = ("package.json", "verify.mjs")
_INSTALL: Final = (
    *("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"),
    *("--no-package-lock", "--loglevel=error"),
)

Case = Mapping[str, Any]
"""What verify.mjs takes: `verification_key`, `proof`, `public`."""


class Snarkjs:
    """An installed snarkjs. One run verifies any number of proofs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def verify(self, cases: Sequence[Case]) -> list[bool]:
        """Whether each proof holds. About a second for the first, tenths for the others."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(cases, file)
            file.flush()
            said = _run(["node", "verify.mjs", file.name], self._folder)
        return [{"true": True, "false": False}[line] for line in said.splitlines()]


def is_possible() -> bool:
    """Whether there is a node to run it with."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


def install(cache: Path | None = None) -> Snarkjs:
    """The pinned version from the cache, put there first where it is missing.

    The cache's folder is named after the version. Two installations at once do not
    disturb each other: the first to finish stays.
    """
    manifest = json.loads((_FOLDER / "package.json").read_text(encoding="utf-8"))
    cache = cache or _cache()
    folder = cache / f"snarkjs-{manifest['dependencies']['snarkjs']}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix="installing-", dir=cache))
        shutil.copy(_FOLDER / "package.json", made)
        _run(_INSTALL, made)
        try:
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)
            if not folder.is_dir():
                raise
    for name in _FILES:  # the script may be newer than the installation
        _replace(folder / name, (_FOLDER / name).read_bytes())
    return Snarkjs(folder)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "logos-network"


def _replace(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)


def _run(arguments: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        arguments, cwd=folder, check=False, capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed: {done.stderr or done.stdout}")
    return done.stdout
