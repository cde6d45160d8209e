"""Members, their packets and their keys, for the tests of rate limits."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto import rln
from logos_crypto.hashes import MODULUS, poseidon_hash
from logos_crypto.rln import Identity, Membership, RateLimitProof
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.members import (
    Members,
    MembersChanged,
    PlantTree,
    SaveAnnouncement,
    SaveSlash,
    plant,
)
from logos_mixnet.core.rln.nullifiers import Point
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import Evidence, SlashRecord

APPLICATION: Final = Application()
EPOCHS: Final = Epochs()
LIMIT: Final = 3
PACKET_BYTES: Final = 4_608
NOW_MS: Final = 5_000_000
EPOCH: Final = 500


@dataclass(frozen=True)
class Node:
    """A node with its key, and its secret as a member."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)
    identity: Identity

    @classmethod
    def named(cls, name: str) -> "Node":
        secret = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
        key = ec.derive_private_key(secret % 2**255, ec.SECP256K1())
        return cls(name, key, Identity.from_seed(f"the member {name}, a seed".encode()))

    @property
    def peer_id(self) -> bytes:
        public_key = self.key.public_key()
        point = public_key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return bytes.fromhex("002508021221") + point

    @property
    def commitment(self) -> bytes:
        return self.identity.commitment

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def announce(self, **changed: Any) -> bytes:
        values: dict[str, Any] = {
            "peer_id": self.peer_id,
            "identifier": APPLICATION.identifier,
            "commitment": self.commitment,
            "limit": LIMIT,
        }
        return Announcement.sign(self.sign, **(values | changed)).encode()

    def membership(self, members: Members) -> Membership:
        place = members.place(self.commitment)
        return Membership.of(
            self.identity,
            limit=place.limit,
            siblings=place.siblings,
            index=place.index,
            root=place.root,
        )

    def prove(
        self, members: Members, packet: bytes, message_id: int = 0, epoch: int = EPOCH
    ) -> bytes:
        """The 301 bytes at the end of a packet, by way of a preparation."""
        external_nullifier = APPLICATION.external_nullifier(epoch)
        prepared = self.membership(members).preparer().prepare(external_nullifier, message_id)
        proof = prepared.finish(rln.signal_x(packet))
        return RateLimitProof.of(proof, rln.epoch_bytes(epoch)).to_bytes()


def has_signed(peer_id: bytes, message: bytes, signature: bytes) -> bool:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), peer_id[6:])
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def packet(number: int) -> bytes:
    return number.to_bytes(8, "little") * (PACKET_BYTES // 8)


def line_frame(secret: int, message_id: int, epoch: int, signal: bytes, root: bytes) -> ProofFrame:
    """What a member's proof shows, without the proof: a point of its line."""
    external = int.from_bytes(APPLICATION.external_nullifier(epoch), "little")
    values = [value.to_bytes(32, "little") for value in (secret, external, message_id)]
    slope = poseidon_hash(values)
    x = rln.signal_x(signal)
    y = (secret + int.from_bytes(slope, "little") * int.from_bytes(x, "little")) % MODULUS
    nullifier = poseidon_hash([slope])
    return ProofFrame(bytes(128), root, epoch, x, y.to_bytes(32, "little"), nullifier)


def evidence_against(node: Node, epoch: int = EPOCH) -> Evidence:
    secret = int.from_bytes(node.identity.secret(), "little")
    one, other = (line_frame(secret, 0, epoch, packet(at), bytes(32)) for at in (1, 2))
    external = APPLICATION.external_nullifier(epoch)
    points = [Point(each.share_x, each.share_y) for each in (one, other)]
    return Evidence(epoch, external, one.nullifier, *points)


def slash_record(node: Node, reporter: Node) -> bytes:
    return SlashRecord.sign(reporter.sign, reporter.peer_id, evidence_against(node)).encode()


class MembersRig:
    """Members and what is stored of them."""

    def __init__(self, registry: Registry, error: Exception | None = None) -> None:
        self.error = error
        self.now_ms = NOW_MS
        self.saved: list[SaveAnnouncement | SaveSlash] = []
        self.windows: list[MembersChanged] = []
        self.outcome: Exception | None = None
        self.members = Members(APPLICATION, EPOCHS, LIMIT, has_signed, registry)
        self.perform(self.members.tick(self.now_ms))

    @property
    def roots(self) -> tuple[bytes, ...]:
        return self.windows[-1].roots

    def announce(self, raw: bytes) -> Exception | None:
        """Why an announcement is refused; None if it is not."""
        return self.ask(self.members.announced, raw)

    def slash(self, raw: bytes) -> Exception | None:
        return self.ask(self.members.slashed, raw)

    def ask(self, question: Any, raw: bytes) -> Exception | None:
        self.outcome = AssertionError("there was no answer")
        try:
            self.perform(question(Ticket(1), raw, self.now_ms))
        except Exception as error:  # noqa: BLE001 -- as the driver does
            return error
        return self.outcome

    def wait_epochs(self, count: int = 1) -> None:
        for _ in range(count):
            self.now_ms += EPOCHS.period_ms
            self.perform(self.members.tick(self.now_ms))

    def perform(self, effects: Sequence[Any]) -> None:
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            match effect:
                case SaveAnnouncement() | SaveSlash() if self.error is not None:
                    todo += self.members.not_saved(effect, self.error, self.now_ms)
                case SaveAnnouncement():
                    self.saved.append(effect)
                    todo += self.members.announcement_saved(effect, self.now_ms)
                case SaveSlash():
                    self.saved.append(effect)
                    todo += self.members.slash_saved(effect, self.now_ms)
                case PlantTree():
                    todo += self.members.planted(effect, plant(effect), self.now_ms)
                case MembersChanged():
                    self.windows.append(effect)
                case Answer():
                    self.outcome = None
                case Refuse():
                    self.outcome = effect.error
