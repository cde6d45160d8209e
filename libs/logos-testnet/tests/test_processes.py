"""Processes are known by what they were started with."""

from pathlib import Path

from logos_testnet.processes import NodeProcess, find_processes, folder_held_by, proportional_bytes

DIRECTORY = Path("/state/small")


def add(proc: Path, pid: int, **variables: str) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    raw = "\0".join(f"{name}={value}" for name, value in variables.items())
    (folder / "environ").write_bytes(raw.encode() + b"\0")
    (folder / "smaps_rollup").write_text("Rss: 900 kB\nPss:      40 kB\n")


def test_only_kernels_and_modules_of_the_testnet_are_found(tmp_path: Path) -> None:
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


def test_what_runs_in_a_moved_folder_is_found_where_its_log_is_now(tmp_path: Path) -> None:
    told = {"LOGOS_TESTNET_DIR": str(DIRECTORY), "LOGOS_PROFILE": "p"}
    for pid, log in (
        (10, "/moved/small/node1/logs/kernel.log"),
        (11, "/moved/small/node2/logs/kernel.log.1 (deleted)"),
        (12, "/state/small/node3/logs/kernel.log (deleted)"),
        (13, "pipe:[4711]"),
        (14, "/dev/null"),
    ):
        add(tmp_path, pid, **told, LOGOS_STATE_DIR=f"/state/small/node{pid - 9}/kernel")
        fd = tmp_path / str(pid) / "fd"
        fd.mkdir()
        (fd / "1").symlink_to(log)

    def nodes_in(directory: Path) -> list[str]:
        return [process.node for process in find_processes(directory, tmp_path)]

    assert nodes_in(Path("/moved/small")) == ["node1", "node2"]
    assert nodes_in(DIRECTORY) == ["node3", "node4", "node5"]
    assert folder_held_by(10, tmp_path) == Path("/moved/small")
    assert folder_held_by(99, tmp_path) is None


def test_memory_is_summed_over_what_still_lives(tmp_path: Path) -> None:
    add(tmp_path, 10)
    add(tmp_path, 11)

    processes = [NodeProcess(pid, "node1", "x") for pid in (10, 11, 12)]

    assert proportional_bytes(processes, tmp_path) == 2 * 40 * 1024
