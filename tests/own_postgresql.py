"""A PostgreSQL server of the tests' own, reachable through a socket in its folder only."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

SERVERS = Path("/usr/lib/postgresql")
"""Where Debian's packages put the programs of each version."""


@dataclass(frozen=True)
class PostgresqlServer:
    """A server that runs."""

    programs: Path
    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """Makes an empty database and returns its URL."""
        name = f"test{next(self.numbers)}"
        self.execute("postgres", f"CREATE DATABASE {name}")
        return f"postgresql+asyncpg://tests:secret@/{name}?host={self.folder}"

    def execute(self, database: str, statement: str) -> str:
        """Executes a statement and returns its rows, one a line."""
        program = [self.programs / "psql", "-XAtq", "-h", self.folder, "-U", "tests"]
        done = subprocess.run(
            [*program, "-v", "ON_ERROR_STOP=1", "-c", statement, database],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def postgresql_server(*, is_durable: bool = False) -> Iterator[PostgresqlServer]:
    """Runs a server; skips where PostgreSQL is not installed, never in CI.

    Unless it is durable, it waits for no disk: nothing of it outlives the test.
    """
    found = sorted(SERVERS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        assert "CI" not in os.environ, f"no PostgreSQL under {SERVERS}"
        pytest.skip(f"no PostgreSQL under {SERVERS}: apt-get install postgresql")
    programs = found[-1].parent
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="logos-postgresql-"))  # short: it holds a socket
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses="
    if not is_durable:
        options += " -c fsync=off"

    def run(*command: object) -> None:
        with (folder / "output").open("wb") as output:
            done = subprocess.run(
                [*_as(user), *(str(word) for word in command)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        assert done.returncode == 0, (folder / "output").read_text()

    try:
        initdb = ("-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run(programs / "initdb", *initdb, "-D", data)
        pg_ctl = (programs / "pg_ctl", "-D", data, "-w")
        run(*pg_ctl, "-l", folder / "log", "-o", options, "start")
        try:
            yield PostgresqlServer(programs, folder)
        finally:
            run(*pg_ctl, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as(user: str | None) -> list[str]:
    """What makes a program another user's.

    Not `subprocess`: it would fork in full for that, and gRPC, where this process has begun
    to use it, may break what is forked.
    """
    if user is None:
        return []
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _user() -> str | None:
    """The user whom the server runs as; it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
