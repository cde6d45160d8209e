"""Draws from every source of randomness that kernels and modules use; prints them as JSON."""

import json
import os
import random  # noqa: TID251 -- libraries use it
import secrets
import select
import socket
import sqlite3
import ssl
import sys
import tempfile
import uuid
from collections.abc import Callable

from logos_crypto.circuits import CircuitKey
from logos_crypto.rln import Identity, Membership, external_nullifier, signal_x
from logos_crypto.trees import RlnTree
from logos_native import Host, Listening


def temporary_name() -> str:
    return os.path.basename(tempfile.mktemp())  # noqa: S306, PTH119 -- only its name


def sqlite_random() -> str:
    with sqlite3.connect(":memory:") as connection:
        return str(connection.execute("select hex(randomblob(16))").fetchone()[0])


def rln_identity() -> str:
    return Identity.random().commitment.hex()


def rln_blinding() -> str:
    """The bytes of a proof of one and the same statement."""
    identity, tree = Identity.from_seed(b"sixteen bytes at least"), RlnTree()
    tree.set(5, identity.rate_commitment(3))
    path = tree.path(5)
    member = Membership.of(identity, limit=3, siblings=path.siblings, index=5, root=tree.root)
    outer = external_nullifier(bytes(32), b"draws")
    return member.prove(outer, signal_x(b"signal"), 0).to_bytes().hex()


def circuit_key() -> str:
    return CircuitKey.generate("signature2").verifying_key_hash.hex()


def noise_key() -> str:
    """The ephemeral key that a libp2p host shows to a peer (Noise XX, its first message)."""
    host = Host(
        secret_key=bytes([7]) * 32, listen_addresses=["/ip4/127.0.0.1/tcp/0"], agent="draws"
    )
    try:
        address = _listening(host)
        with socket.create_connection(("127.0.0.1", int(address.rpartition("/")[2]))) as peer:
            for protocol in (b"/multistream/1.0.0\n", b"/noise\n"):
                peer.sendall(bytes([len(protocol)]) + protocol)
                assert _exactly(peer, len(protocol) + 1)[1:] == protocol
            peer.sendall(b"\x00\x20" + bytes([9]) * 32)
            return _exactly(peer, 34)[2:].hex()
    finally:
        host.close()


def _listening(host: Host) -> str:
    while True:
        select.select([host.fileno()], [], [])
        for event in host.drain():
            if isinstance(event, Listening):
                return event.address


def _exactly(peer: socket.socket, count: int) -> bytes:
    return peer.recv(count, socket.MSG_WAITALL)


SOURCES: dict[str, Callable[[], object]] = {
    "random": random.random,
    "random_generator": lambda: random.Random().random(),  # noqa: S311 -- no secret
    "secrets": secrets.token_hex,
    "os": lambda: os.urandom(16).hex(),
    "openssl": lambda: ssl.RAND_bytes(16).hex(),
    "uuid1": lambda: str(uuid.uuid1()),
    "uuid4": lambda: str(uuid.uuid4()),
    "temporary_name": temporary_name,
    "sqlite": sqlite_random,
    "rln_identity": rln_identity,
    "rln_blinding": rln_blinding,
    "circuit_key": circuit_key,
    "noise_key": noise_key,
}

if __name__ == "__main__":
    json.dump({name: draw() for name, draw in SOURCES.items()}, sys.stdout)
