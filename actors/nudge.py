"""Wakes a node's indexer when the change feed has grown."""

import logging
import threading

import psycopg

from actors.broker.broker import StreamsBroker
from actors.index import follow
from actors.queues import queue_of
from contracts.errors import CasebookError
from contracts.search import FollowIndex
from storage.index.searcher import IndexReader
from storage.postgres.statements import statement

log = logging.getLogger(__name__)

POLL = 1.0  # seconds: how late a lost wake-up can make the index
RECONNECT = 1.0  # seconds


class Nudge:
    """Enqueues `index.follow` on a node's own queue, unless one is waiting there."""

    def __init__(self, broker: StreamsBroker, node: str) -> None:
        self._broker = broker
        self._queue = queue_of(node)

    def __call__(self, delay: int = 0) -> None:
        """Raises: QueueUnavailable, QueueFull."""
        message = follow.message(FollowIndex(), queue=self._queue, unique=follow.name)
        self._broker.enqueue(message, delay=delay or None)


class Listener(threading.Thread):
    """Listens for the NOTIFY of every write; a poll stands behind it."""

    def __init__(self, database_url: str, nudge: Nudge, index: IndexReader) -> None:
        super().__init__(name="listener", daemon=True)
        self._url = database_url
        self._nudge = nudge
        self._index = index
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                self._listen()
            except (psycopg.Error, CasebookError) as error:
                log.warning("the change feed can't be listened to: %s", str(error).split("\n")[0])
                self._ending.wait(RECONNECT)
            except Exception:  # nobody else would bring this node's index up to date
                log.exception("listening failed; trying again")
                self._ending.wait(RECONNECT)

    def _listen(self) -> None:
        with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as session:
            session.execute("listen casebook_changes")
            self._nudge()  # what came while nobody listened
            while not self._ending.is_set():
                heard = any(session.notifies(timeout=POLL, stop_after=1))
                if heard or self._is_behind(session):
                    self._nudge()

    def _is_behind(self, session: psycopg.Connection[tuple[object, ...]]) -> bool:
        """Whether the feed has settled changes that the published index has not, or it is lost."""
        row = session.execute(statement("feed.head")).fetchone()
        published = self._index.published()
        damage = self._index.damage()
        if published is None or (damage is not None and damage.folder == published.folder):
            return True
        return row is not None and (int(str(row[0])), row[1]) > published.position[1:]

    def stop(self) -> None:
        """End the thread, within POLL."""
        self._ending.set()
        self.join()
