"""How text becomes words: the same steps when it is indexed and when it is searched."""

import functools

import tantivy

#: The tokenizer's name in the schema; tantivy keeps the name, not the steps.
WORDS = "words"
#: UTF-8 bytes. A longer run without a space or punctuation is data, and not indexed.
WORD_MAX = 255


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


@functools.lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of one word; "" for what is none."""
    return next(iter(every_word().analyze(word)), "")


def clean(text: str) -> str:
    """`text` with lone surrogates, which have no UTF-8 form, replaced by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
