"""Which instances are registered, and for how long that holds (KER-3, KER-4, KER-7)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from logos_base.machine import Answer, Ticket
from logos_base.manifest import SERVICE, VERSION
from logos_kernel.core.effects import Admit, Effects, Save
from logos_kernel.core.errors import (
    InvalidRegistrationError,
    ModuleUnreachableError,
    StaleEpochError,
    UnknownLeaseError,
)
from logos_kernel.core.journal import Reason
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import REGISTRABLE
from logos_kernel.core.module import After, Module
from logos_kernel.core.modules import Modules
from logos_kernel.core.types import (
    INSTANCE_ID_BYTES,
    LEASE_ID_BYTES,
    MAX_ENDPOINT_BYTES,
    MAX_EPOCH,
    MAX_SERVICE_BYTES,
    MAX_SERVICES,
    MAX_STATUS_BYTES,
    MAX_VERSION_BYTES,
    Beat,
    Candidate,
    Instance,
    Introduction,
)
from logos_kernel.core.types import ModuleState as S

RESERVED_SERVICES: Final = ("grpc.", "logos.kernel.", "logos.module.")
"""Every server has its own of these; the front door never routes them."""

_ENDPOINT: Final = re.compile(r"unix:/[^\x00]+|[A-Za-z0-9.:_\[\]-]+:[0-9]{1,5}")
_SAYABLE: Final = frozenset({S.REGISTERED, S.READY, S.DRAINING})


class Registry:
    """Registrations and leases: inputs beside those of `Supervisor`."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def check(self, said: Introduction) -> Instance | None:
        """Refuses what can be refused before the endpoint is called.

        Returns:
            The instance that holds a live lease and would be replaced: find out first
            whether it still answers. Usually None.
        """
        module = self._modules.find(said.module)
        _check_form(said)
        _check_services(said, self._modules)
        if module.is_external:
            return _check_observed(module, said)
        _check_started(module, said)
        return None

    def register(self, ticket: Ticket, candidate: Candidate, now_ms: int) -> Effects:
        """Registers an instance that `check` has allowed; answers with a `LeaseGrant`.

        The epoch of an observed instance must be durable first: nothing else distinguishes it
        from the next one (KER-7). That of a process is, since before it was started.
        """
        said, described = candidate.introduction, candidate.described
        rival = self.check(said)  # again: time has passed
        module = self._modules.find(said.module)
        if (described.module, described.instance_id) != (module.name, said.instance_id):
            raise ModuleUnreachableError(f"another process answers at {said.endpoint}")
        if rival not in {None, candidate.gone}:
            raise StaleEpochError(
                f"another instance of {module.name} holds the lease and still answers"
            )
        admit = Admit(ticket, candidate)
        if not module.is_preceding(said):
            return self._modules.admit(admit, now_ms)
        module.given = module.next_record(said)
        return [Save((module.given,), admit)]

    def heartbeat(self, ticket: Ticket, lease_id: bytes, beat: Beat, now_ms: int) -> Effects:
        """Renews a lease and notes what its holder reports; answers with the ttl in ms."""
        said = beat.state
        if said not in _SAYABLE:
            raise InvalidRegistrationError(f"state: a module cannot report {said}", field="state")
        module, lease = self._find(lease_id)
        if module is None and (held := self._modules.upgrades.holder(lease_id)):
            effects = self._modules.upgrades.beat(ticket, *held, beat, now_ms)
            return [*effects, *self._modules.settle(now_ms)]
        if module is None or lease is None:
            raise self._unknown(lease_id)
        lease.beat(beat, now_ms)
        module.in_flight = beat.in_flight
        text = beat.status_text.encode()[:MAX_STATUS_BYTES].decode(errors="ignore")
        is_news = text != module.status_text
        module.status_text = text
        effects = []
        why = Reason.REPORTED, text
        if module.state is S.DRAINING:
            pass  # there is no way back
        elif said is S.READY and module.state is not S.READY:
            effects = self._modules.enter(module, S.READY, why, now_ms)
        elif said is S.DRAINING:
            module.after = After.BACKOFF
            effects = self._modules.enter(module, S.DRAINING, why, now_ms)
        elif said is S.REGISTERED and (module.state is S.READY or is_news):
            due_ms = self._modules.start_deadline(module, now_ms)
            effects = self._modules.enter(module, S.REGISTERED, why, now_ms, due_ms=due_ms)
        if effects:  # most heartbeats change nothing, and settling looks at every module
            effects = [*effects, *self._modules.settle(now_ms)]
        return [*effects, Answer(ticket, lease.ttl_ms)]

    def wait_stop(self, ticket: Ticket, lease_id: bytes, _now_ms: int) -> Effects:
        """Answers when the holder of a lease shall drain and exit; the newest question alone."""
        lease = self._find(lease_id)[1]
        if held := self._modules.upgrades.holder(lease_id):
            lease = held[1].lease
        if lease is None:
            return []  # its next heartbeat is refused
        lease.stop_asker = ticket
        return [*lease.stop()] if lease.is_stopping else []

    def deregister(self, ticket: Ticket, lease_id: bytes, now_ms: int) -> Effects:
        """Ends a lease, if there is one: its process is about to end."""
        if held := self._modules.upgrades.holder(lease_id):
            left = self._modules.upgrades.left(*held, now_ms)
            return [*left, *self._modules.settle(now_ms), Answer(ticket)]
        module, _ = self._find(lease_id)
        if module is None:
            return [Answer(ticket)]
        effects: Effects = []
        due_ms = now_ms + self._modules.policy.stop_grace_ms
        self._modules.end_lease(module)
        if module.is_external:
            module.last_exit = "left"
            effects = self._modules.enter(module, S.STARTING, (Reason.LEFT, ""), now_ms)
        elif module.state is not S.DRAINING:
            module.after = After.BACKOFF
            why = Reason.LEFT, ""
            effects = self._modules.enter(module, S.DRAINING, why, now_ms, due_ms=due_ms)
        elif module.due_ms is None:
            module.due_ms = due_ms
        return [*effects, *self._modules.settle(now_ms), Answer(ticket)]

    def session_ended(self, lease_id: bytes, now_ms: int) -> Effects:
        """Shortens the lease of an observed module, whose process may have ended (KER-3)."""
        module, lease = self._find(lease_id)
        if module is not None and lease is not None and module.is_external:
            lease.doubt(now_ms, self._modules.policy.reconnect_grace_ms)
        return []

    def _find(self, lease_id: bytes) -> tuple[Module, Lease] | tuple[None, None]:
        for module in self._modules:
            if module.lease is not None and module.lease.lease_id == lease_id:
                return module, module.lease
        return None, None

    def _unknown(self, lease_id: bytes) -> Exception:
        """Says why a lease is not held."""
        if len(lease_id) != LEASE_ID_BYTES:
            return InvalidRegistrationError(
                f"a lease is {LEASE_ID_BYTES} bytes, not {len(lease_id)}", field="lease_id"
            )
        for one in self._modules:
            if any(
                past.lease_id == lease_id and past.epoch < one.epoch for past in one.past_leases
            ):
                return StaleEpochError(f"{one.name} was started again, as epoch {one.epoch}")
        return UnknownLeaseError("the lease is not known: register again")


def _check_form(introduction: Introduction) -> None:
    def need(field: str, is_right: object, what: str) -> None:
        if not is_right:
            raise InvalidRegistrationError(f"{field}: must be {what}", field=field)

    version, endpoint = introduction.version, introduction.endpoint
    need("version", len(version) <= MAX_VERSION_BYTES, f"at most {MAX_VERSION_BYTES} bytes")
    need("version", VERSION.fullmatch(version), "a semantic version")
    is_right_size = len(introduction.instance_id) == INSTANCE_ID_BYTES
    need("instance_id", is_right_size, f"{INSTANCE_ID_BYTES} bytes")
    is_short = len(endpoint.encode()) <= MAX_ENDPOINT_BYTES
    need("endpoint", is_short, f"at most {MAX_ENDPOINT_BYTES} bytes")
    need("endpoint", _ENDPOINT.fullmatch(endpoint), "unix:/path or host:port")
    need("epoch", introduction.epoch <= MAX_EPOCH, f"at most {MAX_EPOCH}")
    need("services", len(introduction.services) <= MAX_SERVICES, f"at most {MAX_SERVICES} names")
    for service in introduction.services:
        need("services", len(service) <= MAX_SERVICE_BYTES, f"at most {MAX_SERVICE_BYTES} bytes")
        need("services", SERVICE.fullmatch(service), "full names of gRPC services")
        is_reserved = service.startswith(RESERVED_SERVICES)
        need("services", not is_reserved, f"other than {', '.join(RESERVED_SERVICES)}")


def _check_services(introduction: Introduction, modules: Iterable[Module]) -> None:
    owners: Mapping[str, str] = {
        service: module.name
        for module in modules
        for service in (*module.services, *module.plan.manifest.services)
        if module.name != introduction.module
    }
    for service in introduction.services:
        if service in owners:
            raise InvalidRegistrationError(
                f"services: {service} belongs to {owners[service]}", field="services"
            )


def _check_started(module: Module, introduction: Introduction) -> None:
    """Admits the one process that the kernel started last, and no other (KER-7)."""
    name, epoch = module.name, module.epoch
    if successor := module.successor(introduction.epoch):
        if successor.instance_id not in {b"", introduction.instance_id}:
            raise StaleEpochError(f"another process of {name} has registered in that epoch")
        return
    if module.state not in REGISTRABLE:
        raise StaleEpochError(f"{name} is {module.state}: the kernel expects no process of it")
    is_known = bool(module.instance_id)
    if introduction.epoch != epoch and (introduction.epoch != 0 or is_known):
        raise StaleEpochError(f"the running start of {name} is epoch {epoch}")
    if is_known and introduction.instance_id != module.instance_id:
        raise StaleEpochError(f"another process of {name} has registered in epoch {epoch}")


def _check_observed(module: Module, introduction: Introduction) -> Instance | None:
    """Admits the instance that is known, or a new one whose predecessor is gone (KER-7)."""
    if introduction.instance_id == module.instance_id:
        if introduction.epoch not in {0, module.epoch}:
            raise StaleEpochError(f"this instance of {module.name} is epoch {module.epoch}")
        return None
    if 0 < introduction.epoch <= module.epoch:
        raise StaleEpochError(f"the running start of {module.name} is epoch {module.epoch}")
    if module.lease is None:
        return None
    return Instance(module.endpoint, module.instance_id)
