"""A module made on the spot: a folder for services/, and a table for a topology.

It is asked for a greeting, also from the command line. Its genesis job writes the names of all
nodes for everybody, and a secret for each; it is ready once it has read as many names as there
are other nodes. It serves a page.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from logos_client.channels import channel_to
from own_topology import ROOT

NAME: Final = "greeter"

_FILES: Final = {
    "pyproject.toml": """
[project]
name = "logos-greeter"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["logos-base", "logos-module"]
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["src/logos_commands", "src/logos_greeter"]
""",
    "src/logos_greeter/module.toml": """
name = "greeter"
version = "0.1.0"
command = ["python", "-m", "logos_greeter"]
services = ["greeter.v1.Greeter"]
[testnet]
limits = { memory_mib = 256 }
[testnet.ports]
web = 19000
[testnet.panel]
title = "Greeter"
port = "web"
[testnet.settings]
listen = "web.address"
common = "genesis.public"
own = "genesis.private"
[testnet.ready]
call = "greeter.v1.Greeter/CountOthers"
field = 1
counts = "others"
at_least = "others"
[testnet.genesis]
command = ["python", "-m", "logos_greeter.genesis"]
""",
    "src/logos_commands/greeter.py": '''
import typer
from google.protobuf.wrappers_pb2 import StringValue

from logos_cli.session import session_of

def command(context: typer.Context, name: str) -> None:
    """Greets NAME."""

    async def work(channel):
        call = channel.unary_unary(
            "/greeter.v1.Greeter/Greet",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        return (await call(StringValue(value=name))).value

    print(session_of(context).call(work))
''',
    "src/logos_greeter/__init__.py": "",
    "src/logos_greeter/__main__.py": """
import sys

from logos_greeter.node import node
from logos_module import run

sys.exit(run(node, package="logos_greeter"))
""",
    "src/logos_greeter/genesis.py": """
import secrets

from logos_module.genesis import read_job

job = read_job()
(job.public / "names").write_text(" ".join(job.nodes))
for name, node in job.nodes.items():
    (node.folder / "secret").write_text(f"{name}: {secrets.token_hex(8)}")
""",
    "src/logos_greeter/core/__init__.py": "",
    "src/logos_greeter/node.py": '''
import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

SERVICE = "greeter.v1.Greeter"
METHODS = {"Greet": (StringValue, StringValue), "CountOthers": (Empty, Int32Value)}


def describe():
    """The descriptors that generated code would have; the front door reflects them."""
    file = descriptor_pb2.FileDescriptorProto(
        name="greeter/v1/greeter.proto", package="greeter.v1", syntax="proto3"
    )
    file.dependency.extend(["google/protobuf/empty.proto", "google/protobuf/wrappers.proto"])
    service = file.service.add(name="Greeter")
    for name, (asked, answered) in METHODS.items():
        service.method.add(
            name=name,
            input_type=f".{asked.DESCRIPTOR.full_name}",
            output_type=f".{answered.DESCRIPTOR.full_name}",
        )
    descriptor_pool.Default().Add(file)


describe()


def add_to_server(servicer, server):
    """What generated code would do."""
    server.add_registered_method_handlers(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                getattr(servicer, name),
                request_deserializer=asked.FromString,
                response_serializer=answered.SerializeToString,
            )
            for name, (asked, answered) in METHODS.items()
        },
    )


class Greeter:
    def __init__(self, settings):
        self._names = Path(settings["common"], "names").read_text().split()
        self._secret = Path(settings["own"], "secret").read_text()

    async def Greet(self, request, context):
        return StringValue(value=f"{request.value} meets {self._secret}")

    async def CountOthers(self, request, context):
        return Int32Value(value=len(self._names) - 1)


async def show_page(reader, writer):
    """A page, for whoever asks for one."""
    await reader.readline()
    writer.write(b"HTTP/1.0 200 OK\\r\\nContent-Type: text/html\\r\\n\\r\\n<h1>Greeter</h1>")
    writer.close()


@asynccontextmanager
async def node(context):
    context.serve(add_to_server, Greeter(context.settings))
    host, _, port = context.settings["listen"].rpartition(":")
    async with await asyncio.start_server(show_page, host, int(port)):
        yield
''',
}


def add_module(checkout: Path) -> Path:
    """Adds the module's folder to services/ of a checkout; returns its folder of sources."""
    service = checkout / "services" / NAME
    for name, text in _FILES.items():
        path = service / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return service / "src"


def copy_checkout(folder: Path) -> Path:
    """Copies what images are made of, as far as git knows it, and the native wheel."""
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "-z",
            "apps/cli/bootstrap",
            "apps/web",
            "deploy",
            "libs",
            "native",
            "services",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    locks = ["requirements.lock", "requirements-build.lock", ".dockerignore"]
    for name in [*names, *locks]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    if (ROOT / "dist").is_dir():
        shutil.copytree(ROOT / "dist", folder / "dist")
    return folder


async def greeting(front: str, name: str, bearer: str | None) -> str:
    """Calls the module through the front door of a node, with the token of its operator."""
    async with channel_to(front, bearer) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[StringValue, StringValue] = channel.unary_unary(
            "/greeter.v1.Greeter/Greet",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        answer = await call(StringValue(value=name), timeout=10)
    return str(answer.value)
