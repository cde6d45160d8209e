"""The headers of every answer. docs/app.md lists them with their reasons."""

from typing import Final

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self';"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
"""Nothing inline, nothing remote, nothing evaluated."""

SANDBOX: Final = "sandbox; default-src 'none'"
"""For bytes that others have stored: a page among them can run nothing and read nothing."""

COMMON: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with it, browsers send `Origin: null` with our own forms too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Set where an answer does not set its own."""


def missing_headers(given: set[str]) -> dict[str, str]:
    """The common headers that an answer lacks. `given`: its own, in lower case."""
    return {name: value for name, value in COMMON.items() if name.lower() not in given}
