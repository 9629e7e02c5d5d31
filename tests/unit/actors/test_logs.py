"""Logs: one JSON object a line or lines for people, whose they are, and never a secret."""

import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from actors import logs
from contracts import operation
from settings import Settings

SECRET = 'p"ss/wörd%'
KEY = "casebook_" + "k" * 43


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a process sets once is as it was for the next test."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    logging.captureWarnings(False)
    root.handlers[:] = before
    root.setLevel(level)


def begin(form: str = "json", level: str = "INFO", secrets: tuple[str, ...] = ()) -> io.StringIO:
    """Log to what is returned."""
    stream = io.StringIO()
    logs.begin(level, form, process="worker", node="n1", secrets=secrets, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Each line as the object that it must be."""
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "name", ["actors.worker", "uvicorn.error", "dramatiq.worker", "psycopg.pool"]
)
def test_every_loggers_lines_say_whose_they_are(name: str) -> None:
    """Ours and those of libraries, the same way; with the operation where there is one."""
    stream = begin()
    log = logging.getLogger(name)
    log.warning("%d are late", 3)
    operation.enter("0af7651916cd43dd8448eb211c80319c")
    log.warning("a\nb")
    first, second = lines(stream)
    assert first["event"] == "3 are late"
    assert (first["level"], first["logger"], first["process"]) == ("warning", name, "worker")
    assert (first["node"], isinstance(first["pid"], int)) == ("n1", True)
    assert "operation_id" not in first
    assert second["operation_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert second["event"] == "a\nb"


def test_a_line_that_is_not_written_is_not_made() -> None:
    """What is logged below the level costs no formatting."""

    class Costly:
        def __str__(self) -> str:
            raise AssertionError("it was formatted")

    stream = begin()
    logging.getLogger("actors").debug("%s", Costly())
    assert stream.getvalue() == ""


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_no_line_holds_a_secret(form: str) -> None:
    """Not in a message, a traceback, a value near it, nor what a stranger's library says."""
    settings = Settings.load(
        {
            "CASEBOOK_DATABASE_URL": "postgresql://u:p%40ssword1@db/x",
            "CASEBOOK_REDIS_URL": "redis://:redis-secret@r:6379/0",
            "CASEBOOK_ANALYTICS_KEY": SECRET,
        },
        find_servers=False,
    )
    stream = begin(form, secrets=tuple(settings.secrets()))
    log = logging.getLogger("x")
    try:
        local = SECRET
        raise RuntimeError(f"with {local}")
    except RuntimeError:
        log.exception("it failed with %s", SECRET)
    log.warning("p@ssword1 and p%%40ssword1 of %s", settings.database_url)
    log.warning("connecting to redis://:redis-secret@r and http://joe:pw1@h/x, not http://h:80/x@y")
    log.warning("Authorization: Bearer %s", KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"with {SECRET}", stacklevel=1)
    text = stream.getvalue()
    escaped = orjson.dumps(SECRET).decode()[1:-1]
    for secret in (SECRET, escaped, "p@ssword1", "p%40ssword1", "redis-secret", "pw1", KEY):
        assert secret not in text
    assert "RuntimeError" in text
    assert "http://h:80/x@y" in text
    assert "test_logs.py" in text  # the warning


def test_lines_for_people_hold_no_control_characters() -> None:
    """What somebody else wrote can't move a terminal's cursor."""
    stream = begin("pretty")
    logging.getLogger("x").warning("red \x1b[31m, back \r")
    assert "\\x1b[31m, back \\r" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_text_that_no_encoding_holds_is_logged() -> None:
    """A lone surrogate is shown, and the line is JSON."""
    stream = begin()
    logging.getLogger("x").warning("bad \udcff")
    assert lines(stream)[0]["event"] == "bad \\udcff"


def test_what_ends_a_thread_is_a_line() -> None:
    """No traceback stands between the lines."""

    def fail() -> None:
        raise RuntimeError("no")

    stream = begin()
    thread = threading.Thread(target=fail, name="t1")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("thread t1 has ended", "critical")
    assert line["exception"].endswith("RuntimeError: no")


def test_auto_is_pretty_on_a_terminal_alone() -> None:
    """A file, a pipe and a journal get JSON."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert [logs.is_json("auto", one) for one in (Terminal(), io.StringIO())] == [False, True]
    assert [logs.is_json(form, Terminal()) for form in ("json", "pretty")] == [True, False]
