"""Answers searches from the published index, in whichever thread they come."""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import tantivy

from contracts.errors import EntryNotFound, IndexBehind, IndexUnavailable
from contracts.position import Position
from contracts.search import SearchQuery
from contracts.similar import MoreLikeThis
from contracts.suggest import Suggest
from storage.index import published as room
from storage.index.amounts import without_amounts
from storage.index.answer import answer
from storage.index.files import Damage, damage
from storage.index.forgive import forgiving
from storage.index.freshness import edition
from storage.index.guesses import Guesses
from storage.index.mark import Mark, read_mark
from storage.index.names import Names
from storage.index.parser import understand
from storage.index.published import Published, Stamp
from storage.index.rarest import rarest
from storage.index.schema import BUCKETS, prepare, schema
from storage.index.similar import candidates, like, text_of
from storage.index.spelling import Vocabulary
from storage.index.stored import card
from storage.index.suggest import suggestions
from storage.index.suspicion import Suspicion, suspecting, unreadable
from storage.index.synonyms import with_synonyms
from storage.index.text import confined, speak
from storage.index.tuning import Tuning, TuningReader
from storage.index.wanted import Wanted, asks_for_something, read_as, wanted
from storage.steps import step

ATTEMPTS = 5  # a folder may be swapped away between reading its name and opening it


class Snapshot(NamedTuple):
    """One commit, opened. Its mark comes from the index itself, so the two always agree."""

    stamp: Stamp
    pid: int
    folder: str
    language: str
    engine: tantivy.Index
    searcher: tantivy.Searcher
    mark: Mark


class IndexReader:
    """Opens the index at the first search in each process, and again when a new one is published.

    For threads: a search keeps the commit that it began with.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.suspicion = Suspicion(root)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._vocabulary = Vocabulary()
        self._tuning = TuningReader(root)
        self._names = Names()

    @suspecting
    @confined
    def search(self, request: SearchQuery) -> bytes:
        """The best hits, as the JSON of a SearchReply.

        Raises: IndexUnavailable while there is no index; IndexBehind when it has not reached
        `request.after`, or that is of another epoch (`details.position` is where the index is);
        ValidationFailed for a cursor that is none of this search.
        """
        snapshot = self._reaching(request.after)
        begun, tuning = time.perf_counter(), self._tuning.current()
        near = partial(self._vocabulary.near, snapshot.searcher, snapshot.stamp)
        guesses = Guesses(request.q, near, self.suspicion)
        with step("index", "understand"):
            held = partial(snapshot.searcher.doc_freq, "text")
            asked = rarest(understand(request.q), partial(snapshot.searcher.doc_freq, "codes"))
            asked = forgiving(
                without_amounts(asked, held),
                unknown=lambda word: not held(word),
                near=guesses.near,
                thesaurus=tuning.thesaurus,
            )
            asked = with_synonyms(asked, tuning.thesaurus)
            pinned = tuning.pinned(request.q)
        with step("index", "answer"):
            reply = answer(snapshot.searcher, asked, request, self._names, pinned, guesses)
        took = round((time.perf_counter() - begun) * 1e3, 3)
        return orjson.dumps(reply | _from(snapshot, tuning) | {"took_ms": took})

    @suspecting
    @confined
    def suggest(self, request: Suggest) -> bytes:
        """The JSON of Suggestions. Raises: IndexUnavailable."""
        snapshot = self._current()
        tuning = self._tuning.current()
        found = suggestions(snapshot.searcher, tuning.popular, request.q, request.limit)
        return orjson.dumps({"suggestions": found} | _from(snapshot, tuning))

    @suspecting
    @confined
    def like(self, request: MoreLikeThis) -> bytes:
        """The JSON of LikeEntries. Raises: IndexUnavailable; EntryNotFound, also for an entry that
        the index does not have yet."""
        snapshot = self._current()
        own = str(request.id) if request.id else None
        text = text_of(snapshot.searcher, own) if own else request.text
        if text is None:
            raise EntryNotFound(id=own)
        found = like(snapshot.searcher, text, request.limit, own)
        return orjson.dumps({"entries": found} | _from(snapshot, self._tuning.current()))

    @suspecting
    @confined
    def alike(self, text: str, most: int, after: str | None = None) -> list[str]:
        """The ids of at most `most` entries that may hold a similar text, the best first.

        Raises: IndexUnavailable; IndexBehind when the index has not reached `after`.
        """
        return candidates(self._reaching(after).searcher, text, most)

    def wanted(
        self, searches: Sequence[Wanted], ids: Sequence[str], after: str
    ) -> list[tuple[str, str, int]]:
        """`(name, id, version)` of those entries among `ids` that each of the searches wants.

        Raises: IndexUnavailable; IndexBehind when the index has not reached `after`.
        """
        return list(wanted(self._reaching(after).searcher, searches, ids))

    @confined
    def asks_for_something(self, q: str) -> bool:
        """Whether a query asks for more than stop words, in the language that is published."""
        self._speak()
        return asks_for_something(q)

    @confined
    def read_strictly(self, q: str) -> str:
        """How a query is read as a saved search, in the language that is published."""
        self._speak()
        return read_as(q)

    def _speak(self) -> None:
        if published := self.published():
            speak(published.language)

    def published(self) -> Published | None:
        """What is published now, None while there is no index; opens nothing."""
        return room.read(self._root)

    def damage(self) -> Damage | None:
        """What was found damaged last."""
        return damage(self._root)

    def ids_and_versions(self) -> Iterator[tuple[str, int]]:
        """Every entry in the index as `(id, version)`, all of one commit, in no order.

        Holds one part of BUCKETS in memory at a time. Raises: IndexUnavailable.
        """
        searcher = self._reopen(force=False).searcher
        for number in range(BUCKETS):
            part = tantivy.Query.term_query(schema(), "bucket", f"{number:02x}")
            size = _count(searcher.search(part, 1))
            for _, address in searcher.search(part, size, count=False).hits if size else ():
                kept = card(searcher.doc(address))
                yield kept["id"], kept["version"]

    def _reaching(self, after: str | None) -> Snapshot:
        """The current snapshot, if it has seen `after`; its language is spoken from here on."""
        snapshot = self._current()
        if after is None:
            return snapshot
        wanted = Position.parse(after)
        if not snapshot.mark.position.reaches(wanted):
            snapshot = self._reopen(force=True)
            speak(snapshot.language)
        if not snapshot.mark.position.reaches(wanted):
            raise IndexBehind(position=str(snapshot.mark.position))
        return snapshot

    def _current(self) -> Snapshot:
        """What is published; its language is spoken from here on."""
        snapshot = self._snapshot
        same = snapshot and snapshot.stamp == room.stamp(self._root)
        if not (snapshot and same and snapshot.pid == os.getpid()):
            snapshot = self._reopen(force=False)
        speak(snapshot.language)
        return snapshot

    def _reopen(self, *, force: bool) -> Snapshot:
        """One thread opens what is published, the others wait for it.

        What can't be opened is damaged: searches go on in what is open until it is mended.
        """
        with self._lock:
            for _ in range(ATTEMPTS):
                stamp = room.stamp(self._root)  # before all else: what comes later is seen again
                old = self._snapshot
                if old and old.pid != os.getpid():
                    old = None  # an index that was opened before a fork never reloads
                if old and old.stamp == stamp and not force:
                    return old
                if opened := self._open(stamp, old):
                    self._snapshot = opened
                    return opened
            if old and stamp:
                return old
            self._snapshot = None
        raise IndexUnavailable

    def _open(self, stamp: Stamp | None, old: Snapshot | None) -> Snapshot | None:
        current = room.read(self._root)
        if stamp is None or current is None:
            return None
        try:
            if old and old.folder == current.folder:
                index = old.engine
                index.reload()
            else:
                index = prepare(tantivy.Index.open(str(self._root / current.folder)))
                index.config_reader("manual")
            searcher = index.searcher()
            mark = read_mark(searcher)
        except BaseException as error:
            if not unreadable(error):
                raise
            return None  # swapped away meanwhile, or damaged
        if mark is None:
            return None
        if not (old and old.folder == current.folder):
            self._vocabulary = Vocabulary()  # of other words, where the language changed
        return Snapshot(stamp, os.getpid(), current.folder, current.language, index, searcher, mark)


def _from(snapshot: Snapshot, tuning: Tuning) -> dict[str, Any]:
    """What an answer was computed from."""
    mark = snapshot.mark
    return {
        "generation": mark.generation,
        "position": str(mark.position),
        "edition": edition(snapshot.language, tuning.version, mark.touched.built),
    }


def _count(found: tantivy.SearchResult) -> int:
    count: int = found.count  # type: ignore[attr-defined]  # the stubs leave it out
    return count
