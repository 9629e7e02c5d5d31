"""The file ROOT/tuning.json: synonyms, pins and popular queries that searches on this node use.

PostgreSQL has the truth. The index writer publishes a copy whenever it changed, so that a search
asks nobody; readers watch the file as they watch what is published. It names its own checksum: one
that has changed on the disk is not believed, and published anew.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from contracts.tuning import PublishedTuning, SearchTuning, plain
from storage.index.forgive import Thesaurus
from storage.index.popular import Popular
from storage.index.seal import seal, unseal
from storage.index.text import spoken
from storage.postgres.store import Store, Transaction

log = logging.getLogger(__name__)

MOST = 10_000  # synonyms, and queries with pins, that searches know
NAME = "tuning.json"


class Tuning(NamedTuple):
    """What was published, ready for searches."""

    thesaurus: Thesaurus
    #: A query in its plain form → ids of entries.
    pins: Mapping[str, tuple[str, ...]]
    popular: Popular
    version: int = 0

    def pinned(self, q: str) -> tuple[str, ...]:
        """The ids of the entries to show first for a query."""
        return self.pins.get(plain(q), ()) if self.pins else ()


UNTUNED = Tuning(Thesaurus(), {}, Popular())
Stamp = tuple[int, int]


def path(root: Path) -> Path:
    """Where the copy is."""
    return root / NAME


def stamp(root: Path) -> Stamp | None:
    """What changes whenever something is published; None while nothing is."""
    try:
        found = os.stat(root / NAME)  # noqa: PTH116 - at every search, and four times as fast
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


class TuningReader:
    """Gives what is published, read once for each change.

    For threads: two that see a change both read it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: tuple[tuple[Stamp, str] | None, Tuning] = None, UNTUNED

    def current(self) -> Tuning:
        """What was published last, in the language that is spoken. What was read before where that
        can't be, as it is damaged; nothing is tuned where nothing was."""
        published = stamp(self._root)
        if published is None:
            return UNTUNED
        seen = published, spoken()
        kept, tuning = self._read
        if kept != seen:
            tuning = _load(path(self._root)) or tuning
            self._read = seen, tuning
        return tuning


def _load(path: Path) -> Tuning | None:
    try:
        found = PublishedTuning.from_reply(unseal(path.read_bytes()))
    except (OSError, ValueError) as error:
        log.warning("synonyms and pins can't be read: %s", str(error).split("\n")[0])
        return None
    sets = [(one.category, (one.word, *one.same_as)) for one in found.synonyms]
    pins = {pin.query: tuple(map(str, pin.entries)) for pin in found.pins}
    popular = Popular([(one.query, one.searches) for one in found.popular])
    return Tuning(Thesaurus(sets), pins, popular, found.version)


class TuningWriter:
    """Publishes what is in PostgreSQL. Only the index writer's process has one."""

    def __init__(self, root: Path, store: Store) -> None:
        self._path = path(root)
        self._store = store
        self._published: int | None = None  # not known after a start

    def step(self) -> None:
        """Publish if there is something else than before, or what was published is gone.

        Raises: DatabaseUnavailable, OSError.
        """
        with self._store.transaction() as tx:
            if version(tx) == self._published and self._path.exists():
                return
            found = _published(tx)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(seal(found.model_dump_json().encode()))
        new.replace(self._path)
        self._published = found.version

    def check(self) -> bool:
        """Whether the file is as it was written; else the next step publishes it anew."""
        try:
            data = self._path.read_bytes()
            # One without a checksum is of a release before: the first step replaces it.
            sound = seal(unseal(data)) == data or self._published is None
        except FileNotFoundError:
            return True  # every step sees to that
        except (OSError, ValueError):
            sound = False
        if not sound:
            self._published = None
        return sound


def read_all(tx: Transaction) -> SearchTuning:
    """Synonyms and pins, MOST of each. The version is read first: none is passed over."""
    return SearchTuning.model_validate(
        {
            "version": version(tx),
            "synonyms": tx.rows("tuning.synonyms", limit=MOST),
            "pins": tx.rows("tuning.pins", limit=MOST),
        }
    )


def _published(tx: Transaction) -> PublishedTuning:
    popular = tx.rows("tuning.popular", limit=MOST)
    return PublishedTuning.model_validate({**read_all(tx).model_dump(), "popular": popular})


def version(tx: Transaction) -> int:
    """Grows with every change."""
    row = tx.row("tuning.version")
    return row["version"] if row else 0
