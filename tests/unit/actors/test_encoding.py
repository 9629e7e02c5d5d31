"""Two releases at once: each sends what the other understands, while one replaces the other."""

from typing import Any

import dramatiq
import orjson

from actors.actor import actor
from actors.broker.encoding import ContractEncoder
from contracts.base import Contract


class Asked(Contract):
    """A request as the release before had it."""

    text: str


class AskedOfLater(Asked):
    """The same, which may now say how often."""

    times: int = 1
    names: tuple[str, ...] = ()


class Answer(Contract):
    """A reply as the release before had it."""

    text: str


class AnswerOfLater(Contract):
    """The same, with more in it."""

    text: str
    parts: tuple[Answer, ...]
    took: float


class AnswerWithParts(Contract):
    """A reply that holds others."""

    parts: tuple[Answer, ...]


@actor(queue="tests")
def repeat(command: Asked) -> Answer:
    """As the release before had it."""
    return Answer(text=command.text)


def sent(request: Contract) -> Any:
    """The request as it arrives."""
    message: dramatiq.Message[Any] = repeat.message(request)
    decoded = ContractEncoder().decode(ContractEncoder().encode(message.asdict()))
    return decoded["args"][0]


def test_what_nobody_asked_for_is_not_sent() -> None:
    """So that a worker of the release before takes what a newer client sends."""
    assert sent(AskedOfLater(text="x")) == {"text": "x"}
    assert repeat.request_in(sent(AskedOfLater(text="x"))) == Asked(text="x")
    assert sent(AskedOfLater(text="x", times=2)) == {"text": "x", "times": 2}


def test_a_reply_may_hold_more_than_is_known() -> None:
    """A client of the release before reads what a newer worker answers, in its parts as well."""
    body = orjson.dumps({"parts": [{"text": "a", "new": 1}], "took": 1.5, "text": "x"})
    assert AnswerWithParts.from_reply(body) == AnswerWithParts(parts=(Answer(text="a"),))
    later = AnswerOfLater(text="x", parts=(), took=1.0)
    assert Answer.from_reply(later.model_dump_json().encode()) == Answer(text="x")
