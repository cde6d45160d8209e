"""The part of benchmarks/chain_trials.py that ends whole nodes by `kill -9`, minute by minute."""

import asyncio
import signal
import time
from argparse import Namespace
from typing import Final

from benchmarks.chain_idle import infos
from benchmarks.chain_trial_net import (
    NODES,
    Payments,
    chain_of,
    one_tip,
    supplies_conserved,
    tips,
)
from benchmarks.report import Figure, say
from benchmarks.running import Running

from logos_testnet.processes import send_signal
from logos_testnet.progress import silent

PORTS_FROM: Final = 600
EVERY_S: Final = 60.0


async def kill_figures(options: Namespace) -> list[Figure]:
    """Each minute the next node pays, is ended at once, and is started again."""
    async with chain_of("ci", PORTS_FROM) as net:
        payments, ended = Payments(net), 0
        for minute in range(options.minutes):
            began = time.monotonic()
            names = [net.plan.nodes[(minute + at) % NODES].name for at in range(3)]
            victim, payer, payee = names
            await payments.send(payer, payee)
            await payments.send(victim, payee)
            ended += _kill(net, victim)
            await net.testnet.up(silent)
            say(f"minute {minute}: {victim} was ended; heights {await _heights(net)}")
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))
        lost = await payments.lost()
        await one_tip(net)
        chains = await tips(net)
        conserved, heights = await supplies_conserved(net), await _heights(net)
    return [
        Figure("processes ended by kill -9", ended, ""),
        Figure("chains at the end", chains, "", at_most=1),
        Figure("blocks of the highest at the end", max(heights), ""),
        Figure("payments accepted", len(payments.sent), "", at_least=options.minutes),
        Figure("payments refused", payments.refused, ""),
        Figure("payments lost", lost, "", at_most=0),
        Figure("nodes whose supply is conserved", conserved, "", at_least=NODES),
    ]


def _kill(net: Running, node: str) -> int:
    """Ends all processes of a node; returns how many."""
    processes = [each for each in net.processes() if each.node == node]
    send_signal(processes, signal.SIGKILL)
    return len(processes)


async def _heights(net: Running) -> list[int]:
    return [each.tip.height for each in (await infos(net)).values()]
