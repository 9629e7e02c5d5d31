"""What somebody who has typed a few letters may be about to ask for."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import tantivy

from contracts.tuning import plain
from storage.index.codes import find_codes
from storage.index.popular import Popular
from storage.index.schema import TITLE_BEGINNINGS, WORD_BEGINNINGS, key, schema
from storage.index.stored import card, shown
from storage.index.text import clean, written_words

Suggestion = dict[str, Any]

CODES, QUERIES, TAGS, TITLES = 4, 3, 3, 6  # of each kind at most, in a list that has room for all
WORDS_MAX = 16  # words of what was typed
GOING_ON_MAX = 1_000  # words that the last letters may be the beginning of
CODE_MIN = 2  # letters
#: The end of a code that is being typed: `file status 3` may become `file status 30`.
MISSING = ("", "0", "00", "000")
HEX = "0x"
LOOKED_AT = 64  # codes that begin so, of which some are none that anybody types
#: Hashes of commits, of 7 digits or more: E1A8B1AD58. Codes have 8 digits, and a letter or two at
#: most that stand apart: C0000005, 8024402C, C000021A.
_HASH = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])(?:[0-9a-f]{7}|[0-9a-f]{9,40})")
_RUN = re.compile(r"[0-9]+|[a-f]+")
_HASH_OF_8 = re.compile(r"(?!80[0-3]|c0[0-9])[0-9a-f]{8}")
RUNS_MAX = 3  # of digits and of letters in a code

_SPACED = re.compile(r"(?<=[A-Z])(?=[0-9])")


def suggestions(
    searcher: tantivy.Searcher, popular: Popular, typed: str, limit: int
) -> list[Suggestion]:
    """Codes, popular queries, entries by their titles, and tags that go on as `typed` begins."""
    typed = clean(typed).strip()
    if len(typed) < CODE_MIN:
        return []
    codes = list(_codes(searcher, typed))
    found = [
        *codes,
        *_queries(popular, typed, {code["text"].casefold() for code in codes}),
        *_titles(searcher, typed),
        *_tags(searcher, typed),
    ]
    return list({(one["kind"], one["text"]): one for one in found}.values())[:limit]


def _codes(searcher: tantivy.Searcher, typed: str) -> Iterator[Suggestion]:
    before, _, last = typed.casefold().rpartition(" ")
    found: dict[str, int] = {}
    for start in dict.fromkeys(_starts(before, last)):
        terms = searcher.terms_with_prefix("title_codes", start, limit=LOOKED_AT)
        found |= dict(islice((pair for pair in terms if not _is_hash(pair[0])), CODES))
    sign = HEX if last.startswith(HEX) else ""
    for code, count in islice(found.items(), 2 * CODES):
        yield {"kind": "code", "text": _written(code, sign), "entries": count}


def _starts(before: str, last: str) -> Iterator[str]:
    """Beginnings of the code that is being typed, in the form that codes have."""
    if not before:
        yield last
        if last[0].isdigit():  # as people write it: 0C7 is the abend S0C7
            yield f"s{last}"
    if not any(map(str.isdigit, last)):
        return
    known = set(find_codes(before))
    for missing in MISSING:
        for code in find_codes(f"{before} {last}{missing}"):
            if code not in known and code.endswith(missing):
                yield code.removesuffix(missing)


def _is_hash(code: str) -> bool:
    """Whether it looks like chance made it."""
    if _HASH_OF_8.fullmatch(code):
        return len(_RUN.findall(code)) > RUNS_MAX
    return _HASH.fullmatch(code) is not None


def _written(code: str, sign: str) -> str:
    """A code as it is found when it is searched: RESP16 is none, RESP 16 is."""
    forms = (sign + code.upper(), code.upper(), _SPACED.sub(" ", code.upper()))
    return next((form for form in forms if code in find_codes(form)), forms[1])


def _queries(popular: Popular, typed: str, codes: set[str]) -> Iterator[Suggestion]:
    """But for those that are a code and nothing else: that is shown already."""
    for query in popular.beginning(plain(typed), QUERIES):
        if query not in codes:
            yield {"kind": "query", "text": query}


def _tags(searcher: tantivy.Searcher, typed: str) -> Iterator[Suggestion]:
    for tag, count in searcher.terms_with_prefix("tag", key(typed), limit=TAGS):
        yield {"kind": "tag", "text": tag, "entries": count}


def _titles(searcher: tantivy.Searcher, typed: str) -> Iterator[Suggestion]:
    """First the titles that begin so, then those that hold the words, the last one begun."""
    words = written_words(typed)[:WORDS_MAX]
    if not words:
        return
    holding, start = _holding(searcher, words), key(typed)
    begins = [_beginning(searcher, start)]
    if len(start) > TITLE_BEGINNINGS[-1]:
        begins.append(holding)
    yield from _entries(searcher, _all_of(begins))
    yield from _entries(searcher, holding)


def _holding(searcher: tantivy.Searcher, words: list[str]) -> tantivy.Query:
    *whole, begun = words
    queries = [_term("title_words", word) for word in whole]
    if len(begun) in WORD_BEGINNINGS:
        return _all_of([*queries, _term("begins", begun)])
    found = searcher.terms_with_prefix("title_words", begun, limit=GOING_ON_MAX)
    going_on = [word for word, _ in found]
    return _all_of([*queries, tantivy.Query.term_set_query(schema(), "title_words", going_on)])


def _beginning(searcher: tantivy.Searcher, start: str) -> tantivy.Query:
    """Titles that begin so, as far as that is looked up."""
    start = "^" + start[: TITLE_BEGINNINGS[-1]]
    if len(start) - 1 in TITLE_BEGINNINGS:
        return _term("begins", start)
    found = searcher.terms_with_prefix("begins", start, limit=GOING_ON_MAX)
    return tantivy.Query.term_set_query(schema(), "begins", [beginning for beginning, _ in found])


def _term(field: str, value: str) -> tantivy.Query:
    return tantivy.Query.term_query(schema(), field, value)


def _all_of(queries: list[tantivy.Query]) -> tantivy.Query:
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, query) for query in queries])


def _entries(searcher: tantivy.Searcher, query: tantivy.Query) -> Iterator[Suggestion]:
    found = searcher.search(query, TITLES, count=False, order_by_field="usage")
    for _, address in found.hits:
        document = searcher.doc(address)
        yield {"kind": "entry", "text": shown(document, "title"), "id": card(document)["id"]}
