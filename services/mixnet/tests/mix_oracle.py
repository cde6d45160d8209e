"""A second decoder of packets, written from LIP-99, LIP-183 and RFC 7748 by other means.

Whole-number X25519, HMAC from its definition, counter mode from single AES blocks, and nothing of
the product. Slow, and not in constant time.
"""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

P = 2**255 - 19
KAPPA, R, T = 16, 5, 6
BETA = (R * (T + 1) + 1) * KAPPA


def x25519(k: bytes, u: bytes) -> bytes:
    """The ladder of RFC 7748 §5."""
    scalar = int.from_bytes(k, "little")
    scalar = scalar & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(u, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = scalar >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % P, b * b % P
        e = aa - bb
        da, cb = (x3 - z3) * a % P, (x3 + z3) * b % P
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def kdf(label: str, seed: bytes) -> bytes:
    return hashlib.sha256(label.encode() + seed).digest()


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """RFC 2104, for keys of up to 64 bytes."""
    inner = bytes(b ^ 0x36 for b in key.ljust(64, b"\0"))
    outer = bytes(b ^ 0x5C for b in key.ljust(64, b"\0"))
    return hashlib.sha256(outer + hashlib.sha256(inner + data).digest()).digest()


def ctr(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Counter mode of NIST SP 800-38A, with a counter of 128 bits."""
    block = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - of single blocks
    first = int.from_bytes(iv, "big")
    count = -(-len(data) // 16)
    counters = (((first + i) % 2**128).to_bytes(16, "big") for i in range(count))
    stream = b"".join(block.update(counter) for counter in counters)
    return bytes(a ^ b for a, b in zip(data, stream, strict=False))


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def lioness_keys(seed: bytes) -> list[bytes]:
    return [kdf(f"lioness_key{j}", seed) for j in (1, 2, 3, 4)]


def lioness_decrypt(seed: bytes, block: bytes) -> bytes:
    """LIP-183 §5.5, line by line."""
    k1, k2, k3, k4 = lioness_keys(seed)
    l2, r2 = block[:32], block[32:]
    l1 = xor(l2, hashlib.sha256(k4 + r2).digest())
    k = xor(k3, l1)
    r1 = ctr(k[:16], k[16:], r2)
    l0 = xor(l1, hashlib.sha256(k2 + r1).digest())
    k = xor(k1, l0)
    return l0 + ctr(k[:16], k[16:], r1)


def lioness_encrypt(seed: bytes, block: bytes) -> bytes:
    """LIP-183 §5.4, line by line."""
    k1, k2, k3, k4 = lioness_keys(seed)
    l0, r0 = block[:32], block[32:]
    k = xor(k1, l0)
    r1 = ctr(k[:16], k[16:], r0)
    l1 = xor(l0, hashlib.sha256(k2 + r1).digest())
    k = xor(k3, l1)
    r2 = ctr(k[:16], k[16:], r1)
    return xor(l1, hashlib.sha256(k4 + r2).digest()) + r2


@dataclass
class Peeled:
    """What LIP-99 §8.6 has a node find; `packet` where it is an intermediary."""

    secret: bytes
    address: bytes
    delay: int
    surb_id: bytes
    payload: bytes
    packet: bytes | None


def peel(packet: bytes, private_key: bytes) -> Peeled:
    """LIP-99 §8.6.1 to §8.6.3."""
    assert len(packet) == 4608
    alpha, beta, gamma, delta = (
        packet[:32],
        packet[32 : 32 + BETA],
        packet[32 + BETA : 48 + BETA],
        packet[48 + BETA :],
    )
    s = x25519(private_key, alpha)
    assert hmac_sha256(kdf("mac_key", s)[:16], beta)[:16] == gamma
    b = ctr(kdf("aes_key", s)[:16], kdf("iv", s)[:16], beta + bytes((T + 1) * KAPPA))
    payload = lioness_decrypt(kdf("payload_enc_key", s), delta)
    address, delay = b[: T * KAPPA - 2], int.from_bytes(b[T * KAPPA - 2 : T * KAPPA], "big")
    after = b[T * KAPPA : (T + 1) * KAPPA]
    if delay == 0:
        return Peeled(s, address, 0, after, payload, None)
    blinded = x25519(hashlib.sha256(alpha + s).digest(), alpha)
    following = blinded + b[(T + 1) * KAPPA :] + after + payload
    return Peeled(s, address, delay, after, payload, following)


def recover(reply_key: bytes, secrets: list[bytes], payload: bytes) -> bytes:
    """LIP-183 §7.3."""
    for s in reversed(secrets):
        payload = lioness_encrypt(kdf("payload_enc_key", s), payload)
    return lioness_decrypt(reply_key, payload)
