"""Checks the files of a module by others, without running it."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

from google.protobuf import descriptor_pb2

import logos
from logos_base.errors import ConfigError
from logos_base.manifest import Manifest, parse_manifest
from logos_base.module_folder import manifest_of
from logos_base.toml_lines import key_lines, line_of
from logos_cli.authoring.contracts import compile_contracts
from logos_cli.authoring.problem import Problem

MAX_DESCRIPTORS_BYTES: Final = 4 * 1024 * 1024
RESERVED: Final = ("grpc.", "logos.kernel.", "logos.module.")
"""Beginnings of services that every server has of its own (KER-2)."""

_TOML_LINE: Final = re.compile(r"at line (\d+)")

Methods = Mapping[str, frozenset[str]]
"""The methods of services, by the services' full names."""


@dataclass(slots=True)
class Examined:
    """A module, as far as its files could be read."""

    manifest: Manifest | None = None
    problems: list[Problem] = field(default_factory=list)


def examine(folder: Path) -> Examined:
    """Checks manifest and contracts of the module in a folder.

    Raises:
        ConfigError: There is no module.
        ProgramFailedError: protoc is not there.
    """
    path = manifest_of(folder)
    found = Examined()
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    try:
        found.manifest = parse_manifest(text)
    except UnicodeEncodeError:
        found.problems.append(Problem(str(path), 1, "manifest is not UTF-8"))
    except ConfigError as error:
        found.problems += [_placed(path, text, problem) for problem in error.problems]
    protos = folder / "proto"
    described = compile_contracts(protos, found.problems) if any(protos.rglob("*.proto")) else None
    if found.manifest is not None:
        problems = _disagreements(found.manifest, described, folder)
        found.problems += [_placed(path, text, problem) for problem in problems]
    return found


def _placed(path: Path, text: str, problem: str) -> Problem:
    """Finds the line of a problem that begins with a key."""
    if told := _TOML_LINE.search(problem):
        return Problem(str(path), int(told[1]), problem)
    try:
        lines = key_lines(text)
    except (tomllib.TOMLDecodeError, ValueError):
        return Problem(str(path), 1, problem)
    key = tuple(problem.partition(":")[0].split("."))
    return Problem(str(path), line_of(lines, key), problem)


def _disagreements(
    manifest: Manifest, described: descriptor_pb2.FileDescriptorSet | None, folder: Path
) -> Iterable[str]:
    """Returns what the manifest says and its contracts do not, each as `key: what`."""
    own = methods_in(described.file) if described is not None else {}
    known = {**_of_logos(), **own}
    if not manifest.command:
        yield "command: is missing: a kernel starts the module by it"
    yield from _missing_package(manifest.command, folder)
    for service in manifest.services:
        if service.startswith(RESERVED):
            yield f"services: {service} is served by every module itself, and cannot be routed"
        elif service not in known:
            yield f"services: no contract in proto/ has {service}"
    size = described.ByteSize() if described is not None else 0
    if size > MAX_DESCRIPTORS_BYTES:
        yield f"services: the contracts have {size} bytes, over {MAX_DESCRIPTORS_BYTES}"
    for call in manifest.calls:
        yield from _wrong_call(call, known)
    if manifest.needs.ready is not None:
        service, _, method = manifest.needs.ready.call.partition("/")
        if service not in manifest.services or method not in known.get(service, ()):
            yield f"testnet.ready.call: the module has no method {manifest.needs.ready.call}"


def _missing_package(command: tuple[str, ...], folder: Path) -> Iterable[str]:
    if command[:2] == ("python", "-m") and len(command) > 2 and (folder / "src").is_dir():
        place = folder.joinpath("src", *command[2].split("."))
        if not (place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()):
            yield f"command: python -m {command[2]}: src has no such package with a __main__.py"


def _wrong_call(call: str, known: Methods) -> Iterable[str]:
    service, _, method = call.partition("/")
    if service not in known:
        if service.startswith("logos."):
            yield f"calls: there is no service {service}"
    elif method != "*" and method not in known[service]:
        yield f"calls: {service} has no method {method}"


def methods_in(files: Iterable[descriptor_pb2.FileDescriptorProto]) -> Methods:
    """Returns the methods of all services in files."""
    return {
        f"{file.package}.{service.name}": frozenset(method.name for method in service.method)
        for file in files
        for service in file.service
    }


def _of_logos() -> Methods:
    """Returns the services of Logos, whose generated code is installed."""
    files = []
    for root in map(Path, logos.__path__):
        for path in sorted(root.rglob("*_pb2.py")):
            name = ".".join(("logos", *path.relative_to(root).with_suffix("").parts))
            file = descriptor_pb2.FileDescriptorProto()
            import_module(name).DESCRIPTOR.CopyToProto(file)
            files.append(file)
    return methods_in(files)
