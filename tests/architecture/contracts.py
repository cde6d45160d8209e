"""The import contracts of .importlinter, checked for every service that there is."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from importlinter import cli  # noqa: F401 - configures the linter
from importlinter.application.use_cases import lint_imports

ROOT: Final = Path(__file__).parents[2]


def service_packages(root: Path) -> dict[str, Path]:
    """The Python package of each folder in services/, and where it lies."""
    found = sorted(root.glob("services/*/src/logos_*/__init__.py"))
    return {path.parent.name: path.parent for path in found}


def configuration(text: str, services: Mapping[str, Path]) -> str:
    """The linter's configuration: .importlinter with its places for services filled in."""
    lines = []
    for line in text.splitlines():
        filled = line.replace("{services}", " | ".join(services))
        if "{service}" in filled:
            room = filled.partition("{service}")[2].removeprefix(".")
            named = [name for name, folder in services.items() if _has(folder, room)]
            lines += [filled.replace("{service}", name) for name in named]
        else:
            lines.append(filled)
    return "\n".join(lines) + "\n"


def _has(folder: Path, room: str) -> bool:
    return (folder / room).is_dir() or (folder / f"{room}.py").is_file()


def main(folders: list[str]) -> int:
    """Checks the contracts. `folders`: roots of more services, which are looked at first."""
    services = service_packages(ROOT)
    for folder in folders:
        added = service_packages(Path(folder))
        services |= added
        sys.path[:0] = [str(path.parent) for path in added.values()]
    text = (ROOT / ".importlinter").read_text(encoding="utf-8")
    with tempfile.NamedTemporaryFile("w", suffix=".ini", encoding="utf-8") as file:
        file.write(configuration(text, services))
        file.flush()
        return 0 if lint_imports(config_filename=file.name, cache_dir=None, no_logo=True) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
