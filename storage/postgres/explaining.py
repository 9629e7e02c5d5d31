"""Why a statement was slow: its plan, with nothing in it that anyone has written."""

import contextlib
import logging
import re
import threading
import time
from typing import Any

import psycopg
from psycopg.rows import DictRow

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds between two plans of the same statement
LONGEST = 8_000  # characters of a plan
PATIENCE = b"set local statement_timeout = '1s'; set local lock_timeout = '100ms'"
#: EXPLAIN alone runs nothing; still, what writes or locks is left alone.
WRITES = re.compile(rb"\b(insert|update|delete|merge|truncate|copy|for\s+share)\b", re.IGNORECASE)
LITERAL = re.compile(r"'(?:[^']|'')*'")
NUMBER = re.compile(r"(?<![\w$.])-?\d+(?:\.\d+)?\b")
CONDITION = re.compile(r"^[\w ]*(?:Cond|Filter|Key|Output|Call): .*$", re.MULTILINE)


class Explainer:
    """Plans of slow statements of one process, each at most once in EVERY seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def wants(self, name: str, sql: bytes) -> bool:
        """Whether the plan of this statement is to be looked up now."""
        if WRITES.search(sql):
            return False
        now = time.monotonic()
        with self._lock:
            due = now - self._last.get(name, -EVERY) >= EVERY
            if due:
                self._last[name] = now
        return due


def explain(connection: psycopg.Connection[DictRow], sql: bytes, parameters: Any) -> str:
    """The plan of a statement with these parameters; "" where there is none to be had.

    It is not run, and the transaction that asks is rolled back. `connection` is in none.
    """
    try:
        connection.execute(b"begin; " + PATIENCE)
        rows = connection.execute(b"explain " + sql, parameters, prepare=False).fetchall()
        return without_content("\n".join(str(row["QUERY PLAN"]) for row in rows))[:LONGEST]
    except psycopg.Error as error:
        log.debug("no plan: %s", error)
        return ""
    finally:
        with contextlib.suppress(psycopg.Error):  # what was asked for has been done before
            connection.rollback()


def without_content(plan: str) -> str:
    """A plan whose conditions name columns, and no value."""
    plan = LITERAL.sub("'?'", plan)
    return CONDITION.sub(lambda line: NUMBER.sub("?", line[0]), plan)
