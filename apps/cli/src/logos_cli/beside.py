"""Another `./logos` command that runs while this process does something else."""

import codecs
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from logos_cli.programs import interrupts_held, tool_environment
from logos_cli.streams import STDIN

_LOOK_S: Final = 0.5
"""How often its output is looked for."""
_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Beside:
    """The command. What it says is kept in files, so that it does not mix with ours."""

    process: subprocess.Popen[bytes]
    answer: Path
    said: Path

    def finish(self) -> dict[str, Any] | None:
        """Shows on stderr all that it has said and says, until it ends.

        Returns:
            The JSON object that it printed; None if there is none.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with self.said.open("rb") as said:
            has_ended = False
            while not has_ended:
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(_LOOK_S)
                    has_ended = True
                while piece := said.read(_PIECE_BYTES):
                    sys.stderr.write(decoder.decode(piece))
                sys.stderr.flush()
        try:
            answer = json.loads(self.answer.read_bytes())
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None


@contextmanager
def beside(program: Sequence[str], root: Path) -> Iterator[Beside]:
    """Runs a program that prints JSON while the body runs.

    If the body raises, as on an interrupt, the program is interrupted; in any case it has cleaned
    up and ended afterwards.

    Args:
        program: It and its arguments.
        root: Working folder.
    """
    with TemporaryDirectory(prefix="logos-beside-") as name:
        answer, said = Path(name) / "answer", Path(name) / "said"
        with answer.open("wb") as stdout, said.open("wb") as stderr, interrupts_held() as came:
            process = subprocess.Popen(
                program, cwd=root, env=tool_environment(), stdout=stdout, stderr=stderr
            )
        with process:
            try:
                if came:
                    raise KeyboardInterrupt
                yield Beside(process, answer, said)
            except BaseException:
                if not os.isatty(STDIN):  # a terminal interrupts it itself
                    process.send_signal(signal.SIGINT)
                raise
