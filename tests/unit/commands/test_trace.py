"""trace: what an operation's story says to people."""

from datetime import UTC, datetime

from actors.broker.admission import STRANGER
from commands.base import out
from commands.trace import show_story
from contracts.traces import Span, Trace


def shown(trace: Trace) -> str:
    """As it is printed."""
    with out.capture() as printed:
        show_story(trace)
    return printed.get()


def span(caller: str) -> Span:
    """The check of a key, for this caller."""
    return Span(
        operation_id="o",
        message_id="m",
        at=datetime.now(UTC),
        actor="system.verify_key",
        queue="reads",
        worker="w",
        waited_ms=1,
        ms=1,
        attempt=1,
        outcome="done",
        caller=caller,
    )


def test_what_nothing_is_known_of_may_not_have_been_kept() -> None:
    """A request that the shim refused has an id, too: what is kept is said, and where to look."""
    told = shown(Trace())
    for part in ("nothing is known", "Kept for a week", "refuses itself", "operation_id"):
        assert part in told


def test_whose_key_was_not_known_yet_is_no_intruder() -> None:
    """A key is asked for before its owner has a name."""
    assert "m on w, before the key was known" in shown(Trace(spans=(span(STRANGER),)))
    assert "m on w for ann" in shown(Trace(spans=(span("ann"),)))
