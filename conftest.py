"""What holds for all tests: machines are shared and stall, so nothing is timed."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer

from logos_cli.marks import names_mark
from own_postgresql import PostgresqlServer, postgresql_server
from own_scheduling import InPackages

# gRPC reads it once, when it is imported: its INFO lines are no part of a test's output.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

# A shell that starts the suite in the background has it ignore interrupts, and so would every
# program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("shared-machine", settings(), deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server for all tests of a run that want one."""
    with postgresql_server() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgresqlServer) -> str:
    """An empty database of PostgreSQL."""
    return postgresql.new_database()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuses a test whose tier cannot be told from its file: `./logos test` would not find it."""
    marks = [line.partition(":")[0] for line in config.getini("markers") if "a tier" in line]
    for item in items:
        for mark in {each.name for each in item.iter_markers()}.intersection(marks):
            if not names_mark(item.path, mark):
                raise pytest.UsageError(
                    f"{item.nodeid} is of the tier {mark}: name the mark in its file, or in the"
                    " conftest.py beside it"
                )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> InPackages | None:
    """Has `--dist loadfile` keep packages together."""
    return InPackages(config, log) if config.getoption("dist") == "loadfile" else None
