"""Keeps this node's index in step with the change feed; the one process that writes it."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from contracts.position import Position
from storage.index.tuning import TuningWriter
from storage.index.writer import IndexDocument, IndexWriter
from storage.postgres.store import Row, Store, Transaction

log = logging.getLogger(__name__)

BATCH = 20_000  # changes a commit, at most: of smaller ones the engine merges more, and slower
READ = 1_000  # changes a statement
BULK = 100  # changes: from here on a batch waits for more, since commits cost most
LINGER = 2.0  # seconds that a batch waits at most
QUIET = 0.2  # seconds without a change that end the waiting
PAUSE = 0.05  # seconds between two looks while it waits
START = UUID(int=0)

DEPTH_MAX = 10  # categories above each other

#: A category's key → its parent's key and name.
Parents = dict[str, tuple[str, str]]
Report = Callable[[int, int], None]


class Followed(NamedTuple):
    """What one step did."""

    applied: int
    #: There are more settled changes.
    more: bool
    #: Changes are written that some open transaction still holds back.
    held: bool


class Follower:
    """Applies changes in feed order and commits the position with them.

    Not for threads: its queue has one reader.
    """

    def __init__(self, root: Path, store: Store, language: str = "english") -> None:
        self._root = root
        self._store = store
        self._language = language
        self._writer: IndexWriter | None = None
        self._tuning = TuningWriter(root, store)
        self._parents: Parents = {}  # the tree of categories

    def step(self) -> Followed:
        """Publish synonyms and pins that changed, and apply one batch.

        A lost, outdated or foreign index is rebuilt first, and one in another language than is
        wanted.

        Raises: DatabaseUnavailable; whatever a failed commit raises, after which the next step
        begins where the last commit stood.
        """
        try:
            self._tuning.step()
            return self._step()
        except BaseException:
            self.close()
            raise

    def rebuild(self, report: Report = lambda done, total: None) -> Position:
        """Build the index anew beside the old one and swap; searches go on meanwhile.

        `report` hears how many entries are done, of how many; what it raises ends the building,
        and the old index stays.
        """
        self.close()
        with self._store.transaction() as tx:
            position = head(tx)
            count = (tx.row("feed.count") or {})["count"]
            self._parents = _parents(tx)
        writer = IndexWriter.build_new(self._root, self._language)
        try:
            after, total = START, 0
            while rows := self._scan(after):
                writer.apply([_document(row, self._parents) for row in rows], ())
                after, total = rows[-1]["id"], total + len(rows)
                report(total, count)
            # Changes made during the scan come again from the feed: applying twice is harmless.
            writer.commit(position)
        except BaseException:
            writer.close()
            raise
        self._writer = writer
        log.info("the index was built anew: %d entries", total)
        return position

    def close(self) -> None:
        """Give up the writer; what was not committed is read from the feed again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _step(self) -> Followed:
        with self._store.transaction() as tx:
            row = tx.row("feed.pruned") or {}
            oldest = tx.position(row["txid"], row["seq"])
            self._parents = _parents(tx)
        epoch = oldest.epoch
        writer = self._current(oldest)
        position, applied, begun, grown = writer.position, 0, time.monotonic(), 0.0
        while applied < BATCH:
            with self._store.transaction() as tx:
                place = {"txid": str(position.txid), "seq": position.seq}
                rows = tx.rows("feed.read", limit=READ, **place)
                held = not rows and bool((tx.row("feed.held") or {})["held"])
            if rows:
                self._apply(writer, rows)
                applied += len(rows)
                position = Position(epoch, int(rows[-1]["txid"]), rows[-1]["seq"])
                grown = time.monotonic()
            if applied < BULK and len(rows) < READ:
                break
            if time.monotonic() >= min(begun + LINGER, grown + QUIET):
                break
            if len(rows) < READ:
                time.sleep(PAUSE)
        if applied:
            writer.commit(position)
        return Followed(applied, more=len(rows) == READ, held=held)

    def _current(self, oldest: Position) -> IndexWriter:
        """The writer of an index that the feed, kept from `oldest` on, can bring up to date."""
        if self._writer is None:
            self._writer = IndexWriter.open_current(self._root, self._language)
        elif not self._writer.published():
            self.close()  # the folder was taken away under us
        if self._writer is None or not self._writer.position.reaches(oldest):
            self.rebuild()
        assert self._writer is not None
        return self._writer

    def _apply(self, writer: IndexWriter, rows: list[Row]) -> None:
        """The last change of each entry counts; its row shows the entry as it is now."""
        last = {row["entry_id"]: row for row in rows}
        live = [row for row in last.values() if row["id"] and row["archived_at"] is None]
        gone = [str(key) for key, row in last.items() if not row["id"] or row["archived_at"]]
        writer.apply([_document(row, self._parents) for row in live], gone)

    def _scan(self, after: UUID) -> list[Row]:
        with self._store.transaction() as tx:
            return tx.rows("feed.scan", after=after, limit=READ)


def head(tx: Transaction) -> Position:
    """The last settled place of the feed."""
    row = tx.row("feed.head")
    return tx.position(row["txid"], row["seq"]) if row else tx.position(0, 0)


def _document(row: Row, parents: Parents) -> IndexDocument:
    return IndexDocument(
        id=str(row["id"]),
        title=row["title"],
        problem=row["problem"],
        solution=row["solution"],
        category=row["category"],
        severity=row["severity"],
        tags=tuple(row["tags"]),
        version=row["version"],
        updated_at=row["updated_at"],
        within=tuple(_ancestors(row["category"], parents)),
        source=row["source"],
        external_id=row["external_id"] or "",
        author=row["created_by"],
        created_at=row["created_at"],
        usage=row["usage"] or 0,
        success=row["success"] or 0,
        failure=row["failure"] or 0,
    )


def _parents(tx: Transaction) -> Parents:
    return {row["key"]: (row["parent"], row["parent_name"]) for row in tx.rows("feed.parents")}


def _ancestors(category: str, parents: Parents) -> Iterator[str]:
    """Their names, the parent's first."""
    key = category.casefold()
    for _ in range(DEPTH_MAX):
        if key not in parents:
            return
        key, name = parents[key]
        yield name
