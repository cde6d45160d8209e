"""Report on a node that does not become ready: its modules, the cause, the last log lines."""

from contextlib import aclosing

import grpc

from logos_cli.advice import command
from logos_cli.console import stderr
from logos_client.channels import channel_to
from logos_testnet.client import state_name, view
from logos_testnet.errors import NodeFailedError
from logos_testnet.testnet import Testnet, node_of

TAIL_LINES = 20


async def print_failure(testnet: Testnet, error: NodeFailedError) -> None:
    """Prints the state, the last exit and the last log lines of the module at fault."""
    stderr().print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
    node = node_of(testnet.plan, error.node)
    async with channel_to(node.front, testnet.bearer) as channel:
        try:
            seen = await view(channel, networked=False)
        except grpc.aio.AioRpcError:
            stderr().print(f"  {error.node}: its kernel does not answer", highlight=False)
        else:
            for module in seen.modules:
                why = f": {module.last_exit}" if module.last_exit else ""
                stderr().print(
                    f"  {module.name} {state_name(module)}, {module.restart_count} restarts{why}",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
    stderr().print(f"  last lines of {error.node}/{error.module}:", highlight=False)
    lines = testnet.log_lines(
        nodes=[error.node], module=error.module, tail=TAIL_LINES, follow=False
    )
    async with aclosing(lines) as open_lines:  # type: ignore[type-var]  # an async generator
        async for line in open_lines:
            stderr().print(f"    {line.text}", highlight=False, markup=False, soft_wrap=True)
    name = testnet.plan.topology.name
    stderr().print(
        f"\n  everything keeps running. `{command('logs', name, error.node)}` shows more,"
        f" `{command('up', name)}` retries, `{command('down', name)}` stops it",
        highlight=False,
        soft_wrap=True,
    )
