"""How text becomes words: the same steps when it is indexed and when it is searched.

Stems and stop words are those of a language. Each index has its own, which whoever writes or
reads it speaks meanwhile: a call that is `confined` speaks it to its end, and its thread goes on
in the language that it spoke before.
"""

import contextvars
import functools
import string
from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

import tantivy

P = ParamSpec("P")
T = TypeVar("T")

_SPOKEN = contextvars.ContextVar("language", default="english")

#: The tokenizer's name in the schema; tantivy keeps the name, not the steps.
WORDS = "words"
#: UTF-8 bytes. A longer run without a space or punctuation is data, and not indexed.
WORD_MAX = 255
STEMS_MAX = 100_000  # words whose stems an indexer remembers
ANSWERS_MAX = 20_000  # of what is asked word by word
REMEMBERED_MAX = 24  # characters: longer words seldom come again

#: Letters to lower case, what is no letter or digit to spaces: the first steps, for ASCII.
_WORDS = bytes(
    ord(chr(code).lower()) if chr(code) in string.ascii_letters + string.digits else ord(" ")
    for code in range(256)
)


def confined(call: Callable[P, T]) -> Callable[P, T]:
    """`call`, whose language ends with it."""

    @functools.wraps(call)
    def confining(*args: P.args, **kwargs: P.kwargs) -> T:
        return contextvars.copy_context().run(call, *args, **kwargs)

    return confining


def remembered(call: Callable[[str], T]) -> Callable[[str], T]:
    """`call` with its last answers kept, for each language apart."""

    @functools.lru_cache(maxsize=ANSWERS_MAX)
    def known(_language: str, text: str) -> T:
        return call(text)

    @functools.wraps(call)
    def remembering(text: str) -> T:
        return known(_SPOKEN.get(), text)

    return remembering


def speak(language: str) -> None:
    """From here on words are those of `language` (settings.py names them)."""
    _SPOKEN.set(language)


def spoken() -> str:
    """The language whose stems and stop words are used."""
    return _SPOKEN.get()


@functools.cache
def _steps(language: str, *, stop_words: bool) -> tantivy.TextAnalyzer:
    steps = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(WORD_MAX + 1))
        .filter(tantivy.Filter.lowercase())
    )
    if not stop_words:  # before accents are folded, too: the lists have them
        steps = steps.filter(tantivy.Filter.stopword(language))
    steps = steps.filter(tantivy.Filter.ascii_fold())
    if not stop_words:
        steps = steps.filter(tantivy.Filter.stopword(language))
    return steps.filter(tantivy.Filter.stemmer(language)).build()


def every_word() -> tantivy.TextAnalyzer:
    """Split at what is no letter or digit, lowercase, fold accents, reduce to stems.

    Stop words stay in the index: a phrase may need them, and a query of nothing else.
    """
    return _steps(spoken(), stop_words=True)


def telling_words() -> tantivy.TextAnalyzer:
    """The same steps without the stop words: what a search is scored by."""
    return _steps(spoken(), stop_words=False)


@functools.cache
def _written() -> tantivy.TextAnalyzer:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(WORD_MAX + 1))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .build()
    )


def written_words(text: str) -> list[str]:
    """The words as they are written, in lower case and without accents; not their stems."""
    if text.isascii():
        return text.encode().translate(_WORDS).decode().split()
    return _written().analyze(text)


def folded(word: str) -> str:
    """One word in lower case and without accents; an ASCII one keeps its signs."""
    return word.lower() if word.isascii() else "".join(written_words(word))


@remembered
def stem(word: str) -> str:
    """The stem of one word; "" for what is none."""
    return next(iter(every_word().analyze(word)), "")


@remembered
def tells(word: str) -> bool:
    """Whether a word is no stop word."""
    return bool(telling_words().analyze(word))


class _Stems(dict[str, str]):
    """Stems by word, as they are needed; forgotten all at once when they are too many."""

    def __init__(self, language: str) -> None:
        self._steps = _steps(language, stop_words=True)

    def __missing__(self, word: str) -> str:
        found = " ".join(self._steps.analyze(word))
        if len(word) <= REMEMBERED_MAX:
            if len(self) >= STEMS_MAX:
                self.clear()
            self[word] = found
        return found


@functools.cache
def _known(language: str) -> _Stems:
    return _Stems(language)


def stems(text: str) -> str:
    """The stems of every word of `text`, with spaces between them: what is indexed.

    An entry's words are counted several times over, and most words have come before: looked up
    here they cost a fraction of what the engine's steps would.
    """
    if text.isascii():
        return _stemmed(written_words(text))
    return " ".join(every_word().analyze(text))


def _stemmed(words: list[str]) -> str:
    return " ".join(map(_known(spoken()).__getitem__, words))


class Words(NamedTuple):
    """A text as `written_words` and as `stems` give it."""

    written: list[str]
    stems: str


def words_of(text: str) -> Words:
    """Both at once: splitting is most of either."""
    written = written_words(text)
    return Words(written, _stemmed(written) if text.isascii() else stems(text))


@functools.cache
def ready_words() -> tantivy.TextAnalyzer:
    """Split at spaces, and nothing else: for what `stems` has prepared."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


def clean(text: str) -> str:
    """`text` with lone surrogates, which have no UTF-8 form, replaced by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
