"""Plans of modules that need one another, for tests of the kernel and for its simulation."""

from collections.abc import Mapping, Sequence

from logos_base.manifest import Manifest
from logos_kernel.core.types import Plan, Runtime


def plans(requires: Mapping[str, Sequence[str]], runtime: Runtime = Runtime.PROCESS) -> list[Plan]:
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
            ),
            settings_json=f'{{"name": "{name}"}}',
            runtime=runtime,
        )
        for name, needed in requires.items()
    ]
