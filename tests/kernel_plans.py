"""Plans of modules that need one another, for tests of the kernel and for its simulation."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from logos_base.manifest import Manifest
from logos_base.restart import Restart
from logos_base.versions import Range
from logos_kernel.core.journal import Entries, Journal
from logos_kernel.core.types import Plan, Runtime
from logos_kernel.core.versions import ModuleVersion, Versions


def journal(past: Entries | None = None) -> Journal:
    """Returns a journal whose wall clock is the monotonic one."""
    return Journal(past or Entries(), lambda at_ms: at_ms)


def plans(
    requires: Mapping[str, Sequence[str]],
    runtime: Runtime = Runtime.PROCESS,
    *,
    restart: Mapping[str, Restart] | None = None,
    group_of: Mapping[str, str] | None = None,
    watchdog_ms: Mapping[str, int] | None = None,
    wants: Mapping[str, Sequence[str]] | None = None,
    binds: Mapping[str, Sequence[str]] | None = None,
    ranges: Mapping[str, Mapping[str, Range]] | None = None,
    exclusive: Collection[str] = (),
) -> list[Plan]:
    """Returns plans of modules that serve `test.<name>.Echo` and call that of all."""
    calls = tuple(f"test.{name}.Echo/*" for name in requires)
    return [
        Plan(
            Manifest(
                name,
                "0.1.0",
                command=("run",),
                requires=tuple(needed),
                services=(f"test.{name}.Echo",),
                calls=calls,
                wants=tuple((wants or {}).get(name, ())),
                binds=tuple((binds or {}).get(name, ())),
                ranges=(ranges or {}).get(name, {}),
                watchdog_ms=(watchdog_ms or {}).get(name),
                exclusive=name in exclusive,
            ),
            settings_json=f'{{"name": "{name}"}}',
            runtime=runtime,
            restart=(restart or {}).get(name, Restart()),
            group=(group_of or {}).get(name, ""),
        )
        for name, needed in requires.items()
    ]


def versions(made: Iterable[Plan], *numbers: str) -> Versions:
    """Returns installed versions of all modules of plans."""
    return Versions(
        ModuleVersion(replace(plan.manifest, version=number), "", f"/modules/{number}", at_ms)
        for plan in made
        for at_ms, number in enumerate(numbers)
    )
