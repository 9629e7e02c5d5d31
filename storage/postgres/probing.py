"""Whether the server behind a connection answers, found out in bounded time."""

import select
from typing import Any

import psycopg

WITHIN = 1.0  # seconds that it may take: an answer to nothing at all


def probe(connection: psycopg.Connection[Any]) -> None:
    """Ask for nothing and wait for the answer, WITHIN at most.

    A server that stands still (stopped, or waiting for its disk) keeps its connections open and is
    silent: neither psycopg nor the kernel gives one up.

    Raises: psycopg.OperationalError where the connection is lost, or silent.
    """
    backend = connection.pgconn
    backend.send_query(b"")
    answer = select.poll()
    answer.register(backend.socket, select.POLLIN)
    if not answer.poll(WITHIN * 1000):
        raise Silent(f"PostgreSQL did not answer within {WITHIN:g} s")
    while backend.get_result() is not None:
        pass
    if backend.status != psycopg.pq.ConnStatus.OK:
        raise psycopg.OperationalError("the connection is lost")


class Silent(psycopg.OperationalError):
    """The connection is there, and nobody answers on it."""
