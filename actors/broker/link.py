"""One blocking Redis connection for one thread, without hidden retries.

redis-py's client repeats a command whose answer was lost. For a read that hands out messages, or
a settle, the caller must know: it decides itself what to repeat and what to reconcile.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import hiredis
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from actors.broker import scripts
from actors.broker.clock import Clock
from actors.broker.scripts import Argument
from contracts.errors import QueueFull, QueueUnavailable

CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 20.0  # seconds: longer than any blocking read; a server that vanished is noticed

Command = tuple[Argument, ...]
T = TypeVar("T")


class Link:
    """Sends several commands in one write and reads their answers in order."""

    def __init__(self, url: str) -> None:
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=READ_TIMEOUT,
            socket_connect_timeout=CONNECT_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )
        self._connection: Any = pool.make_connection()
        self._connected = False
        self._owed = 0
        #: The answers to what was sent before the last `ask`.
        self.early: list[Any] = []
        #: Rises with every new connection: whoever compares it learns that answers were lost.
        self.generation = 0
        self.client_id = 0
        #: Redis's clock, read when the link connects, and whenever an answer brings it.
        self.clock = Clock()

    def connect(self) -> None:
        """Connect unless connected. Raises QueueUnavailable."""
        if self._connected:
            return
        try:
            self._connection.connect()
            self._connected = True
            self.client_id, time = self._exchange([(b"CLIENT", b"ID"), (b"TIME",)])
        except (RedisError, OSError) as error:
            self.close()
            raise QueueUnavailable(reason=str(error)) from error
        self.clock.set(time)
        self.generation += 1

    def close(self) -> None:
        """Drop the connection; the next command opens a new one."""
        self._connected = False
        self._owed = 0
        self._connection.disconnect()

    def ask(self, *commands: Command) -> list[Any]:
        """The answers to `commands`, sent in one write; a refused one is a ResponseError in place.

        Raises: QueueUnavailable when the connection fails; some commands may have been done.
        """
        return self._whole(self._asked, commands)

    def send(self, *commands: Command) -> None:
        """Send what is answered with the next `ask`, in `early` then. Raises as `ask`."""
        self._whole(self._sent, commands)

    def ask_one(self, command: Command) -> Any:
        """The answer to one command. Raises QueueFull, ResponseError, or as `ask`."""
        return answered(self.ask(command)[0])

    def _whole(self, exchange: Callable[[Sequence[Command]], T], commands: Sequence[Command]) -> T:
        """What `exchange` returns, or the connection is closed: its answers are out of step."""
        self.connect()
        try:
            return exchange(commands)
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            self.close()
            raise QueueUnavailable(reason=str(error)) from error
        except BaseException:  # interrupted between a command and its answer
            self.close()
            raise

    def _asked(self, commands: Sequence[Command]) -> list[Any]:
        answers = self._exchange(commands)
        for place, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                answers[place] = self._reload(commands[place])
        return answers

    def _sent(self, commands: Sequence[Command]) -> None:
        self._write(commands)
        self._owed += len(commands)

    def _write(self, commands: Sequence[Command]) -> None:
        # redis-py's own packing looks at each argument in Python first.
        packed = b"".join(map(hiredis.pack_command, commands))  # type: ignore[arg-type]  # any length is taken
        self._connection.send_packed_command([packed], check_health=False)

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        self._write(commands)
        owed, self._owed = self._owed, 0
        answers: list[Any] = []
        for _ in range(owed + len(commands)):
            try:
                answers.append(self._connection.read_response())
            except ResponseError as error:
                answers.append(error)
        self.early = answers[:owed]
        return answers[owed:]

    def _reload(self, command: Command) -> Any:
        """Run again a script that the server has forgotten (it did nothing the first time)."""
        name = next(n for n in SCRIPTS if scripts.script(n).sha == command[1])
        return self._exchange([scripts.load(name), command])[1]


SCRIPTS = (
    *("enqueue", "settle", "reply", "next", "claim", "leave", "beat", "groups", "tick"),
    *("rule", "state"),
)


def answered(answer: Any) -> Any:
    """`answer`, unless it is an error: then raise it, out-of-memory as QueueFull."""
    if isinstance(answer, ResponseError):
        if "OOM" in str(answer)[:60] or "used memory > 'maxmemory'" in str(answer):
            raise QueueFull(reason=str(answer))
        raise answer
    return answer
