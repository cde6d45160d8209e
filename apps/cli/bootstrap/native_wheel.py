"""The wheel of the native core: built once for each state of `native/`, kept in `dist/`.

Used by the bootstrap and, as a program, by deploy/Dockerfile:

    python native_wheel.py ROOT TARGET    copies the wheel to TARGET, if there is one

The wheel is in `dist/native-<key>/`. The key is a hash over the sources, so a wheel of older
sources is never used.
"""
# ruff: noqa: INP001 - run as a folder, never imported

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

KEY_LENGTH = 16
_LEFT_OUT = {"target", "__pycache__", ".mypy_cache", ".ruff_cache"}


def source_key(root: Path) -> str:
    """Hashes names and contents of everything below `native/`, in order."""
    digest = hashlib.sha256()
    native = root / "native"
    for path in sorted(native.rglob("*")):
        place = path.relative_to(native)
        if _LEFT_OUT & set(place.parts) or not path.is_file():
            continue
        content = hashlib.sha256(path.read_bytes()).digest()
        digest.update(os.fsencode(place) + b"\0" + content)
    return digest.hexdigest()[:KEY_LENGTH]


def wheel_folder(root: Path, key: str) -> Path:
    """Returns the folder of the wheel for a key."""
    return root / "dist" / f"native-{key}"


def find_wheel(root: Path, key: str) -> Path | None:
    """Finds the wheel of `key` for this kind of machine."""
    system, machine = sys.platform, platform.machine()
    for wheel in sorted(wheel_folder(root, key).glob("logos_native-*.whl")):
        if system[:5] in wheel.name.replace("manylinux", "linux") and machine in wheel.name:
            return wheel
    return None


def main() -> int:
    """Copies the wheel, if there is one; returns 0 in both cases."""
    root, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    wheel = find_wheel(root, source_key(root))
    if wheel is not None:
        shutil.copy(wheel, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
