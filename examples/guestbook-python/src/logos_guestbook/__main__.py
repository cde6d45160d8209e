"""The module's composition root: joins the book, the other modules and the servicer."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guestbook.v1 import guestbook_pb2_grpc

from logos_guestbook.book import Book
from logos_guestbook.neighbours import Storage, Tally
from logos_guestbook.servicer import GuestbookServicer
from logos_module import ModuleContext, run


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves while entered; the module is READY at the `yield`."""
    book = Book(context.state_dir / "entries")
    servicer = GuestbookServicer(book, Storage(context.channel), Tally(context.channel))
    context.serve(guestbook_pb2_grpc.add_GuestbookServicer_to_server, servicer)
    yield


if __name__ == "__main__":
    sys.exit(run(node, package="logos_guestbook"))
