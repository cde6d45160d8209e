"""The callee's side: from a token and a proof to who calls (KER-15, KER-16)."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from nacl.public import PrivateKey
from nacl.signing import VerifyKey

from logos_base.capabilities import Claims, Revocation, allows
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.errors import (
    MethodDeniedError,
    TokenExpiredError,
    TokenInvalidError,
    TokenRevokedError,
)
from logos_module.capabilities.proofs import ProofChecker, shared_key
from logos_module.capabilities.tokens import key_id_of, verify
from logos_module.errors import ModuleNotReadyError

K = TypeVar("K")
T = TypeVar("T")

MAX_KNOWN: Final = 4096
"""Tokens, and callers, that are kept in mind."""


class Verifier:
    """Decides on the calls to one process."""

    def __init__(self, audience: str, own_key: PrivateKey, now_s: Callable[[], int]) -> None:
        self._audience = audience
        self._own_key = own_key
        self._now_s = now_s
        self.public_key: Final = public_key_of(own_key)
        self._keys: Mapping[bytes, VerifyKey] = {}
        self._known: OrderedDict[bytes, Claims] = OrderedDict()
        self._callers: OrderedDict[tuple[bytes, bytes], ProofChecker] = OrderedDict()
        self._revoked: dict[str, Revocation] = {}
        """By module."""

    def trust(self, public_keys: list[bytes]) -> None:
        """Sets the kernel's Ed25519 keys, 32 bytes each: new tokens need one of them."""
        self._keys = {key_id_of(key): VerifyKey(key) for key in public_keys}
        self._known.clear()

    def revoke(self, revocation: Revocation) -> None:
        """Refuses tokens from now on."""
        held = self._revoked.get(revocation.module, revocation)
        self._revoked[revocation.module] = held.joined(revocation)

    def admit(self, token: bytes, proof: bytes, method: str) -> Claims:
        """Returns who calls, or refuses the call.

        Args:
            token: As it came with the call.
            proof: 24 bytes, as `Prover.prove` makes them.
            method: `package.Service/Method`.

        Raises:
            TokenInvalidError, TokenExpiredError, TokenRevokedError: The token is no good.
            ProofInvalidError: It is not the caller's, or the call is a copy.
            MethodDeniedError: It is for other methods.
            ModuleNotReadyError: This process has no keys yet to verify anything with: a caller
                that knows the address of the last process is to try again.
        """
        if not self._keys:
            raise ModuleNotReadyError(f"{self._audience} is not registered yet")
        claims = self._claims_of(token)
        self._refuse_old(claims)
        self._checker_of(claims).check(proof, claims.token_id, method)
        if not allows(claims.methods, method):
            raise MethodDeniedError(f"the token is not for {method}")
        return claims

    def _claims_of(self, token: bytes) -> Claims:
        claims = self._known.get(token)
        if claims is None:
            claims = verify(token, self._keys)
            if claims.audience != self._audience:
                raise TokenInvalidError(f"the token is for {claims.audience}")
            _keep(self._known, token, claims)
        return claims

    def _refuse_old(self, claims: Claims) -> None:
        if claims.expires_at_s <= self._now_s():
            raise TokenExpiredError("the token has expired")
        revocation = self._revoked.get(claims.subject.name)
        if revocation is not None and revocation.covers(claims):
            raise TokenRevokedError("the token was revoked")

    def _checker_of(self, claims: Claims) -> ProofChecker:
        proof_key, instance_id = claims.proof_key, claims.subject.instance_id
        caller = (proof_key, instance_id)
        checker = self._callers.get(caller)
        if checker is None:
            key = shared_key(
                self._own_key,
                proof_key,
                caller=proof_key,
                callee=self.public_key,
                instance_id=instance_id,
            )
            checker = ProofChecker(key)
            _keep(self._callers, caller, checker)
        return checker


def _keep(kept: OrderedDict[K, T], key: K, value: T) -> None:
    kept[key] = value
    if len(kept) > MAX_KNOWN:
        kept.popitem(last=False)
