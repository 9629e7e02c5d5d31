"""Why a hit has its score: what each thing that was asked for adds to it, for a person.

The engine says what each part of the query gives the entry; the ranking says what it adds to that.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import tantivy

from storage.index.build import Builder
from storage.index.few import Few
from storage.index.grammar import (
    Alike,
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Range,
    Synonyms,
    Understood,
    Words,
)
from storage.index.ranking import Ranking
from storage.index.standing import Texts
from storage.index.text import clean, stem, written_words
from storage.index.weights import PIN_SCORE

_CODE_FIELDS = {
    "codes": "code",
    "title_codes": "title",
    "first_codes": "beginning of title",
}
_BOOSTS = {
    "title": "a title that is like the query",
    "usage": "how often it was used",
    "success": "how often it helped",
    "recency": "how lately it changed",
}
_DIGITS = 4  # after the point of a score
_TINY = 1e-5  # of a score: how exactly the engine's numbers can be added up


#: Words, how often each counts; and how they are said, both with what finds them.
_Clauses: TypeAlias = tuple[
    list[tuple[str, int, tantivy.Query]], list[tuple[str, tuple[str, ...], tantivy.Query]]
]


class Part(NamedTuple):
    """What one thing adds to the score."""

    kind: str
    text: str
    field: str
    boost: float
    score: float


class _Hit(NamedTuple):
    """What is explained: one of a few entries."""

    address: tantivy.DocAddress
    few: Few
    texts: Texts

    def value(self, query: tantivy.Query) -> float | None:
        """What `query` alone gives it; None if it does not fit that."""
        return self.few.value(query, self.address)


class Explainer:
    """Explains the hits of one search: what asks the engine is built once for all of them."""

    def __init__(
        self,
        builder: Builder,
        asked: Understood,
        query: tantivy.Query,
        q: str,
        ranking: Ranking,
    ) -> None:
        self._builder = builder
        self._asked = asked
        self._query = query
        self._ranking = ranking
        self._clauses: dict[int, _Clauses] = {}
        self._required: dict[int, tantivy.Query] = {}
        self._codes = list(builder.each_code(asked))
        self._written = {stem(word): word for word in reversed(written_words(clean(q)))}

    def one(
        self, score: float, address: tantivy.DocAddress, document: tantivy.Document, few: Few
    ) -> dict[str, Any]:
        """An Explanation of a hit whose score is `score`; it is one of the `few`."""
        if score >= PIN_SCORE:
            return _pinned(round(score, _DIGITS))
        hit = _Hit(address, few, Texts(document))
        parts = [*self._of_codes(hit), *self._parts(self._asked.root, 1.0, hit)]
        parts += self._boosts(score, hit)
        parts = _adding_up(parts, round(score, _DIGITS))
        parts.sort(key=lambda part: -part.score)
        return {"text": _told(score, parts), "parts": [part._asdict() for part in parts]}

    def _boosts(self, score: float, hit: _Hit) -> Iterator[Part]:
        """What the ranking has added, boost by boost; the title's counts for the first hits."""
        engine = hit.value(self._query) or 0.0
        lifted = score - engine
        if lifted <= _TINY * score:
            return
        boosts = self._ranking.parts(engine, hit.address)
        if abs(sum(boosts.values()) - lifted) > _TINY * score:
            boosts.pop("title", None)
        if abs(sum(boosts.values()) - lifted) <= _TINY * score:
            yield from (Part("boost", _BOOSTS[name], "", 1.0, n) for name, n in boosts.items())

    def _of_codes(self, hit: _Hit) -> Iterator[Part]:
        for code, field, query in self._codes:
            if score := hit.value(query):
                yield Part("code", code, _CODE_FIELDS[field], 1.0, score)

    def _parts(self, node: Node, boost: float, hit: _Hit) -> Iterator[Part]:
        """What `node` adds, thing by thing; nothing if the entry does not fit it as a whole."""
        if isinstance(node, Boosted):
            yield from self._parts(node.node, boost * node.factor, hit)
        elif isinstance(node, Group):
            if node is self._asked.root or self._value(node, hit) is not None:
                for one in (*node.required, *node.wanted):
                    yield from self._parts(one, boost, hit)
        elif isinstance(node, Words):
            words, wordings = self._scoring(node)
            for word, times, query in words:
                if score := hit.value(query):
                    part = Part("word", self._shown((word,)), "", boost * times, boost * score)
                    yield from _split(part, hit.texts.shares((word,)))
            for how, said, query in wordings:
                if score := hit.value(query):
                    part = Part(how, self._shown(said), "", boost, boost * score)
                    yield from _split(part, hit.texts.shares(tuple(map(stem, said))))
        elif not isinstance(node, Keyword | Range):
            yield from self._whole(node, boost, hit)

    def _scoring(self, node: Words) -> _Clauses:
        """What scores the words of `node`."""
        if id(node) not in self._clauses:
            words = list(self._builder.each_word(node))
            self._clauses[id(node)] = words, list(self._builder.each_wording(node))
        return self._clauses[id(node)]

    def _value(self, node: Node, hit: _Hit) -> float | None:
        """What `node` as a whole gives it."""
        if id(node) not in self._required:
            self._required[id(node)] = self._builder.required(node)
        return hit.value(self._required[id(node)])

    def _whole(self, node: Node, boost: float, hit: _Hit) -> Iterator[Part]:
        """A phrase, a pattern or a word with mistakes."""
        score = self._value(node, hit)
        if not score:
            return
        match node:
            case Phrase():
                shown = self._shown(node.stems) + ("*" if node.prefix else "")
                kind = "phrase" if len(node.stems) > 1 else "word"
                part = Part(kind, shown, node.field, boost, boost * score)
                shares = (
                    hit.texts.shares(node.stems, prefix=node.prefix) if node.field == "text" else {}
                )
                yield from _split(part, shares or {node.field: 1.0})
            case Alike():
                part = Part("fuzzy", " or ".join(node.stems), "", boost, boost * score)
                yield from _split(
                    part, hit.texts.shares_of_any(tuple((word,) for word in node.stems))
                )
            case Synonyms():
                part = Part("synonym", _ways(node), "", boost, boost * score)
                yield from _split(part, hit.texts.shares_of_any(node.others))
            case Pattern() | Fuzzy():
                kind = "pattern" if isinstance(node, Pattern) else "fuzzy"
                field = hit.texts.first_with(node)
                yield Part(kind, node.text, field, boost, boost * score)

    def _shown(self, words: tuple[str, ...]) -> str:
        """Stems as the words that were typed."""
        return " ".join(self._written.get(word, word) for word in words)


def _ways(node: Synonyms) -> str:
    return f"{' or '.join(map(' '.join, node.others))} for {' '.join(node.said)}"


def _split(part: Part, shares: dict[str, float]) -> Iterator[Part]:
    for field, share in shares.items():
        yield part._replace(field=field, score=part.score * share)


def _pinned(score: float) -> dict[str, Any]:
    """Beside the score of a pin no other can be told."""
    part = Part("pin", "this query", "", 1.0, score)
    return {"text": "Somebody has pinned it to this query.", "parts": [part._asdict()]}


def _adding_up(parts: list[Part], score: float) -> list[Part]:
    """The parts with rounded scores whose sum is `score`.

    What they do not account for was added after the words were counted: by the ranking.
    """
    parts = [part._replace(score=round(part.score, _DIGITS)) for part in parts]
    rest = round(score - sum(part.score for part in parts), _DIGITS)
    if abs(rest) > max(0.01, abs(score) * _TINY):
        return [*parts, Part("ranking", "", "", 1.0, rest)]
    if rest and parts:  # of rounding
        most = max(range(len(parts)), key=lambda place: parts[place].score)
        parts[most] = parts[most]._replace(score=round(parts[most].score + rest, _DIGITS))
    return parts


def _told(score: float, parts: list[Part]) -> str:
    """One sentence: the parts from the largest down."""
    if not parts:
        return "Nothing was asked for that could make one entry better than another."
    said = "; ".join(f"{part.score:.4g} {_said(part)}" for part in parts)
    return f"{score:.4g}: {said}."


def _said(part: Part) -> str:
    if part.kind == "ranking":
        return "for the ranking"
    if part.kind == "boost":
        return f"for {part.text}"
    times = f", counted {part.boost:g} times" if part.boost != 1 else ""
    where = "in the entry" if part.field in ("code", "text") else f"in the {part.field}"
    return f"for {part.kind} {part.text} {where}{times}"
