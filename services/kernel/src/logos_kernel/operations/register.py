"""Register: an instance of a module is there."""

import secrets

from logos_kernel.core.errors import ModuleUnreachableError
from logos_kernel.core.types import LEASE_ID_BYTES, Candidate, Grant, Instance, Introduction
from logos_kernel.operations.kernel import Kernel


async def register(kernel: Kernel, introduction: Introduction) -> Grant:
    """Registers an instance once it has proved that it answers (KER-7).

    Raises:
        UnknownModuleError, InvalidRegistrationError, StaleEpochError: It is not admitted.
        ModuleUnreachableError: Nothing answers at its endpoint, or another process does.
        DiskFullError, StoreFailedError: The epoch of an observed instance cannot be saved.
    """
    rival = kernel.registry.check(introduction)
    described = await kernel.probe(introduction.endpoint)
    gone = None if rival is None or await _answers(kernel, rival) else rival
    lease_id = secrets.token_bytes(LEASE_ID_BYTES)
    candidate = Candidate(introduction, described, gone, lease_id)
    grant: Grant = await kernel.driver.ask(kernel.registry.register, candidate)
    return grant


async def _answers(kernel: Kernel, instance: Instance) -> bool:
    try:
        described = await kernel.probe(instance.endpoint)
    except ModuleUnreachableError:
        return False
    return described.instance_id == instance.instance_id
