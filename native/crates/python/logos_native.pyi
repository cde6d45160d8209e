"""The libp2p host of a node, and nothing that a test could do without it.

The swarm runs on its own thread. Commands go in at once and never block; what
happens comes out as events. `fileno()` is an eventfd that is readable whenever
events wait: watch it with `loop.add_reader` and call `drain()`. No method calls
back into Python.

Every method may raise `NativePanicError` once the swarm's thread has panicked.
A peer id is base58 text, an address is multiaddr text; `ValueError` where one
does not parse.
"""

from pathlib import Path
from typing import Literal, TypeAlias, final

class NativePanicError(RuntimeError):
    """The swarm's thread has panicked. The host is dead; end the process."""

Verdict: TypeAlias = Literal["accept", "reject", "ignore"]
KeyType: TypeAlias = Literal["secp256k1", "ed25519"]

def peer_id_of(secret_key: bytes, key_type: KeyType = "secp256k1") -> str:
    """Returns the peer id of a 32-byte secret key, without starting a host."""

@final
class Listening:
    """The host accepts connections at an address (with the real port)."""

    address: str

@final
class Connected:
    """One more connection to a peer stands."""

    peer_id: str
    address: str
    outbound: bool
    connections: int
    """Connections to this peer, this one included."""

@final
class Disconnected:
    """A connection to a peer has ended."""

    peer_id: str
    connections: int
    """Connections to this peer that remain."""
    reason: str

@final
class DialDone:
    """A `dial` has ended. `peer_id` is None if it failed, `error` if not."""

    request_id: int
    peer_id: str | None
    error: str | None

@final
class Identified:
    """A peer has said what it speaks. All of it is the peer's own claim."""

    peer_id: str
    agent: str
    """At most 256 bytes."""
    protocols: list[str]
    listen_addresses: list[str]

@final
class Pinged:
    """A round trip to a peer: every 15 s by itself, or after `ping`."""

    peer_id: str
    round_trip_us: int

@final
class Message:
    """A gossip message of a subscribed topic.

    It is not passed on before `judge` was called for it.
    """

    topic: str
    message_id: bytes
    """32 bytes, sha256 of the data."""
    data: bytes
    from_peer_id: str
    received_unix_us: int

@final
class MessagesLost:
    """Messages of a topic were dropped because the queue was not drained."""

    topic: str
    count: int

@final
class PublishDone:
    """A `publish` has ended. `error` is None, or one of "duplicate",
    "no_peers", "queue_full", "too_large"."""

    request_id: int
    error: str | None

@final
class TopicsListed:
    """The topics that this node follows. Of each: its name; its followers that
    are connected, with their scores; and those of them that are in the mesh."""

    request_id: int
    topics: list[tuple[str, list[tuple[str, float]], list[str]]]

@final
class ProvidersFound:
    """Providers of a key. The search ends with an event that has `done`."""

    request_id: int
    providers: list[tuple[str, list[str]]]
    """Peer id and known addresses of each, not seen before in this search."""
    done: bool

@final
class ProvideDone:
    """A `provide` has reached the closest peers, or none (`error` "no_peers").

    Announcements are not answered: they may still be on their way."""

    request_id: int
    error: str | None

@final
class StreamOpened:
    """An `open_stream` has ended.

    `stream_id` is None if it failed; `error` is then one of "unreachable",
    "not_supported", "banned", "too_many", "reset".
    """

    request_id: int
    stream_id: int | None
    error: str | None

@final
class StreamIncoming:
    """A peer has opened a stream of an accepted protocol. Reading from the
    network begins with the first `stream_grant`."""

    stream_id: int
    peer_id: str
    protocol: str

@final
class StreamData:
    """Bytes from the peer, at most 256 KiB and within the granted credit."""

    stream_id: int
    data: bytes

@final
class StreamWritten:
    """Bytes given to `stream_write` were handed to the connection."""

    stream_id: int
    count: int

@final
class StreamEnded:
    """The peer sends no more (half-close). Writing goes on."""

    stream_id: int

@final
class StreamClosed:
    """The stream is gone and its id with it. `error` is None if both
    directions had ended, else why it was reset. Always the last event.

    Once this side has closed its writing, yamux cannot distinguish a reset by the
    peer, or a lost connection, from an end: a protocol must know by itself
    whether it has read all. The stream counts against `max_streams` until
    this event is drained."""

    stream_id: int
    error: str | None

Event: TypeAlias = (
    Listening
    | Connected
    | Disconnected
    | DialDone
    | Identified
    | Pinged
    | Message
    | MessagesLost
    | PublishDone
    | TopicsListed
    | ProvidersFound
    | ProvideDone
    | StreamOpened
    | StreamIncoming
    | StreamData
    | StreamWritten
    | StreamEnded
    | StreamClosed
)

@final
class Traffic:
    """What a link has carried since the oldest of its connections was made.

    A message is what one stream sent at once, at most 64 KiB of our hosts'. Bytes are all
    inside of the encryption, with the headers of messages and the upkeep of the connection.
    """

    since_unix_us: int
    received_messages: int
    received_bytes: int
    sent_messages: int
    sent_bytes: int

@final
class Host:
    """One libp2p host: TCP, Noise, yamux, identify, ping, gossipsub, Kademlia.

    Memory is bounded if it is not drained: gossip messages beyond
    `max_queued_messages` or `max_queued_message_bytes` are dropped and counted,
    stream bytes stop at the granted credit, incoming streams beyond
    `max_streams` (and beyond 384 of one peer) are reset, and state events
    (connections) are merged once more than a thousand wait.
    """

    def __init__(
        self,
        *,
        secret_key: bytes,
        key_type: KeyType = "secp256k1",
        listen_addresses: list[str],
        agent: str,
        gossip_protocol: str = "/vac/waku/relay/2.0.0",
        kademlia_protocol: str = "/logos/kad/1.0.0",
        kademlia_server: bool = True,
        provider_record_ttl_s: int = 86_400,
        provider_publication_interval_s: int = 39_600,
        max_connections: int = 250,
        max_connections_per_peer: int = 2,
        max_streams: int = 1024,
        max_message_bytes: int = 153_600,
        max_queued_messages: int = 4096,
        max_queued_message_bytes: int = 16_777_216,
        idle_connection_timeout_s: int = 600,
        flood_publish: bool = True,
        allowed_peers: list[str] | None = None,
    ) -> None:
        """Starts the host. Raises OSError if an address cannot be listened at."""

    @property
    def peer_id(self) -> str: ...
    def fileno(self) -> int:
        """The eventfd. Owned by the host; do not close it."""

    def drain(self, limit: int = 1024) -> list[Event]:
        """Takes up to `limit` events, and `MessagesLost` beside them. The eventfd
        stays readable if more wait."""

    def close(self) -> None:
        """Ends every connection and the thread, within two seconds. Idempotent,
        and fine after a panic. Later calls raise RuntimeError, but for `drain`."""

    # Peers
    def dial(self, address: str) -> int:
        """Dials an address, with or without /p2p. Ends with `DialDone`."""

    def disconnect(self, peer_id: str) -> None: ...
    def add_address(self, peer_id: str, address: str) -> None:
        """Makes an address known, for later streams and searches."""

    def ban(self, peer_id: str) -> None:
        """Refuses a peer and closes its connections. Not persistent."""

    def unban(self, peer_id: str) -> None: ...
    def isolate(self, is_on: bool) -> None:
        """Closes every connection and refuses all, in and out; or no longer. Not persistent."""

    def ping(self, peer_id: str) -> None:
        """Asks for a `Pinged` event soon. Nothing comes if it is not connected."""

    def traffic(self) -> dict[str, Traffic]:
        """What the link to each connected peer has carried, by peer id. Waits for nothing."""

    # Gossip
    def subscribe(self, topic: str) -> None: ...
    def unsubscribe(self, topic: str) -> None: ...
    def publish(self, topic: str, data: bytes) -> int:
        """Publishes without author, number or signature. Ends with `PublishDone`."""

    def list_topics(self) -> int:
        """Asks for the topics that this node follows. Ends with `TopicsListed`."""

    def judge(self, message_id: bytes, from_peer_id: str, verdict: Verdict) -> None:
        """Passes a message on or drops it. Within five seconds: gossipsub forgets
        messages that were not judged, and then they go nowhere."""

    # Discovery
    def provide(self, key: bytes) -> int:
        """Announces a key, and again at every publication interval."""

    def stop_providing(self, key: bytes) -> None: ...
    def find_providers(self, key: bytes) -> int:
        """Ends with the `ProvidersFound` that has `done`. This host is among the
        providers if it provides the key."""
    def bootstrap(self) -> None:
        """Refreshes the routing table by a search for this host's own id."""

    # Streams
    def accept_streams(self, protocol: str) -> None:
        """Lets peers open streams of a protocol. ValueError if already accepted."""

    def refuse_streams(self, protocol: str) -> None: ...
    def open_stream(self, peer_id: str, protocol: str) -> int:
        """Ends with `StreamOpened`. Dials if an address is known."""

    def stream_grant(self, stream_id: int, count: int) -> None:
        """Lets `count` more bytes come in as `StreamData`."""

    def stream_write(self, stream_id: int, data: bytes | memoryview) -> None:
        """Queues bytes. Keep what is queued and not yet `StreamWritten` small:
        the host does not bound it, the caller does."""

    def stream_close_write(self, stream_id: int) -> None:
        """Half-closes after what is queued."""

    def stream_reset(self, stream_id: int) -> None:
        """Drops both directions at once."""

    # Faults
    def panic_for_test(self) -> None:
        """Makes the swarm's thread panic, so that tests see what follows."""

# Zero knowledge. A field value is 32 bytes, little-endian, below the modulus of BN254's scalar
# field. A broken rule raises `ZkError`. Proving and verifying release the GIL.

class ZkError(ValueError):
    """A rule of a proof, of its bytes or of its witness is broken."""

    reason: str
    """The stable name of the broken rule, UPPER_SNAKE."""
    relation: str | None
    """Of a witness: which relation of the circuit its values do not keep."""

# RLN

def rln_load_keys() -> None:
    """Reads the keys of both circuits now; otherwise the first use does."""

def rln_rate_commitment(commitment: bytes, limit: int) -> bytes:
    """The leaf of a member. `limit` is 1 to 65,535."""

def rln_verify_all(
    claims: list[tuple[RlnProof, list[bytes], bytes, bytes]],
) -> list[str | None]:
    """Of proofs with roots, external nullifier and x: why each is refused; None if it is not."""

def rln_external_nullifier(epoch: bytes, rln_identifier: bytes, *, raw: bool = False) -> bytes:
    """Of a 32-byte epoch and an identifier of at most 32 bytes, zero-padded here.

    Each is hashed to the field first; where `raw`, each is read as a field value.
    """

def rln_epoch_number(epoch: bytes) -> int:
    """Of 32 bytes, little-endian; 64 bits."""

def rln_signal_x(signal: bytes) -> bytes: ...
def rln_verifying_key_json(*, multi: bool = False) -> str:
    """A circuit's verifying key as snarkjs writes it."""

def rln_recover(
    one: list[tuple[bytes, bytes, bytes, bytes]], other: list[tuple[bytes, bytes, bytes, bytes]]
) -> RlnIdentity:
    """The identity of two proofs' shares: external nullifier, nullifier, x, y."""

@final
class RlnIdentity:
    @staticmethod
    def random() -> RlnIdentity: ...
    @staticmethod
    def from_seed(seed: bytes, *, extended: bool = False) -> RlnIdentity:
        """zerokit's identity of a seed of at least 16 bytes; `extended` as Semaphore's."""

    @staticmethod
    def from_secret(secret: bytes) -> RlnIdentity: ...
    @property
    def commitment(self) -> bytes: ...
    def secret(self) -> bytes:
        """The secret, to be stored. Python cannot zero it."""

@final
class RlnMembership:
    """One member at one root, checked when made."""

    def __new__(
        cls, identity: RlnIdentity, *, limit: int, siblings: list[bytes], index: int, root: bytes
    ) -> RlnMembership: ...
    @property
    def root(self) -> bytes: ...
    def prove(self, *, external_nullifier: bytes, x: bytes, message_id: int) -> RlnProof: ...
    def prove_multi(
        self, *, external_nullifier: bytes, x: bytes, message_ids: list[int]
    ) -> RlnProof: ...
    def cached(self, *, multi: bool = False) -> RlnCachedMembership: ...
    def preparer(self) -> RlnPreparer: ...

@final
class RlnCachedMembership:
    def prove(
        self, *, external_nullifier: bytes, x: bytes, message_ids: list[int]
    ) -> RlnProof:
        """One id unless the part was cached for multi proofs; then one to four."""

@final
class RlnPreparer:
    def prepare(self, *, external_nullifier: bytes, message_id: int) -> RlnPrepared: ...

@final
class RlnPrepared:
    def finish(self, x: bytes) -> RlnProof:
        """Once; then `PREPARATION_SPENT`."""

@final
class RlnProof:
    @staticmethod
    def from_bytes(
        raw: bytes, *, multi: bool = False, big_endian_values: bool = False
    ) -> RlnProof:
        """zerokit's encoding, of 289 bytes or, where `multi`, 509."""

    def to_bytes(self, *, big_endian_values: bool = False) -> bytes: ...
    @staticmethod
    def from_bundle(raw: bytes) -> RlnProof:
        """The 288 bytes of zerokit up to 0.9."""

    def to_bundle(self) -> bytes:
        """`ENCODING_TAG` for a multi proof."""

    def verify(self, *, roots: list[bytes], external_nullifier: bytes, x: bytes) -> None: ...
    def proof_json(self) -> str:
        """The proof without its values, as snarkjs writes it."""

    def public_json(self) -> str:
        """The public inputs, likewise."""

    @property
    def multi(self) -> bool: ...
    @property
    def groth16(self) -> bytes: ...
    @property
    def public_inputs(self) -> list[bytes]: ...
    @property
    def root(self) -> bytes: ...
    @property
    def shares(self) -> list[list[bytes]]:
        """External nullifier, nullifier, x, y of every message id used."""

@final
class RlnRateLimitProof:
    """LIP-144's message."""

    def __new__(cls, proof: RlnProof, epoch: bytes) -> RlnRateLimitProof: ...
    @staticmethod
    def from_bytes(raw: bytes) -> RlnRateLimitProof: ...
    def to_bytes(self) -> bytes: ...
    @property
    def epoch(self) -> bytes: ...
    def proof(self, external_nullifier: bytes) -> RlnProof: ...

# Packets of the mix. `ValueError` where a secret has not 32 bytes, a seed fewer than 16, a block
# fewer than 64.

def sphinx_header_mac(secret: bytes, beta: bytes) -> bytes:
    """Returns gamma, 16 bytes."""

def sphinx_header_stream(secret: bytes, data: bytes) -> bytes:
    """Encrypts or decrypts routing information."""

def sphinx_lioness_encrypt(seed: bytes, block: bytes) -> bytes:
    """Permutes a block."""

def sphinx_lioness_decrypt(seed: bytes, block: bytes) -> bytes:
    """Reverses `sphinx_lioness_encrypt`."""

class TagSet:
    """A set of tags that only grows. A tag is 16 bytes, not all zeros, else `ValueError`."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, tag: bytes) -> bool: ...
    def add(self, tag: bytes) -> bool:
        """Adds a tag; returns whether it was not there."""

    def add_all(self, tags: bytes) -> None:
        """Adds tags, one behind the other."""

# Hashes and trees: what is refused changes nothing.

def poseidon_hash(inputs: list[bytes]) -> bytes:
    """Hashes 1 to 8 field values with circom's Poseidon."""

def poseidon2_hash(inputs: list[bytes]) -> bytes:
    """Hashes any number of field values with Poseidon2."""

def poseidon2_compress(left: bytes, right: bytes) -> bytes:
    """The node above two field values, by Poseidon2."""

@final
class MerklePath:
    """The way from a leaf to the root of a tree. Immutable, equal by value."""

    def __init__(self, index: int, siblings: list[bytes]) -> None:
        """At most 32 siblings, the one beside the leaf first."""

    @property
    def index(self) -> int:
        """Where the leaf is, counted from the left."""

    @property
    def siblings(self) -> list[bytes]: ...
    @property
    def selectors(self) -> list[bool]:
        """The index as circuits want it: the root's level first, set where the
        sibling is on the left. The siblings stay in their order."""

    def __hash__(self) -> int: ...

@final
class LedgerTree:
    """Depth 32, Poseidon2: distinct leaves; the first empty slot is filled.

    Every method may be called from any thread. `history` roots are remembered,
    1 to 65,536, the present one among them.
    """

    def __init__(self, *, history: int = 1) -> None: ...
    @staticmethod
    def restore(snapshot: bytes) -> LedgerTree:
        """Reads what `snapshot` wrote. Hashes the whole tree."""

    @staticmethod
    def path_root(leaf: bytes, path: MerklePath) -> bytes:
        """The root that a path of this kind of tree leads a leaf to."""

    def __len__(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    def contains_root(self, root: bytes) -> bool: ...
    def slot_of(self, leaf: bytes) -> int | None: ...
    def insert(self, leaf: bytes) -> int:
        """Returns the leaf's slot."""

    def remove(self, leaf: bytes) -> None: ...
    def update(self, removed: list[bytes], inserted: list[bytes]) -> list[int]:
        """Removes, then inserts in order, as one change with one new root.
        Returns the slots of what was inserted."""

    def path(self, leaf: bytes) -> MerklePath: ...
    def paths(self, leaves: list[bytes]) -> list[MerklePath]: ...
    def snapshot(self) -> bytes:
        """40 bytes a leaf, 32 a remembered root."""

@final
class FrontierTree:
    """Depth 32, Poseidon2: leaves are appended only, and not kept."""

    def __init__(self) -> None: ...
    @staticmethod
    def restore(snapshot: bytes) -> FrontierTree: ...
    def __len__(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    def append(self, leaf: bytes) -> int:
        """Returns the leaf's index."""

    def append_many(self, leaves: list[bytes]) -> int:
        """Returns the index of the first."""

    def snapshot(self) -> bytes:
        """At most 1100 bytes."""

@final
class SortedTree:
    """Depth 20, Poseidon2, over a set in ascending order. Immutable."""

    def __init__(self, values: list[bytes]) -> None: ...
    @staticmethod
    def path_root(leaf: bytes, path: MerklePath) -> bytes:
        """The root that a path of this kind of tree leads a value to."""

    def __len__(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    def path(self, value: bytes) -> MerklePath: ...
    def paths(self, values: list[bytes]) -> list[MerklePath]: ...

@final
class RlnTree:
    """Depth 20, circom's Poseidon: leaves at the indices that are given.

    Every method may be called from any thread. `history` roots are remembered,
    1 to 65,536, the present one among them.
    """

    def __init__(self, *, history: int = 1) -> None: ...
    @staticmethod
    def restore(snapshot: bytes) -> RlnTree:
        """Reads what `snapshot` wrote. Hashes the whole tree."""

    @staticmethod
    def path_root(leaf: bytes, path: MerklePath) -> bytes:
        """The root that a path of this kind of tree leads a leaf to."""

    def __len__(self) -> int: ...
    @property
    def root(self) -> bytes: ...
    def contains_root(self, root: bytes) -> bool: ...
    def leaf(self, index: int) -> bytes:
        """Zero if there is none."""

    def set(self, index: int, leaf: bytes) -> None: ...
    def set_many(self, leaves: list[tuple[int, bytes]]) -> None: ...
    def set_range(self, first_index: int, leaves: list[bytes]) -> None: ...
    def remove(self, index: int) -> None: ...
    def remove_many(self, indices: list[int]) -> None: ...
    def path(self, index: int) -> MerklePath: ...
    def paths(self, indices: list[int]) -> list[MerklePath]: ...
    def snapshot(self) -> bytes:
        """40 bytes a leaf, 32 a remembered root."""

# Circuits. Values are joined field values, in the order of the circuit's layout.

def circuit_names() -> list[str]:
    """Every circuit."""

def circuit_layout(name: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Names and numbers of the public and of the private values of a circuit."""

def circuit_check(name: str, public: bytes, private: bytes) -> None:
    """Raises `ZkError` that names the first relation that the values do not keep."""

def circuit_is_satisfied(name: str, public: bytes, private: bytes) -> bool:
    """Whether the constraints hold, whatever `circuit_check` says: for tests."""

def proof_to_json(proof: bytes) -> str:
    """A proof of 128 bytes as snarkjs writes it."""

@final
class Cancellation:
    """Cancels a running proof. Any thread may use it."""

    def __init__(self) -> None: ...
    def cancel(self) -> None:
        """Has the work end at its next step, at most about 0.2 s away."""

    @property
    def is_cancelled(self) -> bool: ...

@final
class CachedPart:
    """The fixed part of a witness, summed. Secret."""

@final
class CircuitKey:
    """The proving key of one circuit."""

    @staticmethod
    def generate(circuit: str) -> CircuitKey:
        """From the randomness of the operating system. A second or two."""

    @staticmethod
    def insecure_from_seed(circuit: str, seed: bytes) -> CircuitKey:
        """From 32 bytes: the same key each time; with them, proofs can be forged."""

    @property
    def circuit(self) -> str: ...
    @property
    def is_insecure(self) -> bool:
        """Whether the setup's secrets can be derived, and so false statements proved (KEY-5)."""

    @property
    def contributions(self) -> int:
        """Contributions of the ceremony that it came out of; 0 for a setup by one party."""

    @property
    def verifying_key_hash(self) -> bytes:
        """32 bytes: what a genesis names (KEY-2)."""

    def verifier(self) -> CircuitVerifier:
        """Its verifying key, prepared."""

    def prove_fixed(
        self, public: bytes, private: bytes, cancellation: Cancellation
    ) -> CachedPart:
        """Sums the fixed part, for every later proof that shares it."""

    def prove(
        self,
        public: bytes,
        private: bytes,
        cancellation: Cancellation,
        cached: CachedPart | None = None,
    ) -> bytes:
        """A proof of 128 bytes. A false witness is named before anything is proven."""

@final
class CircuitVerifier:
    """The verifying key of one circuit, prepared."""

    @property
    def circuit(self) -> str: ...
    @property
    def is_insecure(self) -> bool:
        """As of its key (KEY-5)."""

    def to_bytes(self) -> bytes:
        """Compressed, little-endian: alpha, beta, gamma, delta, then a point for each input."""

    def to_json(self) -> str:
        """As snarkjs writes it."""

    def verify(self, public: bytes, proof: bytes) -> bool:
        """Whether the proof holds. `ZkError` for what is no proof or no public inputs."""

    def verify_all(self, claims: list[tuple[bytes, bytes]]) -> bool:
        """Whether all proofs hold, for public inputs and proofs of this circuit."""

# Keys and ceremonies. What is refused raises `ZkError`.

@final
class CircuitKeys:
    """A folder of keys, found by circuit and hash. Holds nothing in memory (KEY-7)."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder where there is none."""

    def add(self, key: CircuitKey) -> Path:
        """Writes a key, and beside it its verifying key alone; where the key stands."""

    def load(self, circuit: str, verifying_key_hash: bytes) -> CircuitKey:
        """The key that a genesis names (KEY-8), joined with its circuit (KEY-9)."""

    def load_verifier(self, circuit: str, verifying_key_hash: bytes) -> CircuitVerifier:
        """Its verifying key alone, prepared."""

@final
class Ceremony:
    """A setup that many contribute to (CER-1). One thread at a time."""

    @staticmethod
    def begin(key: CircuitKey) -> Ceremony:
        """On the key of a setup by one party."""

    @staticmethod
    def load(path: Path) -> Ceremony:
        """Reads a transcript strictly, and verifies nothing yet. Untrusted."""

    def save(self, path: Path) -> None:
        """Writes the whole transcript, or nothing."""

    @property
    def circuit(self) -> str: ...
    @property
    def is_insecure(self) -> bool: ...
    @property
    def hash(self) -> bytes:
        """32 bytes, of all there is so far: what contributors publish and compare."""

    @property
    def contributions(self) -> list[tuple[str, bytes]]:
        """Name and hash of each."""

    def verify_step(self) -> int:
        """Verifies the initial key or a contribution; how many of them are left."""

    def contribute(self, name: str, entropy: bytes) -> bytes:
        """Verifies what is left, adds a contribution, and returns its hash."""

    def finish(self) -> CircuitKey:
        """Verifies what is left, and returns the key that came out."""

# Shards. `ValueError` where their counts or sizes are refused.

def leopard_encode(data: list[bytes], parity: int) -> list[bytes]:
    """Returns the parity shards of data shards."""

def leopard_reconstruct(shards: list[bytes | None], data: int) -> list[bytes]:
    """Returns the data shards, from any so many of data and parity shards."""

def keccak256(data: bytes) -> bytes:
    """Returns the hash of Ethereum, 32 bytes."""

def keccak256_end_of_padded(data: bytes, least: int, digest: bytes) -> int | None:
    """Returns where data ends that was padded with zeros, by its hash."""
