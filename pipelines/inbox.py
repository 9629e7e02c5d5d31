"""A folder that files are put into: which are whole, which were taken, where they go."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import IO, Annotated, Any, Literal, NamedTuple, TypeGuard
from uuid import UUID

import orjson
from pydantic import AfterValidator, PlainSerializer, TypeAdapter, ValidationError

from contracts.base import Contract
from contracts.errors import FolderWatched
from pipelines.formats.paths import DONE, FAILED, JOURNAL, LOCK, is_source, told, untold


class Look(NamedTuple):
    """A file at one moment: where two looks agree, nothing was written in between."""

    size: int
    mtime_ns: int
    inode: int


class Known(Contract):
    """What the journal remembers of a file. `import_id` is None before its import has begun;
    `former` is the import of what the file held before, which nobody ends any more."""

    size: int
    mtime_ns: int
    digest: str
    state: Literal["taken", "done", "failed"] = "taken"
    import_id: UUID | None = None
    former: UUID | None = None


#: Names in JSON, which has none that is no UTF-8.
Name = Annotated[str, AfterValidator(untold), PlainSerializer(told)]
JOURNALS = TypeAdapter(dict[Name, Known])


class Inbox:
    """The files of one folder that the importer knows by their extension; not those below it.

    Hidden files are passed over, so that a sender may write `.name` and rename it. The journal is
    replaced as a whole: whatever is killed, it says what was last true.

    Raises: FolderWatched when another process has the folder; OSError where it can't be written.
    """

    def __init__(self, folder: Path, *, settle: float, keep: bool = False) -> None:
        self.folder = folder.resolve()
        self._settle = settle
        self._keep = keep
        self._seen: dict[str, tuple[Look, float]] = {}
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
        for path in sorted(self.folder.iterdir()):
            look = look_at(path)
            if look is None or not is_source(path.name):
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
            (name, one.import_id or one.former)
            for name, one in gone
            if look_at(self.folder / name) is None
        ]

    def take(self, path: Path, look: Look) -> Known | None:
        """What is known of a file that is about to be imported; None if it was, as it is."""
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
        self.staged(self.folder / name).unlink(missing_ok=True)

    def staged(self, path: Path) -> Path:
        """Where its rejects are written while it is imported."""
        return self.folder / f".{path.name}.rejects"

    def put_away(self, path: Path, look: Look, error: dict[str, Any] | None) -> bool:
        """The file is imported as it was at `look`, or failed with `error`.

        False where it has changed meanwhile: it stays, and is taken again.
        """
        own = _itself(path)
        if look_at(path) != look:
            self.forget(path.name)
            return False
        target = self._target(path.name, DONE if error is None else FAILED)
        if self._keep:
            self._clear_failure(path.name)
        if error is not None:
            data = orjson.dumps(error, default=str, option=orjson.OPT_INDENT_2)
            target.with_name(f"{target.name}.error").write_bytes(data + b"\n")
        staged = self.staged(path)
        if staged.exists() and staged.stat().st_size:
            staged.replace(target.with_name(f"{target.name}.rejects"))
        staged.unlink(missing_ok=True)
        if self._keep:
            state = {"state": DONE if error is None else FAILED}
            self._note(path.name, self._journal[path.name].model_copy(update=state))
            return True
        path.rename(target)
        # By what was moved: a link leads elsewhere from there.
        replaced = _itself(target) != own and not os.path.lexists(path)
        if replaced:
            target.rename(path)  # in the very moment
        self.forget(path.name)
        return not replaced

    def _clear_failure(self, name: str) -> None:
        """Remove what was beside a file that stays in place: it tells of its state before."""
        failed = self.folder / FAILED / name
        if not failed.exists():  # else it is that one's, from when files were moved
            for end in ("error", "rejects"):
                failed.with_name(f"{name}.{end}").unlink(missing_ok=True)

    def _is_over(self, name: str, look: Look) -> bool:
        known = self._journal.get(name)
        if known is None or known.state == "taken":
            return False
        return (known.size, known.mtime_ns) == (look.size, look.mtime_ns)

    def _target(self, name: str, folder: str) -> Path:
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        target, number = place / name, 1
        while os.path.lexists(target):  # another of that name, from before
            number += 1
            target = place / f"{number}.{name}"
        return target

    def _note(self, name: str, known: Known) -> None:
        self._journal[name] = known
        self._save()

    def _save(self) -> None:
        staged = self.folder / f"{JOURNAL}.new"
        with staged.open("wb") as file:
            file.write(JOURNALS.dump_json(self._journal, indent=2, exclude_none=True))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self.folder / JOURNAL)


def _is_open(known: Known | None) -> TypeGuard[Known]:
    return known is not None and known.state == "taken"


def look_at(path: Path) -> Look | None:
    """The file as it is now; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Look(status.st_size, status.st_mtime_ns, status.st_ino) if path.is_file() else None


def _itself(path: Path) -> Look | None:
    """The file, or the link, as it is now; None where there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return Look(status.st_size, status.st_mtime_ns, status.st_ino)


def digest_of(path: Path) -> str:
    """A digest of the file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


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
