"""What is published in the folder of an index, for who opens no index: read when it changes."""

from pathlib import Path

import orjson

from storage.index import published as room
from storage.index.freshness import Fresh
from storage.index.published import Stamp
from storage.index.seal import unseal
from storage.index.tuning import path


class Current:
    """Looks at the files' inodes and times, which costs a microsecond each. For threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # As text: at every answer, to join paths costs as much as to look.
        self._published, self._tuning = str(root / room.NAME), str(path(root))
        self._read: tuple[tuple[Stamp, Stamp | None] | None, Fresh | None] = None, None

    def fresh(self) -> Fresh | None:
        """What is published now; None while there is no index that can be seen."""
        try:
            # Before reading: what comes later is seen again.
            published, tuned = room.stamp_of(self._published), room.stamp_of(self._tuning)
        except OSError:  # it is not ours to look at
            return None
        if published is None:
            return None
        seen = published, tuned
        kept, fresh = self._read
        if kept != seen:
            fresh = self._load()
            self._read = seen, fresh
        return fresh

    def _load(self) -> Fresh | None:
        found = room.read(self._root)
        return Fresh.of(found, tuned(self._root)) if found else None


def tuned(root: Path) -> int:
    """The version of what is tuned, as a search reads it that read nothing before: 0 where nothing
    can be read."""
    try:
        version: int = orjson.loads(unseal(path(root).read_bytes()))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return version
