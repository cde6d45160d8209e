"""The suite for modules by others (KER-46) passes a good one, and finds what others do wrong."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from logos_base.errors import ConfigError
from logos_module.conformance import (
    CHECKS,
    Check,
    ContractBrokenError,
    name_of,
    prove,
    subject_of,
)

pytestmark = pytest.mark.integration

HELLO = Path(__file__).parents[3] / "examples" / "hello-module"
PROGRAM = """
import sys
from types import SimpleNamespace
from logos_hello.__main__ import node
from logos_module import host, interceptor, reflection, run, server, session
from logos_module import run as begin
from logos_module.capabilities import authorizer, identity, proofs, verifier
{fault}
sys.exit(run(node, package="logos_hello"){code})
"""

FAULTS = {
    "registers": (
        "identity.join_proof = lambda *_, **__: bytes(32)",
        "join_proof in Register is",
    ),
    "describes itself": (
        "host.describe = lambda _: reflection.descriptor_pb2.FileDescriptorSet()",
        "file_descriptor_set cannot be used",
    ),
    "sends heartbeats": (
        "session._cut = lambda _: 201 * 'x'; node = with_status(node)",
        "status_text is over 200 bytes",
    ),
    "serves health": (
        (
            "from logos_module import health\n"
            "async def check(*_): return health.health_pb2.HealthCheckResponse(status=1)\n"
            "health.HealthServicer.Check = check"
        ),
        "an unknown service is answered",
    ),
    "serves reflection": (
        (
            "old = reflection.Reflection.replace; "
            "reflection.Reflection.replace = lambda self, services, files: old(self, [], files)"
        ),
        "does not list is ['hello.v1.Greeter']",
    ),
    "refuses unknown methods": (
        (
            "import grpc\n"
            "async def answer(*_): return b''\n"
            "old = server.ServiceTable.service\n"
            "other = grpc.unary_unary_rpc_method_handler(answer)\n"
            "server.ServiceTable.service = lambda self, call: old(self, call) or other"
        ),
        "the answer to hello.v1.Greeter/NoSuchMethod",
    ),
    "demands a proof of its kernel": (
        "identity.hmac = SimpleNamespace(compare_digest=lambda *_: True)",
        "heartbeats to a kernel that has proved nothing is",
    ),
    "refuses calls without a good token": (
        "verifier.Verifier._refuse_old = lambda *_: None",
        "with a token that has expired",
    ),
    "takes a call once": (
        (
            "old = proofs.ProofChecker.check\n"
            "def check(self, *call):\n"
            "    self._newest = self._seen = 0\n"
            "    old(self, *call)\n"
            "proofs.ProofChecker.check = check"
        ),
        "the answer to a copy of a call",
    ),
    "heeds revocations": (
        "identity.Identity.revoke = lambda *_: None",
        "there is no TOKEN_REVOKED",
    ),
    "starts again": (
        "begin.__globals__['secrets'] = SimpleNamespace(token_bytes=lambda size: size * b'i')",
        "Session is refused: this call was made before",
    ),
    "drains": (
        "interceptor.Gate.drain = lambda _: None",
        "a call of a draining module is",
    ),
    "ends on term": ("code = 3", "the exit code is 3, and must be 0"),
}
"""What a module may do wrong, in Python, and what the check of that name says of it."""

IMPATIENT_S = 20.0
"""Timeout of a check whose condition never holds."""


@pytest.fixture
def flawed(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a module with a fault."""

    def make(fault: str) -> Path:
        package = tmp_path / "src" / "flawed"
        package.mkdir(parents=True)
        manifest = (HELLO / "src" / "logos_hello" / "module.toml").read_text(encoding="utf-8")
        manifest = manifest.replace('"-m", "logos_hello"', '"-m", "flawed"')
        (package / "module.toml").write_text(manifest, encoding="utf-8")
        (package / "__main__.py").write_text(program(fault), encoding="utf-8")
        return tmp_path

    return make


def program(fault: str) -> str:
    helper = (
        "from contextlib import asynccontextmanager\n"
        "def with_status(inner):\n"
        "    @asynccontextmanager\n"
        "    async def node(context):\n"
        "        context.status('busy')\n"
        "        async with inner(context):\n"
        "            yield\n"
        "    return node\n"
    )
    return PROGRAM.format(fault=f"{helper}{fault}", code=" or 3" if "code" in fault[:4] else "")


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
async def test_a_module_of_the_sdk_passes(check: Check) -> None:
    await prove(check, subject_of(HELLO))


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_is_found(name: str, flawed: Callable[[str], Path]) -> None:
    (check,) = (each for each in CHECKS if name_of(each) == name)
    fault, said = FAULTS[name]

    with pytest.raises(ContractBrokenError) as found:
        await prove(check, subject_of(flawed(fault)), patience_s=IMPATIENT_S)

    assert said in str(found.value)


PUBLISHING = """
from contextlib import asynccontextmanager
inner = node
@asynccontextmanager
async def node(context):
    first = await context.events.publish("one", b"1", b"2")
    second = await context.events.publish("one", b"3")
    context.tasks.create_task(context.events.consume("g", "hello/one", handle=print))
    assert (first.last_sequence, second.first_sequence) == (2, 3)
    async with inner(context):
        yield
"""


async def test_a_module_that_publishes_as_it_starts_passes(flawed: Callable[[str], Path]) -> None:
    await prove(CHECKS[0], subject_of(flawed(PUBLISHING)))


async def test_a_module_that_does_not_start_is_told_from_one_that_errs() -> None:
    subject = subject_of(HELLO)
    absent = replace(subject, command=("/nonexistent/module",))
    broken = replace(
        subject, command=(sys.executable, "-c", "print('no disk'); raise SystemExit(7)")
    )

    with pytest.raises(ContractBrokenError, match="does not start"):
        await prove(CHECKS[0], absent)
    with pytest.raises(
        ContractBrokenError, match="is not READY; its process has ended with 7: no d"
    ):
        await prove(CHECKS[0], broken)


def test_the_program_says_what_is_wrong_in_lines_of_json(flawed: Callable[[str], Path]) -> None:
    folder = flawed("begin.__globals__['DRAIN_GRACE_S'] = 0\nraise SystemExit(9)")

    ended = subprocess.run(
        [sys.executable, "-m", "logos_module.conformance", str(folder)],
        capture_output=True,
        check=False,
    )

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1
    assert [line["check"] for line in lines] == [name_of(check) for check in CHECKS]
    assert "ended with 9" in lines[0]["problem"]


def test_a_process_of_somebody_else_is_checked_where_it_is() -> None:
    """As one in a container is: it is told where the kernel and the join secret are."""
    with tempfile.TemporaryDirectory(prefix="lm-") as name:
        folder = Path(name)
        secret, kernel = folder / "join.secret", f"unix:{folder}/kernel.sock"
        variables = {
            "PYTHONPATH": str(HELLO / "src"),
            "LOGOS_MODULE": "hello",
            "LOGOS_KERNEL": kernel,
            "LOGOS_LISTEN": f"unix:{folder}/hello.sock",
            "LOGOS_STATE_DIR": str(folder / "state"),
            "LOGOS_JOIN_SECRET": str(secret),
        }
        module = subprocess.Popen([sys.executable, "-m", "logos_hello"], env=os.environ | variables)
        try:
            ended = subprocess.run(
                [
                    *(sys.executable, "-m", "logos_module.conformance", str(HELLO)),
                    *("--kernel", kernel, "--join-secret", str(secret)),
                ],
                capture_output=True,
                check=False,
            )
        finally:
            module.terminate()
            code = module.wait()

    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["problem"] for line in lines if not line["passed"]] == []
    assert (ended.returncode, code) == (0, 0)
    assert b"Traceback" not in ended.stderr, ended.stderr
    assert 10 < len(lines) < len(CHECKS)


@pytest.mark.parametrize(
    "words",
    [["--settings", "[]"], ["--settings", "{"], ["--beside", "no"], ["--kernel", "unix:/k.sock"]],
)
def test_what_the_program_cannot_use_is_refused(words: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "logos_module.conformance", str(HELLO), *words],
        capture_output=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, b"")
    assert ended.stderr


def test_a_folder_without_a_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no module"):
        subject_of(tmp_path)
    (tmp_path / "module.toml").write_text('name = "a"\nversion = "0.1.0"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="command: must be given"):
        subject_of(tmp_path)
