"""Files that hold the bearer of an operator's token. Imports little: commands start faster."""

import os
import re
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_client.private_files import create_private, write_private

BEARER: Final = re.compile(r"logos_[A-Za-z0-9_-]{43}")
"""`logos_` and 32 random bytes in base64url without padding."""

_SECRET_BYTES: Final = 32


class TokenFileError(LogosError):
    """A file with a token cannot be read, or holds something else. The text names it."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "TOKEN_FILE_UNUSABLE"


def new_bearer() -> str:
    """Returns a new random bearer token."""
    secret = urlsafe_b64encode(os.urandom(_SECRET_BYTES)).rstrip(b"=")
    return f"logos_{secret.decode('ascii')}"


def read_token(path: Path) -> str | None:
    """Returns the bearer that a file holds; None if there is no file.

    Raises:
        TokenFileError: It cannot be read, e.g. as it is another user's, or holds no bearer.
    """
    try:
        text = path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenFileError(f"{path} cannot be read: {error.strerror}") from error
    if BEARER.fullmatch(text) is None:
        raise TokenFileError(
            f"{path} holds no token of an operator: that is `logos_` and 43 characters"
        )
    return text


def make_token_file(path: Path) -> str:
    """Returns the bearer that a file holds; makes the file (mode 0600) if there is none.

    Of several processes that do so at once, one makes it and all return the same. Its folder
    must exist.

    Raises:
        TokenFileError: There is a file that cannot be used.
        OSError: It cannot be written.
    """
    if (found := read_token(path)) is not None:
        return found
    bearer = new_bearer()
    try:
        create_private(path, _content(bearer))
    except FileExistsError:
        return make_token_file(path)
    return bearer


def replace_token_file(path: Path, bearer: str) -> None:
    """Writes a bearer to a file (mode 0600), in place of what it holds. Its folder must exist.

    Raises:
        OSError: It cannot be written.
    """
    write_private(path, _content(bearer))


def _content(bearer: str) -> bytes:
    return f"{bearer}\n".encode("ascii")
