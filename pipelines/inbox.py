"""A folder that files are put into: which are whole, which were taken, where they go."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeGuard
from uuid import UUID

import orjson
from pydantic import AfterValidator, PlainSerializer, TypeAdapter, ValidationError

from contracts.base import Contract
from contracts.errors import FolderUnusable, FolderWatched, NotPutAway, SourceUnreadable
from pipelines.formats.paths import DONE, FAILED, JOURNAL, LOCK, is_source, told, untold
from pipelines.looks import Look, digest_of, is_gone, itself, look_at, trouble_with
from pipelines.moves import fitted, free, hidden, longest, move

ANEW = 300.0  # seconds until it is tried again to put away what could not be: it may be large
BESIDE = ("error", "rejects")  # what lies beside a file that failed, by the end of its name
ROOM = max(len(f".{kind}") for kind in BESIDE)  # bytes of a name


class Known(Contract):
    """What the journal remembers of a file. `import_id` is None before its import has begun;
    `former` is the import of what the file held before, which nobody ends any more; `waits`, that
    all is done but for moving it away."""

    size: int
    mtime_ns: int
    digest: str
    state: Literal["taken", "done", "failed"] = "taken"
    import_id: UUID | None = None
    former: UUID | None = None
    waits: bool | None = None


#: Names in JSON, which has none that is no UTF-8.
Name = Annotated[str, AfterValidator(untold), PlainSerializer(told)]
JOURNALS = TypeAdapter(dict[Name, Known])


class Inbox:
    """The files of one folder that the importer knows by their extension; not those below it.

    Hidden files are passed over, so that a sender may write `.name` and rename it. The journal is
    replaced as a whole: whatever is killed, it says what was last true.

    Raises: FolderWatched when another process has the folder; FolderUnusable, from everything,
    where it can't be listed or written.
    """

    def __init__(self, folder: Path, *, settle: float, keep: bool = False) -> None:
        self._settle = settle
        self._keep = keep
        self._seen: dict[str, tuple[Look, float]] = {}
        #: Names that can't be looked at, as of the last `ready`.
        self.unreadable: dict[str, SourceUnreadable] = {}
        #: Names of files that are imported and could not be put away.
        self.stuck: dict[str, NotPutAway] = {}
        self._anew: float | None = None
        with _usable(folder):
            self.folder = folder.resolve()
            self._lock = _locked(folder / LOCK)
            self._journal = _journal(folder / JOURNAL)

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def ready(self, now: float) -> tuple[list[Path], float | None]:
        """The files to take, by name; and the time at which others may have settled.

        A file has settled when it was the same for `settle` seconds. `now` and the time are of
        a clock that only goes on, in seconds.
        """
        seen, ready, due = {}, [], None
        self.unreadable = {}
        with _usable(self.folder):
            paths = sorted(path for path in self.folder.iterdir() if is_source(path.name))
        for path in paths:
            look = look_at(path)
            if look is None:
                if (trouble := trouble_with(path)) is not None:
                    self.unreadable[path.name] = trouble
                continue
            before, since = self._seen.get(path.name, (None, now))
            seen[path.name] = look, (since if look == before else now)
            settled = seen[path.name][1] + self._settle
            if self._is_over(path.name, look):
                continue
            if settled <= now and before is not None:
                ready.append(path)
            else:
                due = settled if due is None else min(due, settled)
        self._seen = seen
        for name in self._journal.keys() - seen.keys():
            if not _is_open(self._journal[name]):
                self.forget(name)
        return ready, due

    def left(self) -> list[tuple[str, UUID | None]]:
        """Files that are gone, and were not put away: by name, with the import that was in hand."""
        gone = [(name, one) for name, one in self._journal.items() if _is_open(one)]
        return [
            (name, one.import_id or one.former) for name, one in gone if is_gone(self.folder / name)
        ]

    def take(self, path: Path, look: Look) -> Known | None:
        """What is known of a file that is about to be imported; None if it was, as it is.

        Raises: FileNotFoundError, SourceUnreadable.
        """
        digest = digest_of(path)
        known = self._journal.get(path.name)
        same = known is not None and known.digest == digest
        if known is not None and same and known.state != "taken":
            self._note(path.name, known.model_copy(update=look._asdict()))  # only touched
            return None
        if known is None or not same:
            former = known.import_id or known.former if _is_open(known) else None
            known = Known(size=look.size, mtime_ns=look.mtime_ns, digest=digest, former=former)
        self._note(path.name, known)
        return known

    def begun(self, path: Path, import_id: UUID) -> None:
        """Its import has begun: whoever comes after a crash goes on with it."""
        known = self._journal[path.name]
        update = {"import_id": import_id, "former": None}
        self._note(path.name, known.model_copy(update=update))

    def forget(self, name: str) -> None:
        """Take the file anew when it has settled."""
        self._seen.pop(name, None)
        if self._journal.pop(name, None) is not None:
            self._save()
        self.stuck.pop(name, None)
        self.unstage(self.folder / name)

    def staged(self, path: Path, kind: str = "rejects") -> Path:
        """Where its rejects, or why it failed, are written while it is imported."""
        return hidden(path, kind)

    def unstage(self, path: Path) -> None:
        """Remove what was written there: where the disk is full, it is in the way."""
        for kind in BESIDE:
            with contextlib.suppress(OSError):
                self.staged(path, kind).unlink(missing_ok=True)

    def put_away(self, path: Path, look: Look, error: dict[str, Any] | None) -> bool:
        """The file is imported as it was at `look`, or failed with `error`.

        False where it has changed meanwhile: it stays, and is taken again. Where it can't be moved
        it stays, too, as one that was imported: `stuck` says why, and `carry_on` moves it later.
        """
        own = itself(path)
        if look_at(path) != look:
            self.forget(path.name)
            return False
        why = self.staged(path, "error")
        with _usable(self.folder):
            if error is None:
                why.unlink(missing_ok=True)
            else:
                data = orjson.dumps(error, default=str, option=orjson.OPT_INDENT_2)
                why.write_bytes(data + b"\n")
        return self._carry(path, own, DONE if error is None else FAILED)

    def carry_on(self, now: float) -> None:
        """Put away what could not be, now and then: a full disk has room again, say."""
        if self._anew is not None and now < self._anew:
            return
        self._anew = now + ANEW
        for name, known in list(self._journal.items()):
            path = self.folder / name
            own, look = itself(path), look_at(path)
            if known.waits and look is not None and self._is_over(name, look):
                self._carry(path, own, known.state)

    def _carry(self, path: Path, own: Look | None, state: str) -> bool:
        """Move the file that was `own`, and what lies beside it; False where it is another one."""
        known = self._journal[path.name]
        try:
            place = self.folder / state
            place.mkdir(exist_ok=True)
            target = free(place, path.name, ROOM)
            if self._keep:
                self._clear_failure(path.name)
            self._move_beside(path, target)
            moved = self._keep or move(path, target, own)
        except OSError as error:
            if is_gone(path):
                self.forget(path.name)
                return False
            message = f"{told(path.name)} can't be moved to {state}: {error.strerror}."
            self.stuck[path.name] = NotPutAway(message)
            self._note(path.name, known.model_copy(update={"state": state, "waits": True}))
            return True
        if self._keep:
            self.stuck.pop(path.name, None)
            self._note(path.name, known.model_copy(update={"state": state, "waits": None}))
        else:
            self.forget(path.name)
        return moved

    def _move_beside(self, path: Path, target: Path) -> None:
        for kind in BESIDE:
            staged = self.staged(path, kind)
            if staged.exists() and staged.stat().st_size:
                move(staged, target.with_name(f"{target.name}.{kind}"), itself(staged))
            staged.unlink(missing_ok=True)

    def _clear_failure(self, name: str) -> None:
        """Remove what was beside a file that stays in place: it tells of its state before."""
        place = self.folder / FAILED
        if not place.exists():
            return
        failed = place / fitted(name, longest(place) - ROOM)
        if not failed.exists():  # else it is that one's, from when files were moved
            for kind in BESIDE:
                failed.with_name(f"{failed.name}.{kind}").unlink(missing_ok=True)

    def _is_over(self, name: str, look: Look) -> bool:
        known = self._journal.get(name)
        if known is None or known.state == "taken":
            return False
        return (known.size, known.mtime_ns) == (look.size, look.mtime_ns)

    def _note(self, name: str, known: Known) -> None:
        self._journal[name] = known
        self._save()

    def _save(self) -> None:
        staged = self.folder / f"{JOURNAL}.new"
        with _usable(self.folder):
            try:
                with staged.open("wb") as file:
                    file.write(JOURNALS.dump_json(self._journal, indent=2, exclude_none=True))
                    file.flush()
                    os.fsync(file.fileno())
                staged.replace(self.folder / JOURNAL)
            except OSError:
                staged.unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def _usable(folder: Path) -> Iterator[None]:
    """Errors of what the folder itself is for. Raises: FolderUnusable."""
    try:
        yield
    except OSError as error:
        raise FolderUnusable(f"{told(str(folder))}: {error}") from None


def _is_open(known: Known | None) -> TypeGuard[Known]:
    return known is not None and known.state == "taken"


def _locked(path: Path) -> IO[bytes]:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FolderWatched(f"Another process imports from {path.parent}.") from None
    return file


def _journal(path: Path) -> dict[str, Known]:
    """What is remembered; nothing where it can't be read: an import twice changes nothing."""
    try:
        return JOURNALS.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}
