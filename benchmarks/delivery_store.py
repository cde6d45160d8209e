"""How fast delivery's archive keeps messages, and how fast it answers pages.

Keeping: messages of 1 KiB come at a steady rate, each put alone and acknowledged when it is on
disk; the yardstick is the same rows in one transaction of SQLite alone. Pages: of 100 messages out
of many, of every kind of query and from anywhere; the yardstick is 100 rows by their keys from
SQLite alone. Bars are those of docs/protocol/delivery-store.md's implementation: 1,000 a second for
a minute, and 20 ms in 99 of 100 cases out of a million.

    python -m benchmarks.delivery_store
    python -m benchmarks.delivery_store --messages 10000 --seconds 5
    python -m benchmarks.delivery_store --postgresql
    python -m benchmarks.delivery_store --database postgresql+asyncpg://...

`--postgresql` measures beside SQLite a server of its own, which is started and removed.
"""

import asyncio
import sqlite3
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.report import Figure, arguments, percentile, publish, say
from benchmarks.running import ROOT

from logos_delivery.core.archive.ports import Archive
from logos_delivery.core.archive.types import Entry, Query
from logos_delivery.core.message import Message
from logos_delivery.store.opening import open_store
from logos_simulation.chance import Chance

sys.path.insert(0, str(ROOT / "tests"))
from own_postgresql import postgresql_server

BEGIN_NS: Final = 1_800_000_000 * 10**9
SHARDS: Final = 8
TOPICS: Final = 50
PAYLOAD_BYTES: Final = 1024
BATCH: Final = 1000
SLICE_S: Final = 0.01
QUERIES: Final = 500
PAGE: Final = 100


def entry(chance: Chance, number: int) -> Entry:
    """A message of 1 KiB, a millisecond after the one before."""
    topic = chance.below(SHARDS * TOPICS)
    message = Message(
        number.to_bytes(8, "big") * (PAYLOAD_BYTES // 8),
        f"/application/{topic % TOPICS}/topic/proto",
        timestamp_ns=BEGIN_NS + number * 1_000_000,
    )
    return Entry.of(f"/waku/2/rs/3/{topic % SHARDS}", message)


async def keep(archive: Archive, rate: int, seconds: int, first: int) -> tuple[float, list[float]]:
    """Puts messages at a rate; returns the rate at which they were kept, and each delay in ms."""
    chance, delays = Chance(("keep", first)), []

    async def put(one: Entry) -> None:
        began = time.perf_counter()
        await archive.put([one])
        delays.append((time.perf_counter() - began) * 1000)

    began, count = time.perf_counter(), 0
    async with asyncio.TaskGroup() as tasks:
        while count < rate * seconds:
            due = min(rate * seconds, int((time.perf_counter() - began) * rate) + 1)
            for number in range(count, due):
                tasks.create_task(put(entry(chance, first + number)))
            count = due
            await asyncio.sleep(SLICE_S)
    return count / (time.perf_counter() - began), delays


async def fill(archive: Archive, messages: int) -> float:
    """Puts messages in batches; returns how many a second."""
    chance, began = Chance("fill"), time.perf_counter()
    for first in range(0, messages, BATCH):
        count = min(BATCH, messages - first)
        await archive.put([entry(chance, first + number) for number in range(count)])
        if first % 100_000 == 0:
            say(f"{first} messages")
    return messages / (time.perf_counter() - began)


def queries(messages: int) -> Iterator[tuple[str, Query]]:
    """Queries of every kind, from anywhere."""
    chance = Chance("queries")
    for number in range(QUERIES):
        start_ns = BEGIN_NS + chance.below(messages) * 1_000_000
        is_forward = chance.below(2) == 1
        anywhere = Query(
            start_ns=start_ns if is_forward else None,
            end_ns=None if is_forward else start_ns,
            include_data=True,
            is_forward=is_forward,
            limit=PAGE,
        )
        shard = f"/waku/2/rs/3/{chance.below(SHARDS)}"
        topics = tuple(f"/application/{chance.below(TOPICS)}/topic/proto" for _ in range(10))
        kinds = {
            "by time": anywhere,
            "of a shard": replace(anywhere, pubsub_topic=shard),
            "of 10 topics": replace(anywhere, content_topics=topics),
        }
        yield list(kinds.items())[number % len(kinds)]


async def pages(archive: Archive, messages: int) -> tuple[dict[str, list[float]], int]:
    """Asks for pages; returns the delays of each kind in ms, and how many pages were full."""
    delays: dict[str, list[float]] = {}
    full = 0
    for kind, query in queries(messages):
        began = time.perf_counter()
        page = await archive.query(query)
        delays.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
        assert all(entry.message is not None for entry in page.entries)
        full += len(page.entries) == PAGE
    return delays, full


def plain_insert(folder: Path, count: int) -> float:
    """Rows a second that SQLite alone inserts in one transaction."""
    with closing(sqlite3.connect(folder / "yardstick.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE message (hash BLOB PRIMARY KEY, payload BLOB)")
        rows = [(number.to_bytes(32, "little"), bytes(PAYLOAD_BYTES)) for number in range(count)]
        began = time.perf_counter()
        with connection:
            connection.executemany("INSERT INTO message VALUES (?, ?)", rows)
        return count / (time.perf_counter() - began)


def plain_page(folder: Path, count: int) -> float:
    """Milliseconds in which SQLite alone gives 100 rows by their keys: the median of 100."""
    chance = Chance("plain")
    rows = f"SELECT * FROM message WHERE hash IN ({','.join('?' * 100)})"  # noqa: S608 -- no value
    delays = []
    with closing(sqlite3.connect(folder / "yardstick.sqlite")) as connection:
        for _ in range(100):
            keys = [chance.below(count).to_bytes(32, "little") for _ in range(100)]
            began = time.perf_counter()
            connection.execute(rows, keys).fetchall()
            delays.append((time.perf_counter() - began) * 1000)
    return percentile(delays, 50)


async def measure(options: Namespace, folder: Path, database: str) -> list[Figure]:
    """Measures keeping and pages, and the yardsticks; without a database's URL, on a file."""
    count = min(options.messages, 100_000)
    insert, page = plain_insert(folder, count), plain_page(folder, count)
    place = database or folder / "delivery.sqlite"
    on = "PostgreSQL" if database else "SQLite"
    async with open_store(place) as store:
        filled = await fill(store.archive, options.messages)
        say("keeping")
        kept, delays = await keep(
            store.archive, options.rate, options.seconds, first=options.messages
        )
        say("pages")
        answered, full = await pages(store.archive, options.messages)
    alone = "SQLite alone"
    figures = [
        Figure(f"{on}: in batches", filled, "messages/s", ratio=filled / insert, yardstick=alone),
        Figure(f"{on}: one by one", kept, "messages/s", at_least=options.rate * 0.98),
        Figure(f"{on}: acknowledged, p50", percentile(delays, 50), "ms"),
        Figure(f"{on}: acknowledged, p99", percentile(delays, 99), "ms"),
        Figure(f"{on}: pages of {PAGE} that were full", full, f"of {QUERIES}"),
    ]
    for kind, found in answered.items():
        middle, late = percentile(found, 50), percentile(found, 99)
        of = f"{on}: page of {PAGE} {kind}, of {options.messages:,}"
        figures += [
            Figure(f"{of}, p50", middle, "ms", ratio=middle / page, yardstick=alone),
            Figure(f"{of}, p99", late, "ms", at_most=20),
        ]
    return figures


def main() -> int:
    """Measures, and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database")
    parser.add_argument("--postgresql", action="store_true", help="on a server of its own, too")
    parser.add_argument("--folder", help="on the disk to measure")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        figures = asyncio.run(measure(options, Path(folder), options.database))
    if options.postgresql:
        with TemporaryDirectory() as folder, postgresql_server(is_durable=True) as server:
            url = server.new_database()
            figures += asyncio.run(measure(options, Path(folder), url))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
