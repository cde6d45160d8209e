"""The harness every module runs in, and the SDK that third parties install.

A module is a composition root and a `module.toml`; `run` does the rest:

    @asynccontextmanager
    async def node(context: ModuleContext) -> AsyncIterator[None]:
        context.serve(add_GreeterServicer_to_server, Greeter())
        yield

    sys.exit(run(node, package="logos_hello"))
"""

from logos_module.context import ModuleContext
from logos_module.run import run

__all__ = ["ModuleContext", "run"]
