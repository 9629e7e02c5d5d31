"""The frames in which answers travel, and the policies that make them."""

from typing import Any

import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import SkipMessage

from actors.broker.delivery import Done, Retry
from actors.broker.encoding import REPLY_MAX
from actors.broker.replies import decode_frame, encode_error, encode_reply
from actors.middleware.deadline import Deadline
from actors.middleware.replies import Replies
from contracts.errors import CasebookError, DeadlineExceeded, DuplicateEntry, ReplyTooLarge
from tests.unit.actors.test_retries import delivery_of

BROKER = StubBroker(middleware=[])


@pytest.mark.parametrize("body", [b"null", b"", b'{"a b": "+ -"}', "é\u2028".encode()])
def test_a_reply_travels_untouched(body: bytes) -> None:
    """A frame gives back the id and the very bytes that went in."""
    frame = decode_frame(encode_reply("id-1", body))
    assert (frame.message_id, frame.result()) == ("id-1", body)


def test_an_error_travels_as_itself() -> None:
    """A frame of an error raises its class, text and details."""
    frame = decode_frame(encode_error("id-1", DuplicateEntry("Twice.", entry_id="e1")))
    with pytest.raises(DuplicateEntry) as raised:
        frame.result()
    assert raised.value.as_dict() == {
        "code": "DUPLICATE_ENTRY",
        "message": "Twice.",
        "details": {"entry_id": "e1"},
    }


@pytest.mark.parametrize("body", [b"null", b"", b"12+3", b'{"a b": "+ -"}'])
@pytest.mark.parametrize("waited_ms", [None, 0, 7, 123_456])
def test_a_reply_tells_how_long_its_request_waited(body: bytes, waited_ms: int | None) -> None:
    """Before its sign; an error does, too."""
    frame = decode_frame(encode_reply("id-1", body, waited_ms))
    assert (frame.message_id, frame.result(), frame.waited_ms) == ("id-1", body, waited_ms)
    failed = decode_frame(encode_error("id-1", DuplicateEntry(), waited_ms))
    assert (failed.ok, failed.waited_ms) == (False, waited_ms)


@pytest.mark.parametrize("junk", [b"", b"junk", b"id-1 ", b"id-1 12", b"id-1 x+"])
def test_junk_is_no_frame(junk: bytes) -> None:
    """Bytes that are no frame raise ValueError."""
    with pytest.raises(ValueError):
        decode_frame(junk)


def test_an_unknown_code_is_still_an_error() -> None:
    """The error of a newer worker arrives as a plain one, with its text."""

    class Newer(CasebookError):
        """From a newer release."""

        code = "NEWER"

    frame = encode_error("id-1", Newer("News.")).replace(b"NEWER", b"NEWEST")
    with pytest.raises(CasebookError, match=r"News\.") as raised:
        decode_frame(frame).result()
    assert type(raised.value) is CasebookError


def answer(result: Any = None, error: BaseException | None = None, **options: Any) -> Any:
    """The frame that Replies puts on a message that was done, or None."""
    delivery = delivery_of(**options)
    delivery.outcome = Done()
    Replies().after_process_message(BROKER, delivery, result=result, exception=error)
    if delivery.reply is None:
        return None
    place, data = delivery.reply
    assert place == options["reply_to"]
    assert decode_frame(data).message_id == delivery.message_id
    return decode_frame(data)


def test_only_who_asked_is_answered() -> None:
    """A message without a reply list, and one that is to be tried again, get no answer."""
    assert answer(b"1") is None
    delivery = delivery_of(reply_to="r")
    delivery.outcome = Retry(1, {})
    Replies().after_process_message(BROKER, delivery, exception=ValueError())
    assert delivery.reply is None


def test_results_are_answered_as_bytes() -> None:
    """The actor's bytes are the answer; a stock actor's other results become null."""
    assert answer(b"[1]", reply_to="r").result() == b"[1]"
    assert answer({"not": "bytes"}, reply_to="r").result() == b"null"


@pytest.mark.parametrize(("size", "fits"), [(REPLY_MAX, True), (REPLY_MAX + 1, False)])
def test_replies_have_a_largest_size(size: int, fits: bool) -> None:
    """A reply of exactly 4 MiB is sent, a byte more is a typed error."""
    frame = answer(b"x" * size, reply_to="r")
    if fits:
        assert len(frame.result()) == size
    else:
        with pytest.raises(ReplyTooLarge):
            frame.result()


@pytest.mark.parametrize(
    ("deadline", "dropped"), [(None, False), (1000, False), (1001, False), (999, True)]
)
def test_deadlines(deadline: int | None, dropped: bool) -> None:
    """A read is dropped, with a typed answer, only when it began after its deadline."""
    options = {} if deadline is None else {"deadline": deadline, "reply_to": "r"}
    delivery = delivery_of(**options)
    if not dropped:
        Deadline().before_process_message(BROKER, delivery)
        assert delivery.outcome is None
        return
    with pytest.raises(SkipMessage):
        Deadline().before_process_message(BROKER, delivery)
    assert delivery.outcome == Done()
    assert delivery.reply is not None
    with pytest.raises(DeadlineExceeded):
        decode_frame(delivery.reply[1]).result()
