"""What can go wrong between a light client and its service node. The reasons are stable API."""

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError


class LightFrameError(RemoteFaultError):
    """A message on a stream that is cut off, or longer than its protocol allows (DLC-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "LIGHT_FRAME_INVALID"


class LightMessageMalformedError(RemoteFaultError):
    """A request, a response or a push that lacks a field, or is none (DLC-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "LIGHT_MESSAGE_MALFORMED"


class RateLimitInvalidError(LogosError):
    """Not `[PROTOCOL:]VOLUME/PERIOD` with a known protocol and unit (DLC-27)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RATE_LIMIT_INVALID"


class FilterCriteriaFullError(LogosError):
    """This node wants more than a service node takes of one peer (DLC-12)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "FILTER_CRITERIA_FULL"
    field = "content_topics"
