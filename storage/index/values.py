"""Values of fields that no entry has, and are written nearly as one that some do: to ask about."""

import re
from collections.abc import Iterator
from itertools import islice

import tantivy
from rapidfuzz import process
from rapidfuzz.distance import OSA

from storage.index.fields import KEYWORDS, LISTED
from storage.index.schema import key
from storage.index.slips import LOOKED_AT_MAX, QUERY_LONGEST
from storage.index.spelling import LENGTH_TWO
from storage.index.text import clean

GUESSED = ("category", "tag", "severity", "status", "source", "author")
LENGTH_MIN = 4  # characters of a value: each is one of few
VALUES_MAX = 1_000  # that begin with one letter: those of most entries
_FIELD = re.compile(rf'(?i)(?<![\w.-])({"|".join(GUESSED)}):(?:"([^"]+)"|([^\s:"()*^~]+))')


def with_values(searcher: tantivy.Searcher, q: str) -> str | None:
    """The query with other values in place of those that no entry has; None if none is near."""
    if ":" not in q or len(q) > QUERY_LONGEST:
        return None
    text = clean(q)
    better = dict(_better(searcher, text))
    if not better:
        return None
    return _FIELD.sub(lambda match: better.get(match[0], match[0]), text)


def _better(searcher: tantivy.Searcher, text: str) -> Iterator[tuple[str, str]]:
    for match in islice(_FIELD.finditer(text), LOOKED_AT_MAX):
        name, value = match[1], key(match[2] or match[3])
        if found := _nearest(searcher, name.lower(), value):
            quoted = f'"{found}"' if match[2] or " " in found else found
            yield match[0], f"{name}:{quoted}"


def _nearest(searcher: tantivy.Searcher, name: str, value: str) -> str | None:
    """The value that is spelt most like `value`; None where an entry has that, or none is near. As
    of a word's, its first letter is taken as right."""
    field = KEYWORDS[name]
    if len(value) < LENGTH_MIN or searcher.doc_freq(field, value):
        return None
    known = LISTED.get(name)
    if known is None:
        terms = searcher.terms_with_prefix(field, value[0], limit=VALUES_MAX)
        known = tuple(term for term, _ in terms)
    if value in known:
        return None
    most = 1 if len(value) < LENGTH_TWO else 2
    found = process.extractOne(value, known, scorer=OSA.distance, score_cutoff=most)
    return str(found[0]) if found else None
