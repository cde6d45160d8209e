"""What the commands of `logosctl mix` share: advice, and answers as records and as words."""

from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from logos.network.v1 import mix_pb2 as pb
from logos_cli.console import shown

ADVICE: Final = {
    "MIX_POOL_TOO_SMALL": "`logosctl mix pool` shows those that are known; others are found as"
    " they start",
    "MIX_DESTINATION_UNKNOWN": "`logosctl mix pool` lists what can be reached",
    "MIX_NO_ANSWER": "packets may be lost: try again; `logosctl mix status` shows what was dropped",
    "MIX_LINK_DOWN": "`logosctl peers --connected` shows what it is connected to; try again",
    "RLN_PROOF_LATE": "this machine is too busy to prove in time; try again when it is less so",
    "MIX_QUEUE_FULL": "`logosctl mix status` shows what waits to leave; try again later",
    "ANONYMITY_TOO_LOW": "give a longer --delay, or `logosctl mix profile` shows what hides more",
    "INVALID_PROFILE": "`logosctl mix profile` lists them",
    "MIX_OFF": "the settings of its mixnet say so: `logosctl settings get mixnet`",
}
"""What to do about an error, by its reason."""

_BASES: Final = {
    pb.Anonymity.BASIS_OBSERVED: "observed",
    pb.Anonymity.BASIS_EXPECTED: "expected",
}
_RESTS_ON: Final = {
    "observed": "as observed here, which is less than its profile promises",
    "expected": "as the cover traffic of its profile promises",
}


def anonymity_record(found: pb.Anonymity) -> dict[str, Any]:
    """What hides a message, as a record of the output."""
    return {
        "basis": _BASES.get(found.basis, ""),
        "waiting": round(found.waiting, 3),
        "entropy_bits": round(found.entropy_bits, 3),
        "best_guess": round(found.best_guess, 4),
        "words": found.words,
    }


def anonymity_said(record: dict[str, Any]) -> str:
    """What hides a message, in numbers and words."""
    numbers = f"{record['entropy_bits']:.1f} bits, the best guess is right in"
    numbers += f" {record['best_guess']:.0%} of cases"
    basis = _RESTS_ON.get(record["basis"])
    words = shown(record["words"])  # the node may not be ours
    return "; ".join(part for part in (numbers, basis, words) if part)


def seconds(duration: Duration) -> float:
    """A duration as a number of the output."""
    return round(duration.ToNanoseconds() / 1e9, 6)


def took(time_s: float) -> str:
    """A time for people: `240 ms`, `1.24 s`."""
    return f"{1000 * time_s:.0f} ms" if time_s < 0.9995 else f"{time_s:.2f} s"
