"""What the engine fails to read is a reason to look at the files at once."""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from contracts.errors import IndexUnavailable
from storage.index import files, published

AGAIN = 60.0  # seconds after which files that were well are looked at again

P = ParamSpec("P")
T = TypeVar("T")


class Suspicion:
    """Looks at the files of the published index, and notes the damage; the indexer mends it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._well = float("-inf")  # when they were, by the monotonic clock

    def explains(self, error: BaseException) -> bool:
        """Whether it is the engine's, and a file is damaged."""
        return _is_the_engines(error) and self.confirmed()

    def confirmed(self) -> bool:
        """Whether a file is damaged."""
        current = published.read(self._root)
        if current is None:
            return False
        noted = files.damage(self._root)
        if noted is not None and noted.folder == current.folder:
            return True
        if time.monotonic() < self._well + AGAIN:
            return False
        try:
            found = files.check(self._root / current.folder)
        except (OSError, ValueError, KeyError):  # swapped away meanwhile, or the indexer sees it
            return False
        if found.damaged:
            files.note_damage(self._root, current.folder, found.damaged)
            return True
        self._well = time.monotonic()
        return False


class Suspects(Protocol):
    """Whose reading may fail."""

    suspicion: Suspicion


S = TypeVar("S", bound=Suspects)


def suspecting(call: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """`call`, which raises IndexUnavailable where the engine fails because of a damaged file."""

    @functools.wraps(call)
    def looking(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(self, *args, **kwargs)
        except BaseException as error:
            if self.suspicion.explains(error):
                raise IndexUnavailable(reason="a file is damaged; built anew") from error
            raise

    return looking


def unreadable(error: BaseException) -> bool:
    """Whether an error may be the engine's at a file that is damaged or gone. It raises ValueError
    or panics; the type of a panic can't be imported."""
    return isinstance(error, ValueError | OSError) or type(error).__name__ == "PanicException"


def _is_the_engines(error: BaseException) -> bool:
    """The reader makes IndexUnavailable of what it can't open."""
    return isinstance(error, IndexUnavailable) or unreadable(error)
