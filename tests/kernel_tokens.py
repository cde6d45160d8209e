"""Calls of a module's own socket, past the front door, with a token of the node's kernel.

Whoever has `master.key` in the state folder of a kernel is that kernel.
"""

import secrets
import time
from pathlib import Path
from typing import Final

import grpc

from logos_base.capabilities import KERNEL, Claims, ModuleSubject
from logos_client.authorized import AuthorizedChannel
from logos_client.channels import open_channel
from logos_kernel.operations.keyring import Keyring
from logos_module.capabilities.agreement import public_key_of
from logos_module.capabilities.channel import Credential
from logos_module.capabilities.proofs import module_key, shared_key

TESTER: Final = "tester"
_TTL_S: Final = 24 * 3600


def open_authorized(
    endpoint: str, target: str, kernel_state: Path, caller: str = TESTER
) -> grpc.aio.Channel:
    """Opens a channel to the own socket of a module, or of the `kernel`; see `credential_for`."""
    return AuthorizedChannel(open_channel(endpoint), credential_for(target, kernel_state, caller))


def credential_for(target: str, kernel_state: Path, caller: str = TESTER) -> Credential:
    """Makes a credential that allows all methods, for a day.

    Args:
        target: Name of the module that is called, or `kernel`.
        kernel_state: State folder of its kernel, whose signing key was not rotated.
        caller: The module that calls, in its first start.
    """
    keyring = Keyring((kernel_state / "master.key").read_bytes(), 0)
    own = module_key(secrets.token_bytes(32), caller)
    key, callee = public_key_of(own), _public_key(keyring, target)
    subject = ModuleSubject(caller, secrets.token_bytes(16), 1)
    now_s = int(time.time())  # noqa: TID251 - a token is for real time
    claims = Claims(secrets.token_bytes(16), subject, target, ("*",), now_s, now_s + _TTL_S, key)
    credential = Credential()
    shared = shared_key(own, callee, caller=key, callee=callee, instance_id=subject.instance_id)
    credential.renew(keyring.sign(claims), claims.token_id, shared, renew_at_s=claims.expires_at_s)
    return credential


def _public_key(keyring: Keyring, target: str) -> bytes:
    if target == KERNEL:
        return keyring.agreement_key()
    return public_key_of(module_key(keyring.join_secret(target), target))
