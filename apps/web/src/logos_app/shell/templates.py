"""Templates: those of the shell, and those of each panel under the name of its module."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
)

FOLDER: Final = Path(__file__).with_name("html")


def load_templates(panels: Mapping[str, Path]) -> Environment:
    """Returns the templates. `panels`: a folder for each module."""
    loaders: dict[str, BaseLoader] = {
        name: FileSystemLoader(folder) for name, folder in panels.items()
    }
    return Environment(
        loader=ChoiceLoader([FileSystemLoader(FOLDER), PrefixLoader(loaders)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
