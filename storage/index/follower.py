"""Keeps this node's index in step with the change feed; the one process that writes it."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from contracts.errors import IndexBackupUnusable, IndexUnavailable
from contracts.position import Position
from storage.index import backup, files, published, tuning
from storage.index.backup import Manifest
from storage.index.codes import listed_codes
from storage.index.files import Checked
from storage.index.schema import SCHEMA_VERSION
from storage.index.suspicion import unreadable
from storage.index.tuning import TuningWriter
from storage.index.writer import IndexDocument, IndexWriter, was_interrupted
from storage.postgres.store import Row, Store, Transaction

log = logging.getLogger(__name__)

BATCH = 20_000  # changes a commit, at most: of smaller ones the engine merges more, and slower
READ = 1_000  # changes a statement
BULK = 100  # changes: from here on a batch waits for more, since commits cost most
LINGER = 2.0  # seconds that a batch waits at most
QUIET = 0.2  # seconds without a change that end the waiting
PAUSE = 0.05  # seconds between two looks while it waits
START = UUID(int=0)

PART = 64_000_000  # bytes that a check in parts reads at least, but for the last one
DEPTH_MAX = 10  # categories above each other
PART_OF = "/"  # before the part, in the name of a category

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
        self._checked = ""  # the file after which a check in parts goes on
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
        except BaseException as error:
            try:
                self.close()
            finally:
                if unreadable(error):
                    self._look()
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

    def check(self, *, whole: bool = True) -> Checked:
        """Compare the files of the index with their checksums, or only the next PART bytes of them,
        and the copy of synonyms and pins with its own.

        Of a damaged index the next step builds another, and it publishes a damaged copy anew;
        searches go on in what they have read until then. Raises: IndexUnavailable.
        """
        found = self._check_index(whole)
        if self._tuning.check():
            return found
        log.error("%s is damaged and will be published anew", tuning.NAME)
        return found._replace(damaged=(*found.damaged, tuning.NAME))

    def _check_index(self, whole: bool) -> Checked:
        current = published.read(self._root)
        if current is None and (self._root / published.NAME).exists():
            log.error("%s is damaged; the index will be built anew", published.NAME)
            return Checked(1, 0, (published.NAME,), "")
        if current is None and whole:
            raise IndexUnavailable
        if current is None:
            return Checked(0, 0, (), "")
        try:
            after, most = ("", None) if whole else (self._checked, PART)
            found = files.check(self._root / current.folder, after, most)
        except (OSError, ValueError, KeyError):
            found = Checked(1, 0, (files.META,), "")
        self._checked = found.last
        if found.damaged:
            files.note_damage(self._root, current.folder, found.damaged)
            log.error(
                "the index in %s is damaged and will be built anew; searches go on: %s",
                current.folder,
                ", ".join(found.damaged),
            )
        return found

    def backup(self, to: Path) -> Manifest:
        """Copy the index into the new or empty folder `to`. Raises as `backup.backup`."""
        return backup.backup(self._root, to)

    def restore(self, source: Path) -> Manifest:
        """Go on from a backup of an index instead of building one; searches go on meanwhile.

        Raises: IndexBackupUnusable, DatabaseUnavailable.
        """
        manifest = backup.read(source)
        with self._store.transaction() as tx:
            row = tx.row("feed.pruned") or {}
            self._refuse(manifest, tx.position(row["txid"], row["seq"]))
        self.close()
        try:
            self._writer = IndexWriter.take_over(
                self._root, self._language, lambda to: backup.copy_into(source, manifest, to)
            )
        except ValueError as error:
            raise IndexBackupUnusable(reason=f"the engine can't open it: {error}") from None
        log.info("the index was restored: %d entries", manifest.documents)
        return manifest

    def _refuse(self, manifest: Manifest, oldest: Position) -> None:
        """Raise IndexBackupUnusable unless the feed, kept from `oldest` on, goes on from there."""
        found = manifest.position
        wrong = {
            "it has another layout than this release": manifest.schema_version != SCHEMA_VERSION,
            f"its language is {manifest.language}": manifest.language != self._language,
            "it is of another database, or from before a restore": found.epoch != oldest.epoch,
            "it is older than the changes that are kept": not found.reaches(oldest),
        }
        for reason, is_so in wrong.items():
            if is_so:
                raise IndexBackupUnusable(reason=reason)

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
            if was_interrupted(self._root):  # by the engine, it may be: it aborts at some damage
                self._look()
            self._writer = IndexWriter.open_current(self._root, self._language)
        elif not self._writer.published():
            self.close()  # the folder was taken away under us
        if self._writer is None or not self._writer.position.reaches(oldest):
            self.rebuild()
        assert self._writer is not None
        return self._writer

    def _look(self) -> None:
        """Check all there is, if there is anything: what is damaged is built anew, not opened."""
        with contextlib.suppress(IndexUnavailable):
            self.check()

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
        codes=listed_codes(row["codes"]),
    )


def _parents(tx: Transaction) -> Parents:
    return {row["key"]: (row["parent"], row["parent_name"]) for row in tx.rows("feed.parents")}


def _ancestors(category: str, parents: Parents) -> Iterator[str]:
    """Their names, the parent's first. A name with a slash tells its parent by itself, unless it
    was given another: `mainframe/db2` is a part of `mainframe`."""
    key, name = category.casefold(), category
    for _ in range(DEPTH_MAX):
        if key in parents:
            key, name = parents[key]
        else:
            name = name.rpartition(PART_OF)[0].rstrip(f"{PART_OF} ")
            key = name.casefold()
        if not key:
            return
        yield name
