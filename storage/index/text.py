"""How text becomes words: the same steps when it is indexed and when it is searched."""

import functools
import string

import tantivy

#: The tokenizer's name in the schema; tantivy keeps the name, not the steps.
WORDS = "words"
#: UTF-8 bytes. A longer run without a space or punctuation is data, and not indexed.
WORD_MAX = 255
STEMS_MAX = 100_000  # words whose stems an indexer remembers
REMEMBERED_MAX = 24  # characters: longer words seldom come again

#: Letters to lower case, what is no letter or digit to spaces: the first steps, for ASCII.
_WORDS = bytes(
    ord(chr(code).lower()) if chr(code) in string.ascii_letters + string.digits else ord(" ")
    for code in range(256)
)


def _steps(*, stop_words: bool) -> tantivy.TextAnalyzer:
    steps = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(WORD_MAX + 1))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    if not stop_words:
        steps = steps.filter(tantivy.Filter.stopword("english"))
    return steps.filter(tantivy.Filter.stemmer("english")).build()


@functools.cache
def every_word() -> tantivy.TextAnalyzer:
    """Split at what is no letter or digit, lowercase, fold accents, reduce to English stems.

    Stop words stay in the index: a phrase may need them, and a query of nothing else.
    """
    return _steps(stop_words=True)


@functools.cache
def telling_words() -> tantivy.TextAnalyzer:
    """The same steps without the English stop words: what a search is scored by."""
    return _steps(stop_words=False)


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


@functools.lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of one word; "" for what is none."""
    return next(iter(every_word().analyze(word)), "")


@functools.lru_cache(maxsize=20_000)
def tells(word: str) -> bool:
    """Whether a word is no stop word."""
    return bool(telling_words().analyze(word))


class _Stems(dict[str, str]):
    """Stems by word, as they are needed; forgotten all at once when they are too many."""

    def __missing__(self, word: str) -> str:
        found = " ".join(every_word().analyze(word))
        if len(word) <= REMEMBERED_MAX:
            if len(self) >= STEMS_MAX:
                self.clear()
            self[word] = found
        return found


_STEMS = _Stems()


def stems(text: str) -> str:
    """The stems of every word of `text`, with spaces between them: what is indexed.

    An entry's words are counted several times over, and most words have come before: looked up
    here they cost a fraction of what the engine's steps would.
    """
    if not text.isascii():
        return " ".join(every_word().analyze(text))
    words = text.encode().translate(_WORDS).decode().split()
    return " ".join(map(_STEMS.__getitem__, words))


@functools.cache
def ready_words() -> tantivy.TextAnalyzer:
    """Split at spaces, and nothing else: for what `stems` has prepared."""
    return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()


def clean(text: str) -> str:
    """`text` with lone surrogates, which have no UTF-8 form, replaced by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
