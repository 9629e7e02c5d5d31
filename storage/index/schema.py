"""What the index keeps of an entry, and in which fields."""

import functools
import zlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
import tantivy

from storage.index.codes import bare_codes, find_codes
from storage.index.ranking import success_rate
from storage.index.text import WORDS, clean, ready_words, remembered, words_of
from storage.index.weights import PROBLEM_WEIGHT, SOLUTION_WEIGHT, TAGS_WEIGHT, TITLE_WEIGHT

#: Of the fields and of how texts become words, codes and paths. Raise it with any change to these:
#: an index of another version is built anew.
SCHEMA_VERSION = 9

FIRST_WORDS = 3  # of a title: a code in them is what the entry is about ("FILE STATUS 35: ...")
SHOWN_MAX = 20_000  # characters of problem and of solution, kept for highlights
CODES = ("codes", "title_codes", "first_codes")
#: Beginnings that are looked up, since so many titles share them that gathering them takes long:
#: of words up to 3 letters, of titles (with a ^ before them) so many. What lies between two sizes
#: is found by the beginnings of the next one, which are few.
WORD_BEGINNINGS, TITLE_BEGINNINGS = range(1, 4), (2, 3, 5, 8, 12)
#: Where the words stand in their order, each once: what phrases are looked for in.
ORDERED = ("title", "problem", "solution", "labels")
#: What answers are counted by. `year` is that of the last change; `path` the category's, as
#: written, from the top of the tree down.
COUNTED = ("path", "tag", "severity", "status", "source", "author", "year")
STEP = "\x1f"  # between the categories of a path
BUCKETS = 256  # parts of nearly equal size that all entries can be read in

ENTRY, POSITION = "entry", "position"
#: Of an entry in the index: one without a solution is a draft.
DRAFT, ACTIVE = STATUSES = "draft", "active"


Fields = dict[str, str | int | bytes | list[str] | list[bytes]]


class IndexDocument(NamedTuple):
    """An entry as the index needs it. `updated_at` without a time zone is UTC."""

    id: str
    title: str
    problem: str
    solution: str
    category: str
    severity: str
    tags: Sequence[str]
    version: int
    updated_at: datetime
    #: The category's ancestors, its parent first: who looks for DB2 finds what is in a part of it.
    within: Sequence[str] = ()
    source: str = ""
    external_id: str = ""
    author: str = ""
    created_at: datetime | None = None  # None: when it was updated
    usage: int = 0
    success: int = 0
    failure: int = 0
    #: What it is said to be about (`custom.codes`), beside what its texts hold.
    codes: Sequence[str] = ()


@functools.cache
def schema() -> tantivy.Schema:
    """The fields. `text` is what is scored, and knows no order; `words` are words as written, each
    once.

    `title`, `problem` and `solution` answer who asks for that field, and with `labels` (tags, and
    codes of no shape) phrases; `title_words` (as written) and `begins` who has not finished
    typing. `raw` ones compare whole and exactly; of those, the `fast` ones are counted by facets.
    """
    builder = tantivy.SchemaBuilder()
    for name in ORDERED:
        builder = builder.add_text_field(name, tokenizer_name=WORDS)
    builder = builder.add_text_field("text", tokenizer_name=WORDS, index_option="freq")
    for name in ("words", "title_words"):
        builder = builder.add_text_field(name, tokenizer_name=WORDS, index_option="basic")
    for name in ("kind", "id", "name", "bucket", "category", "within", "begins", *CODES):
        builder = builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in COUNTED:
        builder = builder.add_text_field(
            name, tokenizer_name="raw", index_option="basic", fast=True
        )
    for name in ("updated", "created"):  # microseconds since 1970
        builder = builder.add_integer_field(name, fast=True)
    for name in ("usage", "success", "failure", "success_rate", "place"):
        builder = builder.add_integer_field(name, fast=True)
    for name in ("card", "more", "title_shown", "problem_shown", "solution_shown"):
        builder = builder.add_bytes_field(name, stored=True)
    return builder.build()


def prepare(index: tantivy.Index) -> tantivy.Index:
    """`index`, able to split words; an index does not keep its tokenizers."""
    index.register_tokenizer(WORDS, ready_words())
    return index


def key(name: str) -> str:
    """The form in which categories, severities and tags compare: case makes no difference."""
    return clean(name).casefold()


def bucket(entry_id: str) -> str:
    """Which of the BUCKETS an entry belongs to."""
    return f"{zlib.crc32(entry_id.encode()) % BUCKETS:02x}"


def place(entry_id: str) -> int:
    """Where an entry stands among its equals: 63 bits made of its id, the same in every index."""
    return int.from_bytes(blake2b(entry_id.encode(), digest_size=8).digest()) >> 1


def entry_document(entry: IndexDocument) -> tantivy.Document:
    """The document of an entry. Raises ValueError or TypeError for values that don't fit."""
    title, problem, solution = clean(entry.title), clean(entry.problem), clean(entry.solution)
    tags = [clean(tag) for tag in entry.tags]
    fields: Fields = {
        **_keywords(entry, bool(solution.strip())),
        **_numbers(entry),
        **_texts(title, problem, solution, tags, entry.codes),
        "card": _card(entry, tags),
        "more": _more(entry),
    }
    for name, text in (("title", title), ("problem", problem), ("solution", solution)):
        fields[f"{name}_shown"] = [text[:SHOWN_MAX].encode()] if text else []
    # At once: a call for each value took as long as splitting the texts.
    document: tantivy.Document = tantivy.Document.from_dict(fields, schema())
    return document


def _keywords(entry: IndexDocument, solved: bool) -> Fields:
    category = key(entry.category)
    path = [clean(name).replace(STEP, " ") for name in (*reversed(entry.within), entry.category)]
    return {
        "kind": ENTRY,
        "id": entry.id,
        "bucket": bucket(entry.id),
        "category": category,
        "severity": key(entry.severity),
        "status": ACTIVE if solved else DRAFT,
        "year": str(entry.updated_at.year),
        "within": list({category, *map(key, entry.within)}),
        "path": STEP.join(path),
        "name": [key(entry.external_id)] if entry.external_id else [],
        "source": [key(entry.source)] if entry.source else [],
        "author": [key(entry.author)] if entry.author else [],
    }


def _numbers(entry: IndexDocument) -> Fields:
    rate = success_rate(entry.success, entry.failure)
    return {
        "updated": microseconds(entry.updated_at),
        "created": microseconds(entry.created_at or entry.updated_at),
        "usage": entry.usage,
        "success": entry.success,
        "failure": entry.failure,
        "success_rate": round(rate * 1_000_000),
        "place": place(entry.id),
    }


def _texts(title: str, problem: str, solution: str, tags: list[str], said: Sequence[str]) -> Fields:
    title_codes, heading = find_codes(title), words_of(title)
    codes, words = set(title_codes), set(heading.written)
    # Values of their own, so that no phrase runs from one into the next.
    scored: list[str] = []
    labels: list[str] = []
    fields: Fields = {}
    for field, text, weight in (
        ("problem", problem, PROBLEM_WEIGHT),
        ("solution", solution, SOLUTION_WEIGHT),
    ):
        if text:
            found = words_of(text)
            fields[field] = found.stems
            scored += [found.stems] * weight
            codes.update(find_codes(text))
            words.update(found.written)
    for told in map(_told, tags):
        labels.append(told.stems)
        scored += [told.stems] * TAGS_WEIGHT
        codes.update(told.codes)
        words.update(told.words)
    for code in map(clean, said):
        if shaped := find_codes(code) or bare_codes(code):
            codes.update(shaped)
        else:  # of no shape that we know: its words find it
            found = words_of(code)
            labels.append(found.stems)
            scored.append(found.stems)
            words.update(found.written)
    return fields | {
        "tag": [_told(tag).key for tag in tags],
        "text": scored + [heading.stems] * TITLE_WEIGHT,
        "title": heading.stems,
        "labels": labels,
        "title_words": " ".join(heading.written),
        "begins": _beginnings(title, heading.written),
        "words": " ".join(words),
        "title_codes": title_codes,
        "first_codes": _first_codes(title, title_codes),
        "codes": list(codes),
    }


def _beginnings(title: str, words: Iterable[str]) -> list[str]:
    start = key(title[: TITLE_BEGINNINGS[-1]])
    begins = {word[:size] for word in words for size in WORD_BEGINNINGS}
    return list(begins.union([f"^{start[:size]}" for size in TITLE_BEGINNINGS]))


def _first_codes(title: str, title_codes: list[str]) -> list[str]:
    first = " ".join(title.split(None, FIRST_WORDS)[:FIRST_WORDS])
    # The beginning of a text without codes has none either.
    return find_codes(first) if title_codes or not title.startswith(first) else []


class _Told(NamedTuple):
    """What a tag says to the index."""

    key: str
    stems: str
    codes: tuple[str, ...]
    words: tuple[str, ...]


@remembered
def _told(tag: str) -> _Told:
    """A tag seldom comes alone, or once."""
    found = words_of(tag)
    return _Told(key(tag), found.stems, tuple(find_codes(tag)), tuple(found.written))


def _card(entry: IndexDocument, tags: list[str]) -> bytes:
    """The part of a SearchHit that does not depend on the search, without the title, as a JSON
    object."""
    card = {
        "id": entry.id,
        "category": clean(entry.category),
        "severity": entry.severity,
        "tags": tags,
        "version": entry.version,
        "updated_at": entry.updated_at,
    }
    return orjson.dumps(card, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _more(entry: IndexDocument) -> list[bytes]:
    """What hits show to who asks for it, as a JSON object without what is empty; and when it was
    created, if that is not when it was updated. None if all of it is empty."""
    names = ("source", "external_id", "author")
    more: dict[str, Any] = {name: clean(text) for name in names if (text := getattr(entry, name))}
    if entry.created_at not in (None, entry.updated_at):
        more["created_at"] = entry.created_at
    return [orjson.dumps(more, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)] if more else []


def microseconds(moment: datetime) -> int:
    """`moment` as microseconds since 1970; one without a time zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000)
