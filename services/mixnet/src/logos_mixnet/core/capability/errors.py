"""What a peer may do wrong in capability discovery, one class per rule.

Spec: docs/protocol/discovery.md. All but `RecordTooLargeError` are a peer's fault.
"""

from logos_base.errors import ErrorKind, LocalFaultError, RemoteFaultError


class MessageMalformedError(RemoteFaultError):
    """Bytes are no Protocol Buffers message, or one that breaks a limit (DIS-2)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "DISCOVERY_MESSAGE_MALFORMED"


class KeyMalformedError(RemoteFaultError):
    """A public key or a peer id is of no type that signs records (DIS-3)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "DISCOVERY_KEY_MALFORMED"


class EnvelopeTypeError(RemoteFaultError):
    """An envelope holds something else than a peer record (DIS-4)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ENVELOPE_TYPE"


class EnvelopeSignatureError(RemoteFaultError):
    """The signature of an envelope is not of its key, its domain and its payload (DIS-4)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "ENVELOPE_SIGNATURE"


class RecordSizeError(RemoteFaultError):
    """A record is over 1024 bytes, or the data of a service over 33 (DIS-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RECORD_SIZE"


class RecordMalformedError(RemoteFaultError):
    """A record lacks its peer id, or names a service or an address without content (DIS-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RECORD_MALFORMED"


class RecordSignerError(RemoteFaultError):
    """A record was signed by another peer than it is about (DIS-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RECORD_SIGNER"


class ServiceNotAdvertisedError(RemoteFaultError):
    """An advertisement does not name the service that it was registered for (DIS-6)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "SERVICE_NOT_ADVERTISED"


class TicketSignatureError(RemoteFaultError):
    """This registrar has not signed the ticket, or not so (DIS-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TICKET_SIGNATURE"


class TicketOtherError(RemoteFaultError):
    """A ticket is for another advertisement (DIS-9)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TICKET_OTHER"


class TicketWindowError(RemoteFaultError):
    """A ticket comes back too early or too late (DIS-10)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "TICKET_WINDOW"


class RecordOutdatedError(RemoteFaultError):
    """The registrar holds a newer record of the peer (DIS-14)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "RECORD_OUTDATED"


class RecordTooLargeError(LocalFaultError):
    """An own record with its services and addresses is over the limits (DIS-5)."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "RECORD_TOO_LARGE"
