"""Writes the index: changes in batches, and with each commit the position it has reached."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tantivy

from contracts.position import Position
from storage.index import files
from storage.index import published as room
from storage.index.mark import Mark, mark_document, read_mark
from storage.index.published import IndexMoved, Published, WriterBusy
from storage.index.schema import (
    POSITION,
    SCHEMA_VERSION,
    IndexDocument,
    entry_document,
    prepare,
    schema,
)
from storage.index.suspicion import unreadable
from storage.index.text import confined, speak
from storage.index.touched import Changes, Touched

__all__ = ["IndexDocument", "IndexWriter", "was_interrupted"]

log = logging.getLogger(__name__)

WRITING = "writing"  # in the folder while it is written: it stays where the process was killed
HEAP = 50_000_000  # bytes of changes that the engine keeps before it writes a segment
THREADS = 1


class IndexWriter:
    """The one writer of one folder. Not for threads.

    `position` is where the last commit stands; what was applied after it is lost with the
    process, and comes again from the change feed.
    """

    def __init__(
        self, root: Path, folder: str, index: tantivy.Index, mark: Mark | None, language: str
    ) -> None:
        self._root = root
        self._folder = folder
        self._language = language
        self._index = index
        self._writer: tantivy.IndexWriter | None = _engine_writer(index)
        (root / folder / WRITING).touch()
        self._mark = mark
        self._changes = Changes()

    @classmethod
    def open_current(cls, root: Path, language: str = "english") -> "IndexWriter | None":
        """Go on writing the published index.

        None if there is none that can be used (never built, lost, damaged, of another schema
        version or language): build a new one. Raises: WriterBusy.
        """
        current = room.read(root)
        if current is None or current.language != language or _is_damaged(root, current.folder):
            return None
        try:
            index = prepare(tantivy.Index.open(str(root / current.folder)))
            index.config_reader("manual")
            mark = read_mark(index.searcher())
            if mark is None:
                raise ValueError("the index does not know its position")
            writer = cls(root, current.folder, index, mark, language)
        except BaseException as error:
            if not unreadable(error):
                raise
            log.warning("the index in %s can't be used: %s", current.folder, error)
            return None
        if (mark.position, mark.generation) != (current.position, current.generation):
            writer._publish(mark)  # it was killed between its commit and the publishing
        with room.changing(root):
            room.remove_others(root, current.folder)  # left by a build that was killed
        return writer

    @classmethod
    def build_new(cls, root: Path, language: str = "english") -> "IndexWriter":
        """Start an empty index beside the published one; its first commit takes its place."""
        with _new_folder(root) as folder:
            index = prepare(tantivy.Index(schema(), str(root / folder)))
            index.config_reader("manual")
            return cls(root, folder, index, None, language)

    @classmethod
    def take_over(cls, root: Path, language: str, fill: Callable[[Path], None]) -> "IndexWriter":
        """Go on with the index that `fill` puts into a new folder; it is published at once.

        Raises: ValueError or OSError where it can't be opened; what `fill` raises.
        """
        with _new_folder(root) as folder:
            fill(root / folder)
            index = prepare(tantivy.Index.open(str(root / folder)))
            index.config_reader("manual")
            mark = read_mark(index.searcher())
            if mark is None:
                raise ValueError("the index does not know its position")
            writer = cls(root, folder, index, None, language)
        writer.commit(mark.position)  # with a generation of its own: caches go by it
        return writer

    @property
    def position(self) -> Position:
        """Where the last commit stands. Raises LookupError before the first one."""
        if self._mark is None:
            raise LookupError("nothing was committed yet")
        return self._mark.position

    def published(self) -> bool:
        """Whether this folder is the one that searches use, still there and not damaged."""
        current = room.read(self._root)
        return (
            current is not None
            and current.folder == self._folder
            and (self._root / self._folder / files.META).exists()
            and not _is_damaged(self._root, self._folder)
        )

    @confined
    def apply(self, upserts: Iterable[IndexDocument], deletes: Iterable[str]) -> None:
        """Replace or add entries, then delete others by id; seen after the next commit.

        Raises ValueError or TypeError for an entry that does not fit, before anything of the call
        was applied. After any other failure all since the last commit is undone.
        """
        speak(self._language)
        entries, gone = list(upserts), [str(entry_id) for entry_id in deletes]
        documents = [(entry.id, entry_document(entry)) for entry in entries]
        writer = self._open()
        try:
            for entry_id, document in documents:
                writer.delete_documents_by_term("id", entry_id)
                writer.add_document(document)
            for entry_id in gone:
                writer.delete_documents_by_term("id", entry_id)
        except BaseException:
            self._undo(writer)
            raise
        if self._mark is not None:  # of a new index everything counts as touched
            self._changes.add(entries, gone)

    def commit(self, position: Position) -> int:
        """Make all that was applied durable and seen, and `position` with it.

        Returns the generation: it grows with every commit, over rebuilds too. Raises: IndexMoved
        when another folder was published meanwhile.
        """
        writer = self._open()
        if self._mark is not None and not self.published():
            raise IndexMoved(folder=self._folder)
        mark = Mark(position, self._next_generation(), self._touched(position))
        try:
            writer.delete_documents_by_term("kind", POSITION)
            writer.add_document(mark_document(mark))
            writer.commit()
        except BaseException:
            self._undo(writer)
            raise
        self._changes.clear()
        self._publish(mark)
        self._mark = mark
        return mark.generation

    def close(self) -> None:
        """Stop writing and free the folder; what was not committed is undone."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.rollback()
            writer.wait_merging_threads()
            (self._root / self._folder / WRITING).unlink(missing_ok=True)

    def _touched(self, position: Position) -> Touched:
        if self._mark is None:
            return Touched.everything(position)
        return self._mark.touched.by(position, self._changes.categories(self._index.searcher()))

    def _undo(self, writer: tantivy.IndexWriter) -> None:
        self._changes.clear()
        writer.rollback()

    def _open(self) -> tantivy.IndexWriter:
        if self._writer is None:
            raise ValueError("this writer is closed")
        return self._writer

    def _next_generation(self) -> int:
        """By the clock, so that it grows even where a lost root left nothing to count on from."""
        current = room.read(self._root)
        last = max(self._mark.generation if self._mark else 0, current.generation if current else 0)
        return max(last + 1, time.time_ns() // 1_000_000)

    def _publish(self, mark: Mark) -> None:
        self._index.reload()
        documents = self._index.searcher().num_docs - 1  # the mark is one
        with room.changing(self._root):
            now = Published(
                folder=self._folder,
                generation=mark.generation,
                position=mark.position,
                schema_version=SCHEMA_VERSION,
                documents=documents,
                language=self._language,
                touched=mark.touched,
            )
            room.write(self._root, now)
            if self._mark is None:
                room.remove_others(self._root, self._folder)


@contextmanager
def _new_folder(root: Path) -> Iterator[str]:
    """An empty folder beside the published one."""
    root.mkdir(parents=True, exist_ok=True)
    with room.changing(root):
        current = room.read(root)
        room.keep_others(root)
        room.remove_others(root, current.folder if current else "")
        yield room.new_folder(root)


def was_interrupted(root: Path) -> bool:
    """Whether who wrote the published index did not close it: it was killed, or still writes."""
    current = room.read(root)
    return current is not None and (root / current.folder / WRITING).exists()


def _is_damaged(root: Path, folder: str) -> bool:
    found = files.damage(root)
    return found is not None and found.folder == folder


def _engine_writer(index: tantivy.Index) -> tantivy.IndexWriter:
    try:
        return index.writer(HEAP, THREADS)
    except ValueError as error:
        if "LockBusy" in str(error):
            raise WriterBusy from None
        raise
