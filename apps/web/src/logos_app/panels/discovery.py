"""Finds the panels: those of this package, and those in further folders."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logos_app.panels.contract import Panel

OWN: Final = Path(__file__).parent


def find_panels(folders: Sequence[Path] = ()) -> tuple[Panel, ...]:
    """Returns the panels in their order.

    Raises:
        ValueError: A folder's panel cannot be used, or two have one slug.
    """
    panels = [
        _load(path, "logos_app.panels" if folder == OWN else "logos_app_panels")
        for folder in (OWN, *folders)
        for path in sorted(folder.glob("*/panel.py"))
    ]
    slugs = [panel.slug for panel in panels]
    if twice := {slug for slug in slugs if slugs.count(slug) > 1}:
        raise ValueError(f"two panels have the slug {', '.join(sorted(twice))}")
    return tuple(sorted(panels, key=lambda panel: (panel.order, panel.slug)))


def _load(path: Path, package: str) -> Panel:
    name = f"{package}.{path.parent.name}.panel"
    module = sys.modules.get(name)
    if module is None or module.__file__ != str(path):
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    panel = getattr(module, "PANEL", None)
    if not isinstance(panel, Panel):
        raise ValueError(f"{path} holds no PANEL")  # noqa: TRY004 - what it holds is a value
    return panel.found_in(path.parent)
