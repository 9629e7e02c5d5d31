"""What is published in the folder of an index, for who opens no index: read when it changes."""

from pathlib import Path

import orjson

from storage.index import published as room
from storage.index.freshness import Fresh
from storage.index.tuning import Stamp, path, stamp


class Current:
    """Looks at the files' inodes and times, which costs a microsecond each. For threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: tuple[tuple[room.Stamp, Stamp | None] | None, Fresh | None] = None, None

    def fresh(self) -> Fresh | None:
        """What is published now; None while there is no index that can be seen."""
        try:
            published = room.stamp(self._root)
        except OSError:  # it is not ours to look at
            return None
        if published is None:
            return None
        seen = published, stamp(self._root)  # before reading: what comes later is seen again
        kept, fresh = self._read
        if kept != seen:
            fresh = self._load()
            self._read = seen, fresh
        return fresh

    def _load(self) -> Fresh | None:
        found = room.read(self._root)
        return Fresh.of(found, _tuning(self._root)) if found else None


def _tuning(root: Path) -> int:
    """As a search reads it: nothing is tuned where nothing can be read."""
    try:
        version: int = orjson.loads(path(root).read_bytes())["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    return version
