"""Spans of a process: kept in order, bounded, told later where they could not be told."""

from datetime import UTC, datetime

from actors.spans import AT_ONCE, HELD, SpanLog
from contracts.errors import QueueUnavailable
from contracts.traces import RecordSpans, Span
from storage.steps import shape

AT = datetime(2026, 1, 1, tzinfo=UTC)


def span(number: int) -> Span:
    """A span that its message's id tells from others."""
    names = dict.fromkeys(("operation_id", "actor", "queue", "worker"), "x")
    return Span(
        message_id=str(number), at=AT, waited_ms=0, ms=1, attempt=1, outcome="done", **names
    )


def test_spans_are_told_in_order_in_messages_of_a_size() -> None:
    """Those that could not be sent come first the next time; of too many, the oldest go."""
    sent: list[str] = []
    sizes: list[int] = []
    away = True

    def send(batch: RecordSpans) -> None:
        if away:
            raise QueueUnavailable()
        sent.extend(one.message_id for one in batch.spans)
        sizes.append(len(batch.spans))

    spans = SpanLog(send)
    for number in range(HELD + 3):
        spans.put(span(number))
    spans.flush()
    spans.put(span(HELD + 3))
    spans.flush()
    away = False
    spans.flush()
    assert spans.dropped == 4
    assert sent == [str(number) for number in range(4, HELD + 4)]
    assert max(sizes) == AT_ONCE


def test_a_shape_holds_no_value() -> None:
    """Kinds and lengths; and not of more fields than somebody reads."""
    request = {"q": "secret", "tags": ["secret"], "custom": {"secret": 1}, "limit": 3, "x": None}
    assert shape(request) == {
        "q": "text of 6",
        "tags": "list of 1",
        "custom": "object of 1",
        "limit": "int",
        "x": "NoneType",
    }
    assert len(shape({str(number): number for number in range(1000)})) == 20
    assert shape("secret") == {}
