"""The way into PostgreSQL: a pool, short transactions, and errors in our own terms."""

import contextlib
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from contracts.errors import (
    CasebookError,
    CircuitOpen,
    DatabaseBusy,
    DatabaseUnavailable,
    SchemaMissing,
)
from contracts.operation import doing
from contracts.position import Position
from storage import steps
from storage.breaker import Attempt, Breaker
from storage.postgres.decoding import ADAPTERS
from storage.postgres.explaining import Explainer, explain
from storage.postgres.lookout import Lookout
from storage.postgres.probing import Silent, probe
from storage.postgres.statements import statement
from storage.postgres.yielding import yield_likewise
from storage.steps import Step, shape

CONNECT_TIMEOUT = 2.0  # seconds to wait for a connection before the database counts as away
AWAY_TIMEOUT = 0.5  # seconds to wait for one when it has been away a moment ago
LONGEST_ID = 36  # characters of an operation's id: one of ours, or a trace's
LONGEST_NAME = 63  # of an application_name; PostgreSQL cuts what is longer
STRANGE = re.compile(r"[^\w .:@-]", re.ASCII)  # an id may be anybody's; this goes into SQL
STATEMENT_TIMEOUT = 25_000  # ms: below an actor's time limit, which can't interrupt a socket

Row = dict[str, Any]


class Transaction:
    """Statements of one transaction. Short ones only: an open write holds the change feed back."""

    def __init__(self, connection: psycopg.Connection[DictRow], epoch: str) -> None:
        self.connection = connection
        #: Statements that were slow, to be explained when this has ended.
        self.slow: list[Slow] = []
        self._epoch = epoch
        self._steps = steps.current()

    def rows(self, name: str, where: tuple[str, ...] = (), /, **parameters: Any) -> list[Row]:
        """All rows of the named statement; `where` names its conditions."""
        return self._execute(name, where, parameters).fetchall()

    def row(self, name: str, where: tuple[str, ...] = (), /, **parameters: Any) -> Row | None:
        """The first row of the named statement, or None."""
        return self._execute(name, where, parameters).fetchone()

    def run(self, name: str, where: tuple[str, ...] = (), /, **parameters: Any) -> int:
        """Run a named statement; the number of rows it touched."""
        return self._execute(name, where, parameters).rowcount

    def _execute(
        self, name: str, where: tuple[str, ...], parameters: Row
    ) -> psycopg.Cursor[DictRow]:
        sql = statement(name, where)
        if self._steps is None:
            return self.connection.execute(sql, parameters)
        began = time.monotonic()
        try:
            return self.connection.execute(sql, parameters)
        finally:
            step = self._steps.add("sql", name, began)
            if step.ms >= self._steps.slow:
                step.shape = shape(parameters)
                self.slow.append(Slow(step, sql, parameters))

    def copy(self, name: str, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Store rows by the named binary COPY, whose columns have these types.

        Raises: psycopg's UniqueViolation, after which this transaction can only roll back.
        """
        began = time.monotonic()
        try:
            with self.connection.cursor() as cursor, cursor.copy(statement(name)) as sink:
                sink.set_types(types)
                for row in rows:
                    sink.write_row(row)
        finally:
            if self._steps is not None:
                self._steps.add("sql", name, began)

    def position(self, txid: str | int, seq: int) -> Position:
        """A place in the change feed of the database's present epoch."""
        return Position(self._epoch, int(txid), int(seq))

    def notify(self) -> None:
        """Tell the followers, once this commits, that the feed has grown."""
        self.connection.execute(statement("feed.notify"))


class Slow(NamedTuple):
    """A statement that took long, and what it takes to explain it."""

    step: Step
    sql: bytes
    parameters: Row


class PoolUse(NamedTuple):
    """A pool as of now: connections, and since it began requests and seconds."""

    in_use: int
    idle: int
    most: int
    waiting: int
    requests: int
    waits: int
    wait_seconds: float
    errors: int


class Store:
    """PostgreSQL for one process. Making one connects to nothing; `open` does.

    Where connections can't be had again and again, `breaker` opens: callers are refused at once,
    and `lookout` closes it as soon as there is one to be had.
    """

    def __init__(
        self,
        url: str,
        *,
        most: int = 4,
        name: str = "casebook",
        breaker: Breaker | None = None,
    ) -> None:
        self.url = url
        self.breaker = breaker or Breaker("postgresql")
        self.lookout = Lookout(url, self.breaker)
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool(
            url,
            min_size=1,
            max_size=most,
            open=False,
            num_workers=1,
            # The pool's own attempts come ever later, up to as long after an outage as it lasted;
            # without them every caller that finds no connection is an attempt.
            reconnect_timeout=0,
            configure=yield_likewise,
            check=self._check,
            kwargs={
                "autocommit": True,  # `beginning` says what a transaction begins with
                "row_factory": dict_row,
                "context": ADAPTERS,
                "application_name": name,
                "connect_timeout": 5,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT} -c lock_timeout=10000",
            },
        )
        self._explainer = Explainer()
        self._patience = CONNECT_TIMEOUT
        self._epochs: WeakKeyDictionary[psycopg.Connection[DictRow], str] = WeakKeyDictionary()

    def open(self) -> None:
        """Start the pool; it connects in the background and again whenever it must."""
        self._pool.open(wait=False)

    def close(self) -> None:
        """End every connection."""
        self.lookout.stop()
        self._pool.close(timeout=2)

    def pool_use(self) -> PoolUse:
        """How the pool is used."""
        found = self._pool.get_stats()
        size, idle = found.get("pool_size", 0), found.get("pool_available", 0)
        return PoolUse(
            in_use=max(0, size - idle),
            idle=idle,
            most=found.get("pool_max", 0),
            waiting=found.get("requests_waiting", 0),
            requests=found.get("requests_num", 0),
            waits=found.get("requests_queued", 0),
            wait_seconds=found.get("requests_wait_ms", 0) / 1000,
            errors=found.get("requests_errors", 0),
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit at the end, roll back on an exception.

        Raises: DatabaseUnavailable, DatabaseBusy, SchemaMissing; what the body raises.
        """
        with translated(), self._connection() as connection:
            connection.execute(beginning(), prepare=False)
            tx = Transaction(connection, self._epoch(connection))
            try:
                yield tx
                connection.commit()
            finally:
                if tx.slow:
                    self._explain(connection, tx.slow)

    def _explain(self, connection: psycopg.Connection[DictRow], slow: list[Slow]) -> None:
        """Look up the plans of what took long, once its transaction has ended."""
        with contextlib.suppress(psycopg.Error):
            connection.rollback()
        for step, sql, parameters in slow:
            if not connection.closed and self._explainer.wants(step.name, sql):
                step.plan = explain(connection, sql, parameters)

    def _check(self, connection: psycopg.Connection[DictRow]) -> None:
        """Raises psycopg's error where `connection` is lost; then the idle ones are as well.

        Left to be found one by one, with pauses in between, they would fail a caller though the
        database is back.
        """
        try:
            probe(connection)
        except Silent:
            raise
        except psycopg.Error:
            self._pool.check()
            raise

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """A connection of the pool. Once the server is known to be away, nobody waits for it long.

        Otherwise every read of the outage would hold its thread for CONNECT_TIMEOUT, and those
        behind it would be answered too late. What counts is whether a connection is had: a server
        that refuses a statement (its disk is full) is there.
        """
        try:
            with (
                self._leave() as attempt,
                self._pool.connection(timeout=self._patience) as connection,
            ):
                attempt.succeeded()
                self._patience = CONNECT_TIMEOUT
                yield connection
        except PoolTimeout:
            self._patience = AWAY_TIMEOUT
            self.lookout.begin()
            raise

    def _leave(self) -> Attempt:
        try:
            return self.breaker.attempt(PoolTimeout)
        except CircuitOpen:
            reason = "it did not answer again and again; it is looked for every second"
            raise DatabaseUnavailable(reason=reason, circuit=self.breaker.name) from None

    def _epoch(self, connection: psycopg.Connection[DictRow]) -> str:
        """The epoch, read once a connection: what changes it ends every connection."""
        epoch = self._epochs.get(connection)
        if epoch is None:
            row = connection.execute(statement("feed.epoch")).fetchone()
            assert row is not None
            epoch = self._epochs[connection] = str(row["epoch"])
        return epoch


def beginning() -> bytes:
    """What a transaction begins with: in the same round trip PostgreSQL hears for whom it is.

    As a value that `set_config` is given it is one statement to pg_stat_statements; in the text of
    each statement it would be a new one to be prepared for every operation.
    """
    now = doing()
    if not now.id:
        return b"begin"
    known = f"casebook {now.id[:LONGEST_ID]} {now.actor}"
    name = STRANGE.sub("?", known)[:LONGEST_NAME]
    return f"begin; select set_config('application_name', '{name}', true)".encode()


@contextmanager
def translated() -> Iterator[None]:
    """PostgreSQL's errors in our own terms; those that only a mend can help stay as they are."""
    try:
        yield
    except CasebookError:
        raise
    except (
        errors.DeadlockDetected,
        errors.SerializationFailure,
        errors.LockNotAvailable,
        errors.TooManyConnections,
        errors.QueryCanceled,
    ) as error:
        raise DatabaseBusy(reason=_reason(error)) from error
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise SchemaMissing(reason=_reason(error)) from error
    except errors.FeatureNotSupported as error:
        # A migration has changed a table under a prepared `select *`: prepared anew, it is fine.
        if "cached plan" not in str(error):
            raise
        raise DatabaseBusy(reason=_reason(error)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise DatabaseUnavailable(reason=_reason(error)) from error


def _reason(error: Exception) -> str:
    """The first line of an error: later ones may show the connection's parameters."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
