"""Explains why a connection failed. Only the text of gRPC's status distinguishes TLS errors."""

import re
from typing import Final

from logos_cli.console import shown

_GIVE: Final = "give the file that signs its certificate, by --ca-file or LOGOS_CA_FILE"

_FAULTS: Final = (
    (
        re.compile(r"CERTIFICATE_VERIFY_FAILED: ([^:]*)"),
        "CERTIFICATE_REFUSED",
        f"the certificate of {{address}} is not accepted ({{why}}): {_GIVE}",
    ),
    (
        re.compile("Hostname Verification Check failed()"),
        "CERTIFICATE_REFUSED",
        "the certificate of {address} is for other names: use one of those as the address",
    ),
    (
        re.compile("WRONG_VERSION_NUMBER()"),
        "TLS_NOT_SERVED",
        "{address} has no TLS: give it a certificate, or omit --ca-file and LOGOS_CA_FILE",
    ),
    (
        re.compile("failed to connect .*Socket closed()"),
        "TLS_EXPECTED",
        f"{{address}} closes connections in clear text, as doors with TLS do: {_GIVE}",
    ),
)


def why_unreachable(details: str, address: str) -> tuple[str, str]:
    """Returns an error message, and its reason; empty if the node just does not answer.

    Args:
        details: Text of gRPC's status.
        address: The node, for the sentence.
    """
    for pattern, reason, sentence in _FAULTS:
        if match := pattern.search(details):
            return sentence.format(address=address, why=shown(match[1])), reason
    nobody = (
        f"no node answers at {address}; `./logos status` shows what is up, `./logos up` starts"
        " the testnet"
    )
    return nobody, ""
