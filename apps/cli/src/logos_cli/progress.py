"""Progress on stderr.

For a testnet: a live table on a terminal, plain lines elsewhere. For a transfer: a bar, and for
an answer that is waited for: a line with the time, on terminals only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from logos_cli.console import stderr
from logos_testnet.progress import NodeProgress, Note, Report


@contextmanager
def watching() -> Iterator[Report]:
    """Yields a `Report` for a testnet."""
    if not stderr().is_terminal:
        yield _print_line
        return
    board = _Board()
    with Live(board, console=stderr(), refresh_per_second=8, transient=True):
        yield board.take


def _print_line(event: NodeProgress | Note) -> None:
    where = f"{event.node}: " if isinstance(event, NodeProgress) else ""
    stderr().print(f"{where}{event.text}", highlight=False, markup=False, soft_wrap=True)


class _Board:
    """One line for each node, then the newest note."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeProgress] = {}
        self._note = ""
        self._spinner = Spinner("dots")

    def take(self, event: NodeProgress | Note) -> None:
        if isinstance(event, NodeProgress):
            self._nodes[event.node] = event
        else:
            self._note = event.text

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name in sorted(self._nodes, key=lambda node: (len(node), node)):
            event = self._nodes[name]
            mark = Text("✓", style="green") if event.done else self._spinner
            table.add_row(mark, Text(name, style="bold"), Text(event.text))
        if self._note:
            table.add_row(self._spinner, Text("testnet", style="bold"), Text(self._note))
        return table


@contextmanager
def transferring(text: str) -> Iterator["_Bar"]:
    """A bar for a transfer."""
    progress = Progress(
        TextColumn(text, markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=stderr(),
        transient=True,
    )
    with progress:
        yield _Bar(progress)


class _Bar:
    """One transfer; see `transfers.Bar`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def expect(self, size: int | None) -> None:
        self._progress.update(self._task, total=size)

    def advance(self, size: int) -> None:
        self._progress.advance(self._task, size)


@contextmanager
def waiting(text: str) -> Iterator[Callable[[str], None]]:
    """A line with the time that has passed; yields what changes what stands after the text."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        task = progress.add_task(text, total=None)
        yield lambda how: progress.update(task, description=f"{text}: {how}")
