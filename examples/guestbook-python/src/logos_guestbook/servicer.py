"""`guestbook.v1.Guestbook` of one node."""

from typing import Any, Final

from guestbook.v1 import guestbook_pb2 as pb
from guestbook.v1 import guestbook_pb2_grpc
from tally.v1 import tally_pb2

from logos_guestbook.book import Book
from logos_guestbook.errors import TextInvalidError
from logos_guestbook.neighbours import Storage, Tally

MAX_TEXT_BYTES: Final = 64 * 1024


class GuestbookServicer(guestbook_pb2_grpc.GuestbookServicer):
    """Raises errors; the harness makes statuses of them."""

    def __init__(self, book: Book, storage: Storage, tally: Tally) -> None:
        self._book = book
        self._storage = storage
        self._tally = tally

    async def Sign(self, request: pb.SignRequest, _context: Any) -> pb.SignResponse:  # noqa: N802
        """Adds a text to the book."""
        cid = await self._storage.put(_valid(request.text))
        self._book.add(cid)
        return pb.SignResponse(cid=cid)

    async def List(self, request: pb.ListRequest, _context: Any) -> pb.ListResponse:  # noqa: N802
        """Lists a page of the book."""
        return pb.ListResponse(cids=self._book.page(request.offset), total=len(self._book))

    async def Read(self, request: pb.ReadRequest, _context: Any) -> pb.ReadResponse:  # noqa: N802
        """Reads an entry."""
        self._book.require(request.cid)
        text = await self._storage.get(request.cid)
        words = await self._tally.words_of(tally_pb2.CountRequest(cid=request.cid))
        return pb.ReadResponse(text=text, words=words)

    async def Measure(self, request: pb.MeasureRequest, _context: Any) -> pb.MeasureResponse:  # noqa: N802
        """Counts the words of a text."""
        words = await self._tally.words_of(tally_pb2.CountRequest(text=_valid(request.text)))
        return pb.MeasureResponse(words=words)


def _valid(text: str) -> str:
    if not 0 < len(text.encode()) <= MAX_TEXT_BYTES:
        raise TextInvalidError(f"a text has 1 to {MAX_TEXT_BYTES} bytes", field="text")
    return text
