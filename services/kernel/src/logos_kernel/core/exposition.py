"""Metrics in the text format of Prometheus 0.0.4, as modules give them (KER-43, KER-44).

Not `prometheus_client.parser`: it takes ten times as long, and a page has the text of every
module. Lines that are none of the format are left out.

Source: prometheus.io, "Exposition formats", text-based format.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""

_SAMPLE: Final = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?[ \t]+([^ \t]+)(?:[ \t]+-?[0-9]+)?[ \t]*"
)
_LABEL: Final = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"[ \t]*(?:,|$)')
_ESCAPE: Final = re.compile(r"\\(.)")
_TYPES: Final = frozenset({"counter", "gauge", "histogram", "summary"})
_SUFFIXES: Final = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("_count", "_sum")}


@dataclass(slots=True)
class Family:
    """The samples of one metric."""

    name: str
    kind: str = "unknown"
    """counter, gauge, histogram, summary or unknown."""
    text: str = ""
    """What it is, for people."""
    samples: list[Sample] = field(default_factory=list)

    def takes(self, name: str) -> bool:
        """Says whether samples of a name are of this metric."""
        return name == self.name or name in {
            self.name + end for end in _SUFFIXES.get(self.kind, ())
        }


def families(text: str) -> list[Family]:
    """Reads a text. Each name is there once."""
    found: dict[str, Family] = {}
    current = Family("")
    for line in text.split("\n"):
        if line.startswith("#"):
            word, name, rest = _comment(line)
            if word in {"HELP", "TYPE"}:
                current = found.setdefault(name, Family(name))
                _describe(current, word, rest)
            continue
        sample = _sample(line)
        if sample is None:
            continue
        if not current.takes(sample[0]):
            current = found.setdefault(sample[0], Family(sample[0]))
        current.samples.append(sample)
    return [family for family in found.values() if family.samples]


def samples(every: list[Family]) -> Iterator[Sample]:
    """Returns the samples of all families."""
    for family in every:
        yield from family.samples


def _comment(line: str) -> tuple[str, str, str]:
    """Returns the word, the name and the rest of `# TYPE name counter`; empty what is missing."""
    sign, word, name, rest = [*line.split(None, 3), "", "", "", ""][:4]
    return (word, name, rest) if sign == "#" else ("", "", "")


def _describe(family: Family, word: str, rest: str) -> None:
    if word == "HELP":
        family.text = _unescaped(rest)
    elif rest in _TYPES and not family.samples:
        family.kind = rest


def _sample(line: str) -> Sample | None:
    matched = _SAMPLE.fullmatch(line)
    if matched is None:
        return None
    name, inner, number = matched.groups()
    labels: dict[str, str] = {}
    if inner:
        end = 0
        while label := _LABEL.match(inner, end):
            labels[label[1]] = _unescaped(label[2])
            end = label.end()
        if end != len(inner):
            return None
    try:
        return name, labels, float(number)
    except ValueError:
        return None


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
