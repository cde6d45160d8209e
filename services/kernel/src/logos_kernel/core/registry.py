"""Who is there, and for how long that is believed (KER-3, KER-4, KER-7).

Works on the modules of a `Supervisor`; its effects come out there.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from logos_base.manifest import SERVICE, VERSION
from logos_kernel.core.errors import (
    InvalidRegistrationError,
    ModuleUnreachableError,
    NotReadyError,
    StaleEpochError,
    UnknownLeaseError,
)
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import REGISTRABLE
from logos_kernel.core.module import After, Module
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    INSTANCE_ID_BYTES,
    LEASE_ID_BYTES,
    MAX_ENDPOINT_BYTES,
    MAX_EPOCH,
    MAX_SERVICES,
    MAX_STATUS_BYTES,
    Described,
    Grant,
    Introduction,
    Location,
    Record,
)
from logos_kernel.core.types import ModuleState as S

RESERVED_SERVICES: Final = ("grpc.", "logos.kernel.", "logos.module.")
"""Every server has its own of these; the front door never routes them."""

_ENDPOINT: Final = re.compile(r"unix:/[^\x00]+|[A-Za-z0-9.:_\[\]-]+:[0-9]{1,5}")
_SAYABLE: Final = frozenset({S.REGISTERED, S.READY, S.DRAINING})


class Registry:
    """Registrations and leases of the modules of one node."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def check(self, introduction: Introduction) -> Described | None:
        """Refuses what can be refused before anybody is asked.

        Returns:
            The instance that holds a live lease and would be replaced: ask at
            its endpoint first whether it still answers. Usually None.
        """
        module = self._supervisor.module(introduction.module)
        _check_form(introduction)
        _check_services(introduction, self._supervisor.modules.values())
        if module.is_external:
            return _check_observed(module, introduction)
        _check_started(module, introduction)
        return None

    def to_register(
        self, introduction: Introduction, described: Described, *, is_rival_alive: bool
    ) -> list[Record]:
        """Returns what must be durable before `register`, or refuses.

        `described` is what answered at the endpoint. The epoch of an observed
        instance must be: nothing else tells it from the next one (KER-7). That of a
        process is, since before it was started.
        """
        rival = self.check(introduction)  # again: time has passed
        module = self._supervisor.module(introduction.module)
        if (described.module, described.instance_id) != (module.name, introduction.instance_id):
            raise ModuleUnreachableError(f"another process answers at {introduction.endpoint}")
        if rival is not None and is_rival_alive:
            raise StaleEpochError(f"another instance of {module.name} is there and answers")
        return [_next(module, introduction)] if _is_new_observed(module, introduction) else []

    def register(
        self, introduction: Introduction, described: Described, *, lease_id: bytes, now_ms: int
    ) -> Grant:
        """Grants a lease to an instance that has answered for itself.

        `lease_id` is fresh and random.
        """
        module = self._supervisor.module(introduction.module)
        self._admit(module, introduction, described, lease_id, now_ms)
        return Grant(
            lease_id, module.epoch, self._supervisor.policy.lease_ttl_ms, module.plan.settings_json
        )

    def _admit(
        self,
        module: Module,
        introduction: Introduction,
        described: Described,
        lease_id: bytes,
        now_ms: int,
    ) -> None:
        supervisor = self._supervisor
        # A broken stream made it come back: what it said of itself still holds.
        is_ready = module.state is S.READY and introduction.instance_id == module.instance_id
        supervisor.end_lease(module)
        if _is_new_observed(module, introduction):
            following = _next(module, introduction)
            module.epoch, module.restart_count = following.epoch, following.restart_count
        ttl_ms = supervisor.policy.lease_ttl_ms
        module.lease = Lease(lease_id, module.epoch, ttl_ms, now_ms + ttl_ms)
        module.version, module.services = introduction.version, introduction.services
        module.endpoint, module.instance_id = introduction.endpoint, introduction.instance_id
        module.described = described
        supervisor.save(module)
        deadline_ms = None if is_ready else supervisor.start_deadline(module, now_ms)
        state = S.READY if is_ready else S.REGISTERED
        supervisor.enter(module, state, now_ms, due_ms=deadline_ms)
        supervisor.settle(now_ms)

    def beat(self, lease_id: bytes, said: S, status_text: str, now_ms: int) -> int:
        """Renews a lease and notes what its holder says; returns the ttl in milliseconds."""
        if said not in _SAYABLE:
            raise InvalidRegistrationError(f"a module cannot be {said} of its own", field="state")
        module, lease = self._holder(lease_id)
        lease.renew(now_ms)
        text = status_text.encode()[:MAX_STATUS_BYTES].decode(errors="ignore")
        is_news = text != module.status_text
        module.status_text = text
        self._note(module, said, now_ms, is_news=is_news)
        self._supervisor.settle(now_ms)
        return lease.ttl_ms

    def _note(self, module: Module, said: S, now_ms: int, *, is_news: bool) -> None:
        if module.state is S.DRAINING:
            return  # it is on its way out, whatever it says
        if said is S.READY and module.state is not S.READY:
            self._supervisor.enter(module, S.READY, now_ms)
        elif said is S.DRAINING:
            module.after = After.BACKOFF
            self._supervisor.enter(module, S.DRAINING, now_ms)
        elif said is S.REGISTERED and (module.state is S.READY or is_news):
            deadline_ms = self._supervisor.start_deadline(module, now_ms)
            self._supervisor.enter(module, S.REGISTERED, now_ms, due_ms=deadline_ms)

    def deregister(self, lease_id: bytes, now_ms: int) -> None:
        """Ends a lease, if there is one."""
        for module in self._supervisor.modules.values():
            if module.lease is not None and module.lease.lease_id == lease_id:
                self._supervisor.left(module, now_ms)
        self._supervisor.settle(now_ms)

    def session_ended(self, lease_id: bytes, now_ms: int) -> None:
        """Doubts an observed module: nobody else tells that its process has ended (KER-3)."""
        for module in self._supervisor.modules.values():
            lease = module.lease
            if lease is not None and lease.lease_id == lease_id and module.is_external:
                lease.doubt(now_ms, self._supervisor.policy.reconnect_grace_ms)

    def resolve(self, name: str) -> Location:
        """Says where a READY module is."""
        module = self._supervisor.module(name)
        if module.state is not S.READY:
            raise NotReadyError(f"{name} is {module.state}")
        return Location(module.endpoint, module.epoch)

    def _holder(self, lease_id: bytes) -> tuple[Module, Lease]:
        if len(lease_id) != LEASE_ID_BYTES:
            raise InvalidRegistrationError(
                f"a lease is {LEASE_ID_BYTES} bytes, not {len(lease_id)}", field="lease_id"
            )
        for module in self._supervisor.modules.values():
            if module.lease is not None and module.lease.lease_id == lease_id:
                return module, module.lease
            epoch = module.past_leases.epoch_of(lease_id)
            if epoch is not None and epoch < module.epoch:
                raise StaleEpochError(f"{module.name} was started again, as epoch {module.epoch}")
        raise UnknownLeaseError("no such lease: register again")


def _check_form(introduction: Introduction) -> None:
    def need(field: str, is_right: object, what: str) -> None:
        if not is_right:
            raise InvalidRegistrationError(f"{field}: must be {what}", field=field)

    endpoint = introduction.endpoint
    need("version", VERSION.fullmatch(introduction.version), "a semantic version")
    need(
        "instance_id",
        len(introduction.instance_id) == INSTANCE_ID_BYTES,
        f"{INSTANCE_ID_BYTES} bytes",
    )
    need("endpoint", len(endpoint) <= MAX_ENDPOINT_BYTES, f"at most {MAX_ENDPOINT_BYTES} bytes")
    need("endpoint", _ENDPOINT.fullmatch(endpoint), "unix:/path or host:port")
    need("epoch", introduction.epoch <= MAX_EPOCH, f"at most {MAX_EPOCH}")
    need("services", len(introduction.services) <= MAX_SERVICES, f"at most {MAX_SERVICES} names")
    for service in introduction.services:
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
                f"services: {service} is that of {owners[service]}", field="services"
            )


def _is_new_observed(module: Module, introduction: Introduction) -> bool:
    return module.is_external and introduction.instance_id != module.instance_id


def _next(module: Module, introduction: Introduction) -> Record:
    """Returns the record of an observed module with its next instance."""
    return replace(
        module.record(),
        epoch=max(module.epoch + 1, introduction.epoch),
        restart_count=module.restart_count + (1 if module.epoch else 0),
        endpoint=introduction.endpoint,
        instance_id=introduction.instance_id,
    )


def _check_started(module: Module, introduction: Introduction) -> None:
    """Admits the one process that the kernel started last, and no other (KER-7)."""
    name, epoch = module.name, module.epoch
    if module.state not in REGISTRABLE:
        raise StaleEpochError(f"{name} is {module.state}: no process of it is awaited")
    is_known = bool(module.instance_id)
    if introduction.epoch != epoch and (introduction.epoch != 0 or is_known):
        raise StaleEpochError(f"the running start of {name} is epoch {epoch}")
    if is_known and introduction.instance_id != module.instance_id:
        raise StaleEpochError(f"another process of {name} has registered in epoch {epoch}")


def _check_observed(module: Module, introduction: Introduction) -> Described | None:
    """Admits the instance that is known, or a new one whose predecessor is gone (KER-7)."""
    if introduction.instance_id == module.instance_id:
        if introduction.epoch not in {0, module.epoch}:
            raise StaleEpochError(f"this instance of {module.name} is epoch {module.epoch}")
        return None
    if 0 < introduction.epoch <= module.epoch:
        raise StaleEpochError(f"the running start of {module.name} is epoch {module.epoch}")
    if module.lease is None:
        return None
    return Described(module.name, module.instance_id)
