"""What a process met since it told of it last: gathered here, sent by a thread as one message."""

import hashlib
import logging
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.errors import (
    CasebookError,
    IndexBehind,
    NotFinished,
    Unavailable,
)
from contracts.failures import FINGERPRINT, SAID, TRACED, Category, RecordFailures, Seen
from contracts.operation import current

log = logging.getLogger(__name__)

GATHER = 1.0  # seconds in which errors are gathered until they are sent
MOST = 200  # fingerprints at once; of more, the newest are counted and not kept
#: Part of how things work: nobody has to look into them.
EXPECTED = (NotFinished, IndexBehind)


class FailureLog(threading.Thread):
    """Errors of one process. `send` is given a batch, and raises CasebookError if it can't.

    What can't be sent is kept, added up, and tried again: PostgreSQL or Redis being away costs
    no count, up to MOST groups. Nothing is sent by a process that meets no error.
    """

    def __init__(self, send: Callable[[RecordFailures], Any]) -> None:
        super().__init__(name="failures", daemon=True)
        self._send = send
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._some = threading.Event()
        self._ending = threading.Event()
        #: Errors that came when MOST groups were held.
        self.dropped = 0

    def note(self, error: BaseException, actor: str) -> str | None:
        """Add an error that `actor` (or a route) met, if it is one to look into; its category."""
        kind = category(error)
        if kind is None:
            return None
        found = _seen(error, actor, kind)
        with self._lock:
            known = self._seen.get(found.fingerprint)
            if known is None and len(self._seen) >= MOST:
                self.dropped += 1
                return kind
            self._seen[found.fingerprint] = _added(known, found)
        self._some.set()
        return kind

    def run(self) -> None:
        while not self._ending.is_set():
            self._some.wait()
            self._ending.wait(GATHER)
            self.flush()

    def flush(self) -> None:
        """Send what there is."""
        with self._lock:
            self._some.clear()
            seen, self._seen = self._seen, {}
        if not seen:
            return
        try:
            self._send(RecordFailures(seen=tuple(seen.values())))
        except CasebookError as error:
            log.info("%d errors are told later: %s", len(seen), error.message)
            with self._lock:
                for one in self._seen.values():
                    seen[one.fingerprint] = _added(seen.get(one.fingerprint), one)
                self._seen = seen
            if not self._ending.is_set():
                self._some.set()

    def stop(self) -> None:
        """Send what there is and end."""
        self._ending.set()
        self._some.set()
        self.join()


def category(error: BaseException) -> Category | None:
    """What kind of error it is; None for those that are an answer, not a failure."""
    if not isinstance(error, Exception) or isinstance(error, EXPECTED):
        return None
    if not isinstance(error, CasebookError):
        if isinstance(error, MemoryError):
            return "resource"
        return "network" if isinstance(error, ConnectionError | TimeoutError) else "unexpected"
    if error.status < 500:
        return None
    if isinstance(error, Unavailable):
        return "resource" if error.code in ("QUEUE_FULL", "DATABASE_BUSY") else "system"
    return "unexpected" if type(error) is CasebookError else "domain"


def place_of(error: BaseException) -> str:
    """`file:function` of the innermost frame. Not its line: it moves with every release."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    if not frames:
        return "?"
    folder, _, name = frames[0].filename.rpartition("/")
    return f"{folder.rpartition('/')[2]}/{name}:{frames[0].name}"


def _seen(error: BaseException, actor: str, kind: Category) -> Seen:
    name = f"{type(error).__module__}.{type(error).__qualname__}"[:300]
    place = place_of(error)[:300]
    now = datetime.now(UTC)
    return Seen(
        fingerprint=hashlib.sha256(f"{name} {place}".encode()).hexdigest()[:FINGERPRINT],
        error=name,
        place=place,
        category=kind,
        severity="warning" if isinstance(error, Unavailable) else "error",
        count=1,
        first_seen=now,
        last_seen=now,
        actor=actor[:300],
        operation_id=current()[:200],
        message=_text(error)[:SAID],
        traceback=_sound("".join(traceback.format_exception(error)))[-TRACED:],
    )


def _added(known: Seen | None, found: Seen) -> Seen:
    """The newest as the sample, and both counts."""
    if known is None:
        return found
    update = {"count": known.count + found.count, "first_seen": known.first_seen}
    return found.model_copy(update=update)


def _text(error: BaseException) -> str:
    try:
        return _sound(str(error))
    except Exception:  # a bug in an error's own text must not hide the error
        return "(its text can't be read)"


def _sound(text: str) -> str:
    """Text as PostgreSQL and JSON can hold it."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\N{SYMBOL FOR NULL}")
