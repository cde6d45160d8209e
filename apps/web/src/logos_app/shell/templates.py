"""Templates: those of the shell, and those of each panel under the name of its folder."""

import re
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
from markupsafe import Markup, escape

from logos_app.clock import local, now_s
from logos_app.shown import formats, words

FOLDERS: Final = (Path(__file__).with_name("html"), Path(__file__).parents[1] / "testnet/html")
_CODE: Final = re.compile(r"`([^`]*)`")


def load_templates(panels: Mapping[str, Path]) -> Environment:
    """Returns the templates. `panels`: a folder for each name."""
    loaders: dict[str, BaseLoader] = {
        name: FileSystemLoader(folder) for name, folder in panels.items()
    }
    found = Environment(
        loader=ChoiceLoader([FileSystemLoader(FOLDERS), PrefixLoader(loaders)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {
        "about": formats.about,
        "capital": words.capital,
        "clock": lambda at_ms: formats.clock(local(at_ms / 1000), local(now_s())),
        "codes": codes,
        "day": lambda at_s: f"{local(at_s).day} {local(at_s):%b}",
        "duration": formats.duration,
        "iso": lambda at_ms: local(at_ms / 1000).isoformat(timespec="milliseconds"),
        "moment": lambda at_ms: formats.moment(local(at_ms / 1000)),
        "number": formats.number,
        "rate": formats.rate,
        "short_id": formats.short_id,
        "shown": formats.shown,
        "size": formats.size,
        "spelled": words.spelled,
    }
    return found


def codes(sentence: str) -> Markup:
    """A sentence in which what stands between backticks is code."""
    parts = _CODE.split(sentence)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if position % 2 else escape(part)
        for position, part in enumerate(parts)
    )
