"""The cookie of a session."""

from http.cookies import CookieError, SimpleCookie

from logos_app.security.hosts import Origin
from logos_app.security.sessions import LIFETIME_S


def cookie_name(origin: Origin) -> str:
    """Cookies ignore ports: with one name, two testnets would log each other out."""
    prefix = "__Host-" if origin.scheme == "https" else ""
    return f"{prefix}logos_{origin.port}"


def cookie_header(origin: Origin, secret: str) -> str:
    """The value of `Set-Cookie` that begins a session, or goes on with it."""
    secure = "; Secure" if origin.scheme == "https" else ""
    return (
        f"{cookie_name(origin)}={secret}; Max-Age={LIFETIME_S}; Path=/; HttpOnly;"
        f" SameSite=Strict{secure}"
    )


def secret_in(origin: Origin, header: str) -> str:
    """The secret in a `Cookie` header; empty if there is none."""
    try:
        found = SimpleCookie(header).get(cookie_name(origin))
    except CookieError:
        return ""
    return "" if found is None else found.value
