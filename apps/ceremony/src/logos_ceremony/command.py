"""The ceremony's command: `python -m logos_ceremony`.

A setup is secure if at least one contributor destroyed their secret, so everyone is invited to
contribute: get the transcript, contribute, publish your hash, pass the transcript on. Everyone
who has the transcript can verify every step.

Exit codes: 0 done, 1 the transcript or the key was refused, 2 the command line was wrong
or a file cannot be read or written.

Spec: docs/protocol/zk-keys.md, CER-1 to CER-6.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logos_crypto.ceremony import Ceremony
from logos_crypto.circuit_refusals import KeyFileError
from logos_crypto.circuits import CircuitKey, circuit_names
from logos_crypto.keys import CircuitKeys
from logos_crypto.refusals import RefusedError

OK: Final = 0
REFUSED: Final = 1
USAGE: Final = 2

Result = dict[str, object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        result: Result = options.command(options)
    except RefusedError as error:
        _fail(options, error.reason, str(error))
        return USAGE if isinstance(error, KeyFileError) else REFUSED
    except OSError as error:
        _fail(options, KeyFileError.reason, str(error))
        return USAGE
    if options.output == "json":
        _print(json.dumps(result))
    else:
        _print(_text(result))
    return OK


def _begin(options: argparse.Namespace) -> Result:
    if options.file.exists():
        raise FileExistsError(
            f"{options.file} already exists: contribute to it, or choose another file"
        )
    _log(f"making the first key of {options.circuit}")
    ceremony = Ceremony.begin(CircuitKey.generate(options.circuit))
    ceremony.save(options.file)
    return _shown(ceremony)


def _contribute(options: argparse.Namespace) -> Result:
    entropy = options.entropy_file.read_bytes() if options.entropy_file else b""
    ceremony = _load(options.file)
    _verify_all(ceremony)
    _log("contributing: the secret is made, used and erased")
    mine = ceremony.contribute(options.name, entropy)
    _log(f"writing {options.file}")
    ceremony.save(options.file)
    return {**_shown(ceremony), "mine": mine.hex(), "verified": True}


def _verify(options: argparse.Namespace) -> Result:
    ceremony = _load(options.file)
    _verify_all(ceremony)
    return {**_shown(ceremony), "verified": True}


def _show(options: argparse.Namespace) -> Result:
    return {**_shown(_load(options.file)), "verified": False}


def _finish(options: argparse.Namespace) -> Result:
    ceremony = _load(options.file)
    _verify_all(ceremony)
    key = ceremony.finish()
    path = CircuitKeys(options.keys).add(key)
    made: Result = {"verifying_key_hash": key.verifying_key_hash.hex(), "key": str(path)}
    return {**_shown(ceremony), "verified": True, **made}


def _load(path: Path) -> Ceremony:
    _log(f"reading {path}")
    return Ceremony.load(path)


def _verify_all(ceremony: Ceremony) -> None:
    total = len(ceremony.contributions)
    _log("verifying the first key")
    while (left := ceremony.verify_step()) > 0:
        _log(f"verifying contribution {total - left + 1} of {total}")


def _shown(ceremony: Ceremony) -> Result:
    return {
        "circuit": ceremony.circuit,
        "insecure": ceremony.is_insecure,
        "contributions": [
            {"number": number, "name": name, "hash": digest.hex()}
            for number, (name, digest) in enumerate(ceremony.contributions, 1)
        ],
        "hash": ceremony.hash.hex(),
    }


def _text(result: Result) -> str:
    lines = [f"circuit       {result['circuit']}{'  INSECURE' if result['insecure'] else ''}"]
    contributions = result["contributions"]
    if isinstance(contributions, list):
        lines += [f"{each['number']:>12}  {each['hash']}  {each['name']}" for each in contributions]
    lines.append(f"hash          {result['hash']}")
    if "mine" in result:
        lines.append(f"yours         {result['mine']}   publish it")
    if "key" in result:
        lines.append(f"key           {result['key']}")
        lines.append(f"its hash      {result['verifying_key_hash']}   for the genesis")
    if "verified" in result:
        lines.append("verified" if result["verified"] else "not verified: use `verify`")
    return "\n".join(lines)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _fail(options: argparse.Namespace, reason: str, text: str) -> None:
    if options.output == "json":
        _print(json.dumps({"error": {"reason": reason, "message": text}}))
    else:
        _log(f"{reason}: {text}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m logos_ceremony", description="Add to a circuit's setup, or check it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("file", type=Path, metavar="FILE", help="the transcript")
        added.add_argument("--output", choices=("text", "json"), default="text")
        added.set_defaults(command=run)
        return added

    begin = command("begin", _begin, "Make the first key of a circuit, and a transcript of it.")
    begin.add_argument("--circuit", required=True, choices=circuit_names())
    contribute = command("contribute", _contribute, "Verify a transcript and add to it.")
    contribute.add_argument("--name", required=True, help="your public name: 1 to 64 bytes")
    contribute.add_argument(
        "--entropy-file",
        type=Path,
        metavar="FILE",
        help="secret bytes, mixed with the system's randomness",
    )
    command("verify", _verify, "Verify every step of a transcript.")
    command("show", _show, "Show a transcript without verifying it.")
    finish = command("finish", _finish, "Verify a transcript and write its final key.")
    finish.add_argument(
        "--keys", type=Path, required=True, metavar="FOLDER", help="the folder of keys"
    )
    return parser
