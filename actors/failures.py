"""What a process met since it told of it last: errors, by class and place."""

import hashlib
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors.outbox import Outbox
from contracts.errors import (
    CasebookError,
    IndexBehind,
    NotFinished,
    Unavailable,
)
from contracts.failures import FINGERPRINT, SAID, TRACED, Category, RecordFailures, Seen
from contracts.operation import current

MOST = 200  # groups at once
#: Part of how things work: nobody has to look into them.
EXPECTED = (NotFinished, IndexBehind)


class FailureLog(Outbox[Seen]):
    """Errors of one process, added up by class and place.

    PostgreSQL or Redis being away costs no count, up to MOST groups. Nothing is sent by a process
    that meets no error.
    """

    def __init__(self, send: Callable[[RecordFailures], Any]) -> None:
        super().__init__(
            "failures",
            lambda seen: send(RecordFailures(seen=tuple(seen))),
            most=MOST,
            at_once=MOST,
            key=lambda seen: seen.fingerprint,
            joined=_added,
        )

    def note(self, error: BaseException, actor: str) -> str | None:
        """Add an error that `actor` (or a route) met, if it is one to look into; its category."""
        kind = category(error)
        if kind is not None:
            self.put(_seen(error, actor, kind))
        return kind


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


def _added(known: Seen, found: Seen) -> Seen:
    """The newest as the sample, and both counts."""
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
