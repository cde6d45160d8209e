"""What observers find, beside what the profile promises and the product states: rows of a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from logos_anonymity.model import Message
from logos_anonymity.posterior import Observer
from logos_anonymity.trials import Report, watch
from logos_mixnet.core.mixing.anonymity import statement
from logos_mixnet.core.mixing.cover import Profile

LINKS: Final = "links"
BARS: Final = {("strong", 20): (7.0, 6.0, 0.08), ("laptop", 5): (0.0, 4.0, 0.2)}
"""k and entropy at least, best guess at most, for an observer of links."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one observer found."""

    profile: str
    mixes: int
    capture: str
    observer: str
    report: Report
    waiting: float
    promised: float
    stated_bits: float

    @property
    def met(self) -> bool | None:
        """Whether it meets its bars; None if it has none."""
        bars = BARS.get((self.profile, self.mixes))
        if bars is None or not self.observer.startswith(LINKS):
            return None
        least, bits, most = bars
        report = self.report
        return (
            round(self.waiting, 1) >= least
            and report.entropy_bits.value >= bits
            and report.believed.value <= most
            and report.is_calibrated
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """A capture, and the messages that observers look for in it."""

    profile: Profile
    mixes: int
    kind: str
    wanted: Sequence[Message]
    waiting: float

    def rows(self, name: str, observer: Observer) -> Iterator[Row]:
        """Has an observer look for all; by their first packets too, where these are known."""
        stated = statement(self.profile, self.mixes, None).entropy_bits
        for how, sees_first in (("first hop", True), ("when sent", False)):
            wanted = [one for one in self.wanted if not sees_first or one.first >= 0]
            if len(wanted) < 2:
                continue
            yield Row(
                self.profile.name,
                self.mixes,
                self.kind,
                f"{name}, {how}",
                watch(observer, wanted, sees_first=sees_first),
                self.waiting,
                self.profile.expected_waiting,
                stated,
            )


def table(rows: Sequence[Row]) -> str:
    """Rows for people."""
    head = "profile mixes capture observer targets k promised bits stated set best right bar"
    lines = [head.split()]
    for row in rows:
        report = row.report
        calibrated = "" if report.is_calibrated else " (not calibrated)"
        lines.append(
            [
                row.profile,
                str(row.mixes),
                row.capture,
                row.observer,
                str(report.targets),
                f"{row.waiting:.2f}",
                f"{row.promised:.2f}",
                str(report.entropy_bits),
                f"{row.stated_bits:.2f}",
                f"{report.effective_set:.1f}",
                str(report.believed),
                str(report.success) + calibrated,
                {True: "met", False: "MISSED", None: ""}[row.met],
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
