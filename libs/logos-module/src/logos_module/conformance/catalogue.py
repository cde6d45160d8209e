"""All checks, in the order in which they are made."""

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import grpc

from logos_module.conformance import access, contract, lifecycle
from logos_module.conformance.bench import PATIENCE_S, Bench
from logos_module.conformance.broken import ContractBrokenError
from logos_module.conformance.subject import Subject
from logos_module.errors import cause_of

Check = Callable[[Bench], Awaitable[None]]
"""Needs a bench of its own; `prove` runs it."""

OUTSIDE: Final[tuple[Check, ...]] = (
    contract.registers,
    contract.describes_itself,
    contract.sends_heartbeats,
    contract.serves_health,
    contract.serves_reflection,
    contract.refuses_unknown_methods,
    access.refuses_calls_without_a_good_token,
    access.takes_a_call_once,
    access.heeds_revocations,
    access.heeds_new_keys,
    lifecycle.renews_a_lost_lease,
    lifecycle.survives_its_kernel,
)
"""Checks that can run one after another on one externally started process."""

CHECKS: Final[tuple[Check, ...]] = (
    *OUTSIDE,
    access.demands_a_proof_of_its_kernel,
    lifecycle.starts_again,
    lifecycle.drains,
    lifecycle.ends_when_told,
    lifecycle.ends_on_term,
    lifecycle.waits_for_its_kernel,
)


def name_of(check: Check) -> str:
    """Returns the name of a check in words: `serves health`."""
    return str(getattr(check, "__name__", "check")).replace("_", " ")


async def prove(
    check: Check,
    subject: Subject,
    *,
    beside: Sequence[Subject] = (),
    address: str | None = None,
    patience_s: float = PATIENCE_S,
) -> None:
    """Makes one check of a module, in a folder of its own.

    Args:
        check: One of `CHECKS`.
        subject: The module.
        beside: Modules that it calls, which are started before; each may call those before it.
        address: Of the kernel, where the module is started externally; None: the suite starts it.
        patience_s: How long to wait for what must come.

    Raises:
        ContractBrokenError: What the module does wrong.
    """
    with tempfile.TemporaryDirectory(prefix="logos-", ignore_cleanup_errors=True) as folder:
        try:
            async with AsyncExitStack() as started:
                neighbours: dict[str, str] = {}
                for each in beside:
                    place = _folder(folder, each)
                    bench = Bench(each, place, patience_s, neighbours=dict(neighbours))
                    await started.enter_async_context(bench.ready())
                    neighbours[each.manifest.name] = bench.endpoint
                place = _folder(folder, subject)
                bench = Bench(subject, place, patience_s, neighbours=neighbours, address=address)
                await check(bench)
        except Exception as error:  # noqa: BLE001 -- it is raised again, or as what it means
            cause = cause_of(error)
            if isinstance(cause, grpc.aio.AioRpcError):
                text = f"a call of the module failed: {cause.code().name}, {cause.details()}"
                raise ContractBrokenError(text) from cause
            if isinstance(cause, OSError):
                raise ContractBrokenError(f"the module does not start: {cause}") from cause
            raise cause from None


def _folder(root: str, subject: Subject) -> Path:
    folder = Path(root, subject.manifest.name)
    folder.mkdir()
    return folder
