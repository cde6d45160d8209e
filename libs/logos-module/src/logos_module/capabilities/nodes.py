"""How the kernel of a node shows the broker of its testnet who it is (KER-25).

The two share a secret of 32 bytes, which the broker makes. From it, from a number that is new at
each start of the broker, and from one of each start of the kernel follows the key of the proofs
that the kernel's calls carry, those of modules: a counter, and a MAC of the method.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from logos_base.capabilities import NodeSubject
from logos_client.authorized import Metadata
from logos_module.access import Caller
from logos_module.capabilities import algorithms as algorithms  # noqa: PLC0414 - it loads them
from logos_module.capabilities.agreement import derived_key
from logos_module.capabilities.errors import ProofInvalidError, TokenMissingError
from logos_module.capabilities.metadata import PROOF_FIELD
from logos_module.capabilities.proofs import ProofChecker, Prover

NODE_FIELD: Final = "logos-node"
"""Name of the metadata with the caller's node."""
INSTANCE_FIELD: Final = "logos-instance-bin"
"""Name of the metadata with the number of the kernel's start, 16 bytes."""
START_BYTES: Final = 16
"""Size of the random numbers of a start, of the broker or of a kernel."""
KEPT_KERNELS: Final = 64
"""Starts of one kernel whose calls are told apart from copies of them."""

_DOMAIN: Final = b"logos-node-v1"


def _key(secret: bytes, broker: bytes, instance: bytes) -> bytes:
    return derived_key(secret, _DOMAIN + broker + instance)


class NodeCredential:
    """The kernel's side: what each call to the broker carries.

    Args:
        node: Name of the node.
        instance: Of this kernel's start, 16 bytes.
        secret: That of the node, 32 bytes.
        broker: Of the broker's start, 16 bytes.
    """

    def __init__(self, node: str, instance: bytes, secret: bytes, broker: bytes) -> None:
        self._node = node
        self._instance = instance
        self._prover = Prover(_key(secret, broker, instance))

    def metadata(self, method: str) -> Metadata:
        """Returns what a call of `package.Service/Method` carries; once for each call."""
        proof = self._prover.prove(self._instance, method)
        return (NODE_FIELD, self._node), (INSTANCE_FIELD, self._instance), (PROOF_FIELD, proof)


class NodeAuthorizer:
    """The broker's side: lets the calls of kernels pass that prove their node.

    Args:
        broker: Of the broker's start, 16 bytes.
        secret_of: Returns the secret of a node; None if there is no such node.
        free: Beginnings of the methods that need no proof.
    """

    def __init__(
        self, broker: bytes, secret_of: Callable[[str], bytes | None], free: tuple[str, ...]
    ) -> None:
        self._broker = broker
        self._secret_of = secret_of
        self._free = free
        self._checkers: dict[str, OrderedDict[bytes, ProofChecker]] = {}

    def authorize(self, caller: Caller, method: str) -> NodeSubject | None:
        """Returns the node whose kernel calls, or refuses the call."""
        if method.startswith(self._free):
            return None
        fields = dict(caller.metadata)
        node, instance = fields.get(NODE_FIELD), fields.get(INSTANCE_FIELD)
        proof = fields.get(PROOF_FIELD)
        if not (isinstance(node, str) and isinstance(instance, bytes) and isinstance(proof, bytes)):
            raise TokenMissingError(f"{method[1:200]} is for the kernels of the testnet alone")
        secret = self._secret_of(node)
        if secret is None or len(instance) != START_BYTES:
            raise ProofInvalidError("the caller is not the kernel of a node of this testnet")
        known = self._checkers.setdefault(node, OrderedDict())
        checker = known.get(instance) or ProofChecker(_key(secret, self._broker, instance))
        checker.check(proof, instance, method[1:])
        known[instance] = checker  # once its proof holds: what others claim takes no memory
        if len(known) > KEPT_KERNELS:
            known.popitem(last=False)
        return NodeSubject(node)
