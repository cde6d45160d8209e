"""Texts in paths: whatever they hold, also line breaks and slashes (DHT-4)."""

from typing import Final
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request

ANY: Final = "anytext"


class _AnyText(Convertor[str]):
    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor(ANY, _AnyText())


def text_in(request: Request) -> str:
    """Returns the text at the end of a path."""
    return str(request.path_params["text"])


def last_text_in(request: Request, before: str) -> str:
    """Returns the last of one or two texts after `before`, each with its slashes encoded.

    A path whose slashes are not encoded is one text.
    """
    raw = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
    parts = raw.removeprefix(before).split("/")
    is_pair = raw.startswith(before) and len(parts) == 2 and all(parts)
    return unquote(parts[1]) if is_pair else text_in(request)
