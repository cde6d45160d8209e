"""What holds for all tests: machines are shared and stall, so nothing is timed."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from own_postgresql import PostgresqlServer, postgresql_server

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
