"""From what a person types to a query. The engine's own parser never sees their text.

`understand` reads the language (pure), `build` says it in the engine's terms. The language grows
here: a new construct is a field of `Understood`, a step in `understand` and a clause in `build`.
"""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import tantivy

from contracts.search import QUERY_MAX
from storage.index.codes import find_codes
from storage.index.schema import ENTRY, key
from storage.index.text import clean, every_word, telling_words

TERMS_MAX = 64  # distinct words that are scored: the rarest, in a longer text
CODES_MAX = 32
PHRASES_MAX, PHRASE_WORDS_MAX = 8, 16
EXCLUDED_MAX = 32
#: A code anywhere, in the title, and at the beginning of the title; these add up.
CODE_WEIGHTS = {"codes": 1, "title_codes": 2, "first_codes": 1}
COUNT_MAX = 5  # a word repeated in the query counts so often at most
SHOWN_MAX = 300  # characters of `interpreted_as`

#: Above what one word can score: BM25 gives (k1 + 1) times the logarithm of the entries at most.
_WORD_SCORE_MAX = 2.2 * 24
_PHRASE = re.compile(r'"([^"]*)"')
_CURLY_QUOTES = str.maketrans("“”„", '"""')
#: Letters only, two at least: `-805` is a code, `-v` an option somebody pasted.
_EXCLUDED = re.compile(r"(?<!\S)-([^\W\d_]{2,100})(?!\S)")

_MUST, _SHOULD, _MUST_NOT = tantivy.Occur.Must, tantivy.Occur.Should, tantivy.Occur.MustNot

Query = tantivy.Query


@dataclass(frozen=True, slots=True)
class Understood:
    """What a query asks for. Words, phrases and excluded words are stems, as they are indexed."""

    codes: tuple[str, ...] = ()
    #: Each word with how often it was written.
    words: tuple[tuple[str, int], ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    excluded: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Nothing is asked for: every entry is as good as another."""
        return not (self.codes or self.words or self.phrases)

    @property
    def code_score(self) -> float:
        """What one code adds to a score: more than all words and phrases together can."""
        words = sum(min(count, COUNT_MAX) for _, count in self.words[:TERMS_MAX])
        return max(1000.0, _WORD_SCORE_MAX * (words + sum(map(len, self.phrases))))

    @property
    def interpreted_as(self) -> str:
        """The same in words, for the person who asked."""
        parts = [f"code {' '.join(self.codes)}"] if self.codes else []
        parts += [f'phrase "{" ".join(phrase)}"' for phrase in self.phrases]
        if self.words:
            parts.append(f"words {' '.join(word for word, _ in self.words)}")
        if self.everything:
            parts.append("everything, newest first")
        parts += [f"without {word}" for word in self.excluded]
        shown = "; ".join(parts)
        return shown if len(shown) <= SHOWN_MAX else shown[: SHOWN_MAX - 1] + "…"


class Filters(NamedTuple):
    """What an entry must be: in one of the categories and severities, and with all of the tags."""

    category: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()


def understand(q: str) -> Understood:
    """Read a query: words, "phrases", -excluded words and codes.

    Never raises: what can't be read as anything else is plain words. Only the first QUERY_MAX
    characters are read.
    """
    text = clean(q[:QUERY_MAX])
    codes = find_codes(text)[:CODES_MAX]
    text = text.translate(_CURLY_QUOTES)
    phrases: list[tuple[str, ...]] = []

    def phrase(match: re.Match[str]) -> str:
        words = tuple(every_word().analyze(match[1])[:PHRASE_WORDS_MAX])
        if len(phrases) >= PHRASES_MAX:
            return match[1]
        if words:
            phrases.append(words)
        return " "

    text = _PHRASE.sub(phrase, text)
    excluded = [stem for word in _EXCLUDED.findall(text) for stem in telling_words().analyze(word)]
    text = _EXCLUDED.sub(" ", text)
    words = telling_words().analyze(text)
    if not (words or codes or phrases):
        words = every_word().analyze(text)  # nothing but stop words: then they are what is meant
    return Understood(
        codes=tuple(codes),
        words=tuple(Counter(words).items()),
        phrases=tuple(dict.fromkeys(phrases)),
        excluded=tuple(dict.fromkeys(excluded))[:EXCLUDED_MAX],
    )


def build(
    schema: tantivy.Schema,
    asked: Understood,
    filters: Filters,
    frequency: Callable[[str], int] | None = None,
) -> tantivy.Query:
    """The engine's query for what was understood.

    Entries that hold one of the codes score above all others, those with it in the title above
    the rest. Phrases must be there; of words any, and more is better. `frequency` tells how many
    documents hold a word: the rarest are searched where there are too many.
    """
    clauses = [(_MUST, clause) for clause in _filtering(schema, filters)]
    clauses += [(_MUST, _phrase(schema, phrase)) for phrase in asked.phrases]
    if asked.everything:
        clauses.append((_MUST, _silent(_term(schema, "kind", ENTRY))))
    # Without a MUST the engine wants one SHOULD by itself; all in one clause is its fastest form.
    some = 1 if clauses and not (asked.everything or asked.phrases) else None
    wanted = (*_scored_codes(schema, asked), *_scored_words(schema, asked, frequency))
    clauses += [(_SHOULD, clause) for clause in wanted]
    clauses += [(_MUST_NOT, _term(schema, "text", word)) for word in asked.excluded]
    return Query.boolean_query(clauses, minimum_number_should_match=some)


def _scored_codes(schema: tantivy.Schema, asked: Understood) -> Iterable[Query]:
    for code in asked.codes:
        for field, weight in CODE_WEIGHTS.items():
            yield Query.const_score_query(_term(schema, field, code), weight * asked.code_score)


def _scored_words(
    schema: tantivy.Schema, asked: Understood, frequency: Callable[[str], int] | None
) -> Iterable[Query]:
    words = asked.words
    if frequency and len(words) > TERMS_MAX:
        known = [(often, pair) for pair in words if (often := frequency(pair[0]))]
        words = tuple(pair for _, pair in heapq.nsmallest(TERMS_MAX, known))
    for word, count in words[:TERMS_MAX]:
        term = _term(schema, "text", word)
        yield Query.boost_query(term, float(min(count, COUNT_MAX))) if count > 1 else term


def _phrase(schema: tantivy.Schema, words: tuple[str, ...]) -> Query:
    if len(words) == 1:
        return _term(schema, "text", words[0])
    return Query.phrase_query(schema, "text", list(words))


def _filtering(schema: tantivy.Schema, filters: Filters) -> Iterable[Query]:
    for field, values in (("category", filters.category), ("severity", filters.severity)):
        if values:
            any_of = Query.term_set_query(schema, field, [key(value) for value in values])
            yield _silent(any_of)
    for tag in filters.tag:
        yield _silent(_term(schema, "tag", key(tag)))


def _term(schema: tantivy.Schema, field: str, value: str) -> Query:
    return Query.term_query(schema, field, value)


def _silent(query: Query) -> Query:
    """`query` as a condition that adds nothing to the score."""
    return Query.const_score_query(query, 0.0)
