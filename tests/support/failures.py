"""Errors as the error log keeps them."""

from actors.failures import FailureLog
from contracts.failures import RecordFailures, Seen


def seen(*errors: Exception) -> Seen:
    """What a process tells of one group of errors, raised here."""
    batches: list[RecordFailures] = []
    failures = FailureLog(batches.append)
    for error in errors:
        try:
            raise error
        except Exception as raised:
            failures.note(raised, "tests.work")
    failures.flush()
    ((one,),) = [batch.seen for batch in batches]
    return one
