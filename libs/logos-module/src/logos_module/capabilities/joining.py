"""The proofs by which a module and its kernel know each other: their join secret (KER-15)."""

import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logos_base.errors import ErrorKind, LogosError, StateError

JOIN_SECRET_BYTES: Final = 32
NONCE_BYTES: Final = 32

_JOIN_DOMAIN: Final = b"logos-join-v1"
_KERNEL_DOMAIN: Final = b"logos-kernel-v1"


class JoinSecretError(StateError):
    """The join secret of a module cannot be read."""

    reason = "JOIN_SECRET_UNUSABLE"


class KernelUnprovenError(LogosError):
    """What answers as the kernel does not know the module's join secret."""

    kind = ErrorKind.UNAUTHENTICATED
    reason = "KERNEL_UNPROVEN"


def read_join_secret(path: Path) -> bytes | None:
    """Returns the secret, 32 bytes; None if the kernel has not made it yet.

    Raises:
        JoinSecretError: The file has another size, or may not be read.
    """
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JoinSecretError(f"{path} cannot be read: {error.strerror}") from error
    if len(secret) != JOIN_SECRET_BYTES:
        raise JoinSecretError(
            f"{path} has {len(secret)} bytes, not {JOIN_SECRET_BYTES}: remove it, and start the"
            " kernel again"
        )
    return secret


def join_proof(
    secret: bytes,
    *,
    nonce: bytes,
    module: str,
    instance_id: bytes,
    endpoint: str,
    public_key: bytes,
) -> bytes:
    """Returns a module's proof of a registration, 32 bytes."""
    fields = (nonce, module.encode(), instance_id, endpoint.encode(), public_key)
    return _mac(secret, _JOIN_DOMAIN, fields)


def kernel_proof(
    secret: bytes,
    *,
    nonce: bytes,
    public_key: bytes,
    kernel_key: bytes,
    signing_keys: Sequence[bytes],
    now_s: int,
) -> bytes:
    """Returns the kernel's proof of its answer, 32 bytes."""
    now = now_s.to_bytes(8, "big")
    return _mac(secret, _KERNEL_DOMAIN, (nonce, public_key, kernel_key, now, *signing_keys))


def _mac(secret: bytes, domain: bytes, fields: Sequence[bytes]) -> bytes:
    """HMAC-SHA256 of the domain and of every field with its length (8 bytes, big-endian)."""
    parts = (len(field).to_bytes(8, "big") + field for field in fields)
    return hmac.digest(secret, domain + b"".join(parts), "sha256")
