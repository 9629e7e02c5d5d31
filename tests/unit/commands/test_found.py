"""What a person is told of how a query was read."""

import pytest

from commands.found import show_reading
from contracts.search import SearchReply

REPLY = SearchReply(
    hits=(), total=0, limit=10, offset=0, generation=1, position="", interpreted_as="words x"
)


def test_how_a_query_was_read_and_what_was_meant_stands_beside_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On standard error, each on a line of its own; a pasted [tag] is no markup."""
    read = "words db2 (a parenthesis is not closed: searched as plain words)"
    show_reading(REPLY.model_copy(update={"interpreted_as": read, "did_you_mean": "[db2]\n bind"}))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [f"searched for: {read}", "did you mean: [db2] bind"]
    show_reading(REPLY)
    assert capsys.readouterr().err.splitlines() == ["searched for: words x"]
