"""What can go wrong, one class per rule. The reasons are stable API."""

from logos_base.errors import ErrorKind, LocalFaultError, LogosError, RemoteFaultError, StateError


class CidMalformedError(LogosError):
    """Not base58btc, not CIDv1, or not to its end (STO-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CID_MALFORMED"


class CidCodecUnknownError(LogosError):
    """A CID with a codec that is not allowed here (STO-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CID_CODEC_UNKNOWN"


class CidHashUnknownError(LogosError):
    """Not sha2-256 with 32 bytes (STO-1)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CID_HASH_UNKNOWN"


class HeaderExpectedError(LogosError):
    """A put starts with its header, once."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "HEADER_EXPECTED"


class FrameTooLargeError(LogosError):
    """A request of a put carries more than 4 MiB of content."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "FRAME_TOO_LARGE"
    field = "data"


class InvalidBlockSizeError(LogosError):
    """Not a power of two from 4 KiB to 512 KiB (STO-3)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_BLOCK_SIZE"


class InvalidFilenameError(LogosError):
    """A file name that STO-9 forbids."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_FILENAME"


class InvalidMimetypeError(LogosError):
    """A MIME type that STO-9 forbids."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_MIMETYPE"


class RangeNotSatisfiableError(LogosError):
    """The offset is past the end."""

    kind = ErrorKind.OUT_OF_RANGE
    reason = "RANGE_NOT_SATISFIABLE"


class DatasetUnknownError(LogosError):
    """This node holds nothing of the dataset."""

    kind = ErrorKind.NOT_FOUND
    reason = "DATASET_UNKNOWN"


class IncompleteLocalError(LogosError):
    """Blocks are missing here, and the caller wants no other node asked."""

    kind = ErrorKind.NOT_FOUND
    reason = "INCOMPLETE_LOCAL"


class InvalidPatienceError(LogosError):
    """A patience that is not from one second to seven days (STO-38)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "INVALID_PATIENCE"
    field = "patience"


class FetchLimitError(LocalFaultError):
    """As many fetches as a node keeps have not ended (STO-37)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "FETCH_LIMIT"


class FetchUnknownError(LogosError):
    """No fetch of the dataset was asked for, or it ended long ago."""

    kind = ErrorKind.NOT_FOUND
    reason = "FETCH_UNKNOWN"


class NoProvidersError(LogosError):
    """No node that holds the dataset was found."""

    kind = ErrorKind.NOT_FOUND
    reason = "NO_PROVIDERS"


class ProvidersUnreachableError(LogosError):
    """The nodes that were found do not answer."""

    kind = ErrorKind.UNAVAILABLE
    reason = "PROVIDERS_UNREACHABLE"
    retry_after_ms = 5000


class BadDataError(LocalFaultError):
    """False data: from every provider, or decayed on this node's disk."""

    kind = ErrorKind.DATA_LOSS
    reason = "BAD_DATA"


class QuotaExceededError(LocalFaultError):
    """Over the node's quota."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"


class DatasetBusyError(LogosError):
    """The dataset is being read, fetched or served."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "DATASET_BUSY"
    retry_after_ms = 1000


class FalseDataError(RemoteFaultError):
    """What a peer sent is false or breaks the protocol: the peer's fault."""

    kind = ErrorKind.DATA_LOSS
    reason = "FALSE_DATA"


class ProofRefusedError(FalseDataError):
    """A Merkle proof that does not verify (STO-7)."""

    reason = "PROOF_REFUSED"


class ManifestMalformedError(RemoteFaultError):
    """Bytes that are no manifest (STO-8)."""

    kind = ErrorKind.DATA_LOSS
    reason = "MANIFEST_MALFORMED"


class FrameMalformedError(FalseDataError):
    """Bytes from a peer that break the exchange protocol (STO-20 onwards)."""

    reason = "FRAME_MALFORMED"


class BlockRefusedError(FalseDataError):
    """An answer whose blocks are not what was asked for (STO-25)."""

    reason = "BLOCK_REFUSED"


class NetworkUnavailableError(LogosError):
    """The network module did not take a call."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NETWORK_UNAVAILABLE"


class CatalogueLostError(StateError):
    """There is content without a catalogue (STO-15)."""

    reason = "CATALOGUE_LOST"
