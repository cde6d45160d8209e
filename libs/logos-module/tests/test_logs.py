"""Logs are JSON lines with the data beside the message."""

import json
import logging
import sys

import pytest

from logos_module.logs import MAX_FAULTS, JsonFormatter, Repeats, configure


def _line(record: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter("storage").format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_a_line_holds_the_message_and_its_data() -> None:
    record = logging.makeLogRecord(
        {
            "name": "logos_storage.net",
            "levelno": logging.INFO,
            "levelname": "INFO",
            "msg": "stored",
            "created": 1_700_000_000.25,
            "size_bytes": 7,
            "path": object,
        }
    )

    line = _line(record)

    assert line["time"] == "2023-11-14T22:13:20.250Z"
    assert (line["level"], line["module"], line["logger"]) == (
        "info",
        "storage",
        "logos_storage.net",
    )
    assert (line["message"], line["size_bytes"]) == ("stored", 7)
    assert "object" in str(line["path"])
    assert "exception" not in line


def test_an_exception_stands_in_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})

    assert "ValueError: two\nlines" in str(_line(record)["exception"])


@pytest.mark.parametrize(
    "message", ["Invalid encoding on 'x'", "ExecuteBatchError raised in core by [/a.B/C]"]
)
def test_what_callers_make_grpc_log_is_one_line_without_a_trace(
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, grpc_log = logging.getLogger(), logging.getLogger("grpc._cython.cygrpc")
    for logger in (root, grpc_log):
        monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure("storage", "INFO")

    for _ in range(20):
        try:
            b"\xff".decode()
        except UnicodeDecodeError:
            grpc_log.exception(message)
    grpc_log.error("something else")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == [message, "something else"]
    assert "exception" not in lines[0]


def test_what_a_process_logs_goes_through_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure("storage", "INFO")

    for number in range(5):
        root.warning("attempt %d failed", number)
        root.info("attempt")

    lines = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["attempt 0 failed", *5 * ["attempt"]]


def _fault(text: str, **data: object) -> logging.LogRecord:
    level = data.pop("level", logging.WARNING)
    return logging.makeLogRecord({"msg": text, "levelno": level, **data})


def test_the_same_fault_is_one_line_a_second_with_the_number_of_those_left_out() -> None:
    now_s = [5.0]
    repeats = Repeats(lambda: now_s[0])
    passed = []
    for _ in range(100):
        record = _fault("no peers")
        if repeats.filter(record):
            passed.append((now_s[0], getattr(record, "left_out", 0)))
        now_s[0] += 0.125

    assert passed == [(5.0, 0), *((6.0 + each, 7) for each in range(12))]


def test_other_faults_and_what_is_no_fault_are_written() -> None:
    repeats = Repeats(lambda: 5.0)
    records = [
        _fault("a"),
        _fault("b"),
        _fault("a", of="storage"),
        _fault("a", of=["storage", "mixnet"]),
        _fault("a", name="other"),
        _fault("a", level=logging.ERROR),
        *(_fault("a", level=logging.INFO) for _ in range(3)),
    ]

    assert all(map(repeats.filter, records))
    assert not repeats.filter(_fault("a"))


def test_faults_of_all_kinds_take_bounded_memory() -> None:
    repeats = Repeats(lambda: 5.0)
    for number in range(2 * MAX_FAULTS):
        assert repeats.filter(_fault(f"fault {number}"))

    assert repeats.filter(_fault("fault 0")), "forgotten"
    assert not repeats.filter(_fault(f"fault {2 * MAX_FAULTS - 1}"))
