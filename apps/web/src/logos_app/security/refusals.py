"""What is refused at the gate, each with its sentence and its reason."""

from dataclasses import dataclass
from datetime import datetime

from logos_client.link_codes import Outcome, Spending

ANOTHER_LINK = "`./logos app link` prints another."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not served."""

    status: int
    reason: str
    """UPPER_SNAKE, stable."""
    sentence: str
    """What happened, why, and what to do."""


def wrong_host(seen: str, ours: str) -> Refusal:
    """The request was sent to a name that is not ours."""
    return Refusal(
        421,
        "HOST_REFUSED",
        f"This app does not answer as {seen}, only as {ours}. Open {ours}, or name the host that"
        " browsers use by the setting LOGOS_APP_HOST.",
    )


def no_session() -> Refusal:
    """The browser has no session, or one that has ended."""
    return Refusal(
        401,
        "SESSION_NEEDED",
        f"This browser has no session: it has ended, or was never opened. {ANOTHER_LINK}",
    )


def forged(what: str) -> Refusal:
    """A request that changes something, but not from a page of ours."""
    return Refusal(
        403,
        "REQUEST_FORGED",
        f"Nothing was changed: the request was refused, since {what}. Do it on a page of this app.",
    )


def too_many(what: str) -> Refusal:
    """More than the limit. `what` says of what."""
    return Refusal(429, "TOO_MANY_REQUESTS", f"Too many {what}. Wait a moment, then try again.")


def too_large(most: int) -> Refusal:
    """The body is over the limit."""
    return Refusal(
        413,
        "REQUEST_TOO_LARGE",
        f"The request was refused: it is over {most // 1024} KiB. Only files may be larger:"
        " store them on the page Files.",
    )


def link_refused(spending: Spending, clock: datetime) -> Refusal:
    """A link that opens nothing. `clock`: the time of `spending`, in the app's own zone."""
    match spending.outcome:
        case Outcome.USED:
            return Refusal(403, "LINK_USED", f"This link was used at {clock:%H:%M}. {ANOTHER_LINK}")
        case Outcome.EXPIRED:
            return Refusal(
                403,
                "LINK_EXPIRED",
                f"This link ended at {clock:%H:%M}, ten minutes after it was made. {ANOTHER_LINK}",
            )
    return Refusal(
        403,
        "LINK_UNKNOWN",
        f"This link leads nowhere: it is not whole, or of another testnet. {ANOTHER_LINK}",
    )
