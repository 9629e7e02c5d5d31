"""The piece of a text that shows why it was found."""

import pytest

from storage.index.highlight import PIECE_MAX, Highlighter
from storage.index.text import stem


def piece(words: str, text: str) -> str | None:
    (found,) = Highlighter(stem(word) for word in words.split()).pieces([text])
    return found


def test_other_forms_of_a_word_are_marked() -> None:
    """What is found by its stem is marked as it is written."""
    assert piece("restart", "Restarting it, then RESTARTED.") == (
        "<b>Restarting</b> it, then <b>RESTARTED</b>."
    )


def test_parts_of_words_are_not_marked() -> None:
    """A word inside another one was not searched."""
    assert piece("set", "reset dataset set") == "reset dataset <b>set</b>"


def test_accents_are_seen_through() -> None:
    """A word is found and marked with or without its accents."""
    assert piece("cafe", "Le café fermé") == "Le <b>café</b> fermé"


def test_markup_in_a_text_stays_text() -> None:
    """What the entry says can't become HTML."""
    assert piece("b", "<b> & <script>'") == "&lt;<b>b</b>&gt; &amp; &lt;script&gt;&#x27;"


def test_without_a_word_there_is_no_piece() -> None:
    """A field in which nothing was found shows nothing."""
    assert piece("abend", "all is well") is None
    assert piece("", "all is well") is None


def test_the_piece_with_most_words_is_shown() -> None:
    """Of a long text, the piece that holds the most of what was searched is chosen."""
    text = "alpha " + "x " * 500 + "here alpha meets beta " + "y " * 500
    shown = piece("alpha beta", text)
    assert shown is not None
    assert "here <b>alpha</b> meets <b>beta</b>" in shown


@pytest.mark.parametrize(
    "text",
    ["word " * 5_000, "x" * 5_000 + " word " + "y" * 5_000, "wordé" * 3_000 + " word", "İ word"],
    ids=["many", "no spaces", "not ASCII", "grows in lower case"],
)
def test_a_piece_is_short(text: str) -> None:
    """A piece is at most PIECE_MAX characters of the text, and shows the word."""
    shown = piece("word", text)
    assert shown is not None
    assert "<b>word</b>" in shown
    assert len(shown.replace("<b>", "").replace("</b>", "")) <= PIECE_MAX
