"""Prints the frames of a network of containers as a pcap file. Standard library only.

Runs in a container of the host's network, with the capability NET_RAW and no other; its standard
input says how long: it ends when that does, after what was seen by then. Each frame is printed as
often as an interface sees it. Times are of the clock of taps (MIX-32), not of the calendar.

    python frame_sniffer.py 10.210.0.0/24 > frames.pcap
"""

import ctypes
import ipaddress
import select
import socket
import struct
import sys
import time
from typing import BinaryIO

MAX_FRAME_BYTES = 256 * 1024
"""Offloading makes frames of 64 KiB of what are many on a real network."""
BUFFER_BYTES = 64 << 20
PCAP_NANOSECONDS, ETHERNET = 0xA1B23C4D, 1
SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_STATISTICS = 263, 6
ETH_P_ALL, ETH_P_IP = 3, 0x0800

LOAD_HALF, LOAD_WORD, AND, IF_EQUAL, RETURN = 0x28, 0x20, 0x54, 0x15, 0x06
"""Operations of the kernel's filters (`linux/filter.h`)."""


def only(network: ipaddress.IPv4Network) -> bytes:
    """Returns the filter of IPv4 frames whose source lies in a network."""
    steps = [
        (LOAD_HALF, 0, 0, 12),  # type of the frame
        (IF_EQUAL, 0, 4, ETH_P_IP),
        (LOAD_WORD, 0, 0, 26),  # source
        (AND, 0, 0, int(network.netmask)),
        (IF_EQUAL, 0, 1, int(network.network_address)),
        (RETURN, 0, 0, MAX_FRAME_BYTES),
        (RETURN, 0, 0, 0),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def main() -> None:
    """Captures until the standard input ends."""
    program = only(ipaddress.IPv4Network(sys.argv[1]))
    kept = ctypes.create_string_buffer(program, len(program))
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    filtering = struct.pack("HL", len(program) // 8, ctypes.addressof(kept))
    sniffer.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtering)
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    out = sys.stdout.buffer
    out.write(struct.pack("=IHHiIII", PCAP_NANOSECONDS, 2, 4, 0, 0, MAX_FRAME_BYTES, ETHERNET))
    out.flush()
    is_asked = True
    while is_asked:
        readable, _, _ = select.select([sniffer, sys.stdin], [], [])
        is_asked = sys.stdin not in readable
        copy(sniffer, out)
    _seen, dropped = struct.unpack("II", sniffer.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    if dropped:
        sys.exit(f"{dropped} frames were dropped")


def copy(sniffer: socket.socket, out: BinaryIO) -> None:
    """Prints all frames that wait."""
    while True:
        try:
            frame = sniffer.recv(MAX_FRAME_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            out.flush()
            return
        seconds, nanoseconds = divmod(time.clock_gettime_ns(time.CLOCK_BOOTTIME), 10**9)
        out.write(struct.pack("=IIII", seconds, nanoseconds, len(frame), len(frame)))
        out.write(frame)


if __name__ == "__main__":
    main()
