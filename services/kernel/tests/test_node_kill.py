"""KER-45: an operator has a module's process killed, with a real kernel."""

import signal
from typing import Any

from kernel_process import made_node

from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    module_pb2,
    supervisor_pb2,
)


async def test_kill_ends_the_process_at_once_as_a_crash_would() -> None:
    with made_node() as node:
        node.connect()
        node.add("top", requires=["base"])
        node.add("base")
        node.write_profile()
        node.start()
        await node.until_ready()
        before = {one.name: one for one in (await node.status()).modules}

        request = supervisor_pb2.KillModuleRequest(module="base")
        await node.supervisor().KillModule(request)
        await node.until(lambda now: now.ready and now.modules[0].epoch == 2)

        after = {one.name: one for one in (await node.status()).modules}
        assert after["base"].restart_count == 1
        assert after["top"].pid == before["top"].pid
        listing = supervisor_pb2.ListExitsRequest(module="base")
        (killed,) = (await node.supervisor().ListExits(listing)).exits
        assert killed.signal == signal.SIGKILL
        assert killed.reason == module_pb2.TRANSITION_REASON_KILLED
        assert not killed.out_of_memory
        stub: Any = capability_pb2_grpc.CapabilityStub(node.channel)
        audited = [one async for one in stub.ReadAudit(capability_pb2.ReadAuditRequest())]
        acts = {(one.actor, one.action, one.subject, one.outcome) for one in audited}
        assert ("operator:local", "module.kill", "base", "OK") in acts
