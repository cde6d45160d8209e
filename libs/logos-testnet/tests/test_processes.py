"""Processes are known by what they were started with."""

from pathlib import Path

from logos_testnet.processes import NodeProcess, find_processes, proportional_bytes

DIRECTORY = Path("/state/small")


def add(proc: Path, pid: int, **variables: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    raw = "\0".join(f"{name}={value}" for name, value in variables.items())
    (folder / "environ").write_bytes(raw.encode() + b"\0")
    (folder / "smaps_rollup").write_text("Rss: 900 kB\nPss:      40 kB\n")


def test_kernels_and_modules_of_the_testnet_are_found_and_nobody_else(tmp_path: Path) -> None:
    mine = {"LOGOS_TESTNET_DIR": str(DIRECTORY)}
    add(tmp_path, 10, **mine, LOGOS_PROFILE="p", LOGOS_STATE_DIR="/state/small/node2/kernel")
    add(
        tmp_path,
        11,
        **mine,
        LOGOS_PROFILE="p",
        LOGOS_MODULE="storage",
        LOGOS_STATE_DIR="/state/small/node2/modules/storage",
    )
    add(tmp_path, 12, **mine)  # a shell that only has the variable
    add(tmp_path, 13, LOGOS_TESTNET_DIR="/state/other", LOGOS_MODULE="storage")
    (tmp_path / "14").mkdir()  # ended while we looked
    (tmp_path / "self").mkdir()

    found = find_processes(DIRECTORY, tmp_path)

    assert found == [NodeProcess(10, "node2", "kernel"), NodeProcess(11, "node2", "storage")]


def test_memory_is_summed_over_what_still_lives(tmp_path: Path) -> None:
    add(tmp_path, 10)
    add(tmp_path, 11)

    processes = [NodeProcess(pid, "node1", "x") for pid in (10, 11, 12)]

    assert proportional_bytes(processes, tmp_path) == 2 * 40 * 1024
