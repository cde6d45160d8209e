"""The certificate of a listener, and its private key."""

import logging
from dataclasses import dataclass
from pathlib import Path

import grpc

from logos_base.errors import ErrorKind, LocalFaultError

log = logging.getLogger(__name__)

Pair = tuple[bytes, bytes]
"""Key and certificate, in gRPC's order."""


class CertificateUnusableError(LocalFaultError):
    """A certificate or its key cannot be read, or they do not belong together."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CERTIFICATE_UNUSABLE"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Two PEM files: a certificate with those that signed it, and its key without a password."""

    certificate: Path
    key: Path

    def read(self) -> Pair:
        """Returns the contents of both.

        Raises:
            CertificateUnusableError: They cannot be used; the text names the file.
        """
        pair = self.contents()
        self.check(pair)
        return pair

    def contents(self) -> Pair:
        """Returns the contents of both, unchecked.

        Raises:
            CertificateUnusableError: They cannot be read.
        """
        return _content(self.key), _content(self.certificate)

    def check(self, pair: Pair) -> None:
        """Raises `CertificateUnusableError` if contents cannot be used."""
        # A node without TLS, as on every testnet, does not pay for them.
        from cryptography import x509  # noqa: PLC0415
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )

        key, certificate = pair
        try:
            certified = x509.load_pem_x509_certificates(certificate)[0].public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CertificateUnusableError(f"{self.certificate}: no certificate in PEM") from error
        try:
            own = load_pem_private_key(key, None).public_key()
        except TypeError as error:
            raise CertificateUnusableError(f"{self.key}: has a password") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CertificateUnusableError(f"{self.key}: no private key in PEM") from error
        if own != certified:
            raise CertificateUnusableError(f"{self.key}: is not the key of {self.certificate}")


def credentials_of(files: CertificateFiles) -> grpc.ServerCredentials:
    """Returns what a server needs for TLS 1.2 or 1.3.

    Files that change serve the connections after that. While they cannot be used, e.g. because
    only one of them has been replaced yet, the last pair stays in use.

    Raises:
        CertificateUnusableError: They cannot be used now.
    """
    current = _Current(files)
    return grpc.dynamic_ssl_server_credentials(
        current.configuration,
        current.changed,  # type: ignore[arg-type]  # it may return None, as its text says
    )


class _Current:
    """Follows the files. gRPC asks it before each handshake, so the same is not checked twice."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen = files.read()
        self._trouble = ""
        self.configuration = _configuration(self._seen)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what to use from now on; None for what is in use."""
        try:
            found = self._files.contents()
            if found == self._seen:
                return None
            self._seen = found
            self._files.check(found)
        except CertificateUnusableError as error:
            self._note(str(error))
            return None
        log.info("certificate was replaced", extra={"path": str(self._files.certificate)})
        return _configuration(found)

    def _note(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("the last certificate stays in use", extra={"why": trouble})
        self._trouble = trouble


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([pair])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateUnusableError(f"{path}: {error.strerror}") from error
