"""Logs are JSON lines with the data beside the message."""

import json
import logging
import sys

from logos_module.logs import JsonFormatter


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
