"""Words as they are indexed: the short way and the engine's own steps agree."""

import functools
from typing import get_args

import pytest

from settings import Language
from storage.index import text
from storage.index.text import (
    clean,
    confined,
    every_word,
    ready_words,
    speak,
    stem,
    stems,
    telling_words,
)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " \t\n\0\x1f ",
        "The Running of the runners' RUNS: re-run_them, ponies/pony; it's 3.5x",
        "S0C7 -805 IEF450I SQLCODE=-805 FILE STATUS 35",
        "a" * 255,
        "a" * 256 + " after",
        "Café naïve ﬁne ① ⑴ straße ÅNGSTRÖM 日本語 ١٢٣ ²³ x\u0301y",
        "a word\u00a0and\u2003spaces\u2028of\x1call\x85kinds",
        "\ud800 lone",
    ],
)
def test_prepared_words_are_those_of_the_engine(written: str) -> None:
    """Searching stems a query in the engine: what is indexed must come to the same."""
    prepared = stems(clean(written))
    assert ready_words().analyze(prepared) == every_word().analyze(clean(written))


def test_forgetting_changes_no_stem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that were forgotten, or are too long to be remembered, keep their stems."""
    monkeypatch.setattr(text, "STEMS_MAX", 2)
    monkeypatch.setattr(text, "_known", functools.cache(text._Stems))
    written = "jobs running failed steps " * 3 + "x" * 30 + "ings"
    assert stems(written).split() == every_word().analyze(written)
    assert len(text._known("english")) <= 2


@pytest.mark.parametrize("language", get_args(Language))
def test_each_language_has_steps(language: str) -> None:
    """The engine has stems and stop words of every language that the setting takes."""

    @confined
    def words() -> list[str]:
        speak(language)
        return telling_words().analyze("S0C7")

    assert words() == ["s0c7"]


def test_a_language_is_spoken_to_the_end_of_its_call() -> None:
    """Stems, remembered ones too, and stop words are those of the language that is spoken."""

    @confined
    def german(words: str) -> tuple[str, str, list[str]]:
        speak("german")
        return stem("ponies"), stems(words), telling_words().analyze(words)

    words = "Die Kisten \u00fcber the pony"
    assert stem("pony") == stem("ponies") == "poni"
    assert german(words) == ("poni", "die kist uber the pony", ["kist", "the", "pony"])
    assert telling_words().analyze(words) == ["die", "kisten", "uber", "poni"]
    assert stem("pony") == "poni"
