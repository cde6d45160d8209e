"""Whether a request that changes something comes from a page of ours."""

import hashlib
import hmac
from typing import Final

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
HEADER: Final = "x-csrf"
FIELD: Final = "csrf"
_CONTEXT: Final = b"logos-app-csrf-v1"


def token_of(secret: str) -> str:
    """The token of a session, for its pages: 32 hexadecimal digits. `secret`: its cookie."""
    return hmac.new(secret.encode("ascii", "replace"), _CONTEXT, hashlib.sha256).hexdigest()[:32]


def forgery_in(
    *, origin: str, sent_origin: str | None, fetch_site: str | None, token: str, sent_token: str
) -> str | None:
    """Says what is wrong with an unsafe request; None if nothing is.

    Args:
        origin: Ours, e.g. `http://small.localhost:17900`.
        sent_origin: The header `Origin`. Browsers send it with every unsafe request.
        fetch_site: The header `Sec-Fetch-Site`, where the browser sends it.
        token: The session's.
        sent_token: That of the request's header or form; may be empty.
    """
    if sent_origin != origin:
        return f"it comes from {sent_origin or 'no page'}, not from {origin}"
    if fetch_site not in {None, "same-origin"}:
        return f"the browser says that it comes from another site ({fetch_site})"
    if not hmac.compare_digest(token.encode(), sent_token.encode("utf-8", "replace")):
        return "it does not carry the token of its session"
    return None
