"""What a process logs: JSON lines, or lines for people; every logger's, each by whom and for what.

Everyone logs with the standard library, whose loggers put off all work until a line is written.
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from contracts.operation import current

HIDDEN = "***"
LEAST = 6  # characters of a secret that is looked for: a shorter one is in every other word
URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
KEY = r"\bcasebook_[\w-]{40,}"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_json(form: str, stream: TextIO) -> bool:
    """Whether lines on `stream` are JSON: `auto` is pretty for a terminal alone."""
    return form == "json" or (form == "auto" and not stream.isatty())


def begin(
    level: str,
    form: str,
    *,
    process: str,
    node: str,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """From here on every logger of this process writes to `stream` (default: standard error).

    `secrets` stand in no line, wherever a library may have put them; nor do passwords in URLs,
    and keys of ours. What ends a thread or the process is a line as well.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(stream, form, _Whose(process, node), _Clean(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _ended
    threading.excepthook = _thread_ended


def _formatter(
    stream: TextIO, form: str, whose: Processor, clean: Processor
) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor
    if is_json(form, stream):
        # In another encoding what it can't hold would become an escape that JSON does not know.
        getattr(stream, "reconfigure", lambda **_: None)(encoding="utf-8")
        renderer = structlog.processors.JSONRenderer(_json)
    else:
        # Theirs would show the values of variables, which may be secrets.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", key="timestamp"),
            whose,
            structlog.processors.format_exc_info,
            clean,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


class _Whose:
    """Adds which process of which node it is, and the operation that it works for."""

    def __init__(self, process: str, node: str) -> None:
        self._same = {"process": process, "pid": os.getpid(), "node": node}

    def __call__(self, logger: Any, method: str, line: EventDict) -> EventDict:
        line.update(self._same)
        if operation_id := current():
            line["operation_id"] = operation_id
        return line


class _Clean:
    """Hides secrets; and makes control characters and broken text readable ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({one for one in secrets if len(one) >= LEAST}, key=len, reverse=True)
        self._secret = re.compile("|".join([*map(re.escape, known), KEY]))

    def __call__(self, logger: Any, method: str, line: EventDict) -> EventDict:
        for name, value in line.items():
            if isinstance(value, str):
                line[name] = self._text(value)
        return line

    def _text(self, text: str) -> str:
        text = self._secret.sub(HIDDEN, URL.sub(rf"\1{HIDDEN}", text))
        text = CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)
        return text.encode(errors="backslashreplace").decode()


def _json(line: EventDict, **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()


def _ended(kind: type[BaseException], error: BaseException, _trace: Any) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(__name__).critical("the process ends", exc_info=error)


def _thread_ended(what: threading.ExceptHookArgs) -> None:
    name = what.thread.name if what.thread else "a thread"
    error = what.exc_value
    if error is not None and what.exc_type is not SystemExit:
        logging.getLogger(__name__).critical("thread %s has ended", name, exc_info=error)
