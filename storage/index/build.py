"""Says in the engine's terms what a query asks for."""

import heapq
from collections.abc import Iterable, Iterator, Sequence

import tantivy

from storage.index.codes import is_message, is_name
from storage.index.filters import Filters
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
    leaves,
    ranks,
)
from storage.index.reading import AS_WRITTEN, Reading, as_written_in, named
from storage.index.schema import COUNTED, ENTRY, ORDERED, key, schema
from storage.index.text import stem
from storage.index.weights import (
    ALIKE_WEIGHT,
    BOOSTS_MAX,
    CARRIER_LESS,
    CODE_WEIGHTS,
    COUNT_MAX,
    OTHER_READING_LESS,
    PATTERN_SCORE,
    PIN_SCORE,
    SYNONYM_WEIGHT,
    WORD_SCORE_MAX,
    code_rarity,
)
from storage.index.wording import as_written, side_by_side

TERMS_MAX = 64  # distinct words that are scored: the rarest, in a longer text
LOOKED_UP_MAX = 100  # values that are looked up one by one; more are found quicker as a set
#: Where words and codes stand that a title holds.
_TITLED = (("words", "title_words"), ("codes", "title_codes"))

_MUST, _SHOULD, _MUST_NOT = tantivy.Occur.Must, tantivy.Occur.Should, tantivy.Occur.MustNot

Query = tantivy.Query
Clause = tuple[tantivy.Occur, tantivy.Query]


def code_score(asked: Understood) -> float:
    """What one code adds to a score: more than all words and phrases together can."""
    words = 0.0
    for leaf in leaves(asked.root):
        if isinstance(leaf, Words):
            words += sum(min(count, COUNT_MAX) for _, count in leaf.stems[:TERMS_MAX])
        elif isinstance(leaf, Phrase):
            words += len(leaf.stems)
        elif isinstance(leaf, Synonyms):
            words += max(map(len, leaf.others))
        else:
            words += 1
    return max(1000.0, BOOSTS_MAX * WORD_SCORE_MAX * words * _boost(asked.root))


def _boost(node: Node) -> float:
    """How much the boosts of a tree can multiply a score at most."""
    if isinstance(node, Boosted):
        return max(1.0, node.factor) * _boost(node.node)
    parts = (*node.wanted, *node.required) if isinstance(node, Group) else ()
    return max(map(_boost, parts), default=1.0)


class Builder:
    """Builds queries for one commit of the index."""

    def __init__(
        self,
        searcher: tantivy.Searcher,
        *,
        ranking: bool = True,
        reading: Reading | None = None,
    ) -> None:
        """Without `ranking` for counting: what only adds to scores is left out. `reading` is that
        of the whole search."""
        self._searcher = searcher
        self._ranking = ranking
        self._schema = schema()
        self.reading = reading or Reading(searcher)

    def counting(self) -> "Builder":
        """One that builds the same for counting."""
        return Builder(self._searcher, ranking=False, reading=self.reading)

    def query(self, asked: Understood, filters: Filters) -> tantivy.Query:
        """The engine's query for what was understood.

        Entries that hold one of the codes score above all others, those with it in the title
        above the rest.
        """
        must = [(_MUST, self.required(node)) for node in filters.nodes()]
        if asked.everything:
            must.append((_MUST, _silent(self._term("kind", ENTRY))))
        codes = [(_SHOULD, clause) for clause in self._scored_codes(asked)]
        return _boolean([*must, *self._clauses(asked.root), *codes], asked.root)

    def pinned(self, query: tantivy.Query, ids: Sequence[str], filters: Filters) -> tantivy.Query:
        """`query`, and before all that it finds these entries, if they pass the filters."""
        if not ids:
            return query
        must = [(_MUST, self.required(node)) for node in filters.nodes()]
        wanted: list[Clause] = [(_SHOULD, query)]
        for place, entry_id in enumerate(ids):
            score = PIN_SCORE * (len(ids) - place)
            found = Query.const_score_query(self.entry(entry_id), score)
            wanted.append((_SHOULD, Query.boolean_query([*must, (_MUST, found)])))
        return Query.boolean_query(wanted)

    def _clauses(self, group: Group) -> Iterator[Clause]:
        for node in group.required:
            yield _MUST, self.required(node)
        for node in group.wanted:
            for clause in self._wanted(node):
                yield _SHOULD, clause
        for node in group.excluded:
            yield _MUST_NOT, self.counting().required(node)

    def _wanted(self, node: Node) -> Iterable[tantivy.Query]:
        """Clauses each of which adds to the score of an entry."""
        if isinstance(node, Words) and node.stems:
            return self._scored_words(node)
        return (self.required(node),)

    def required(self, node: Node) -> tantivy.Query:
        """The query that an entry has to fit, as one clause."""
        match node:
            case Words():
                return self._any_of(self._exact_words(node))
            case Phrase():
                return self._phrase(node)
            case Alike():
                near = [self._term("text", word) for word in node.stems]
                return Query.boost_query(Query.disjunction_max_query(near), ALIKE_WEIGHT)
            case Synonyms():
                return self._synonyms(node)
            case Pattern():
                return self._pattern(node)
            case Fuzzy():
                return self._fuzzy(node)
            case Keyword():
                return _silent(self._keyword(node))
            case Range():
                return _silent(self._range(node))
            case Boosted():
                return Query.boost_query(self.required(node.node), node.factor)
            case Group():
                clauses = list(self._clauses(node))
                if not (node.wanted or node.required):
                    clauses.append((_MUST, _silent(self._term("kind", ENTRY))))
                return _boolean(clauses, node)

    def _exact_words(self, node: Words) -> Iterator[tantivy.Query]:
        for code in node.codes:
            yield _silent(self._term("codes", code))
        yield from self._scored_words(node)

    def _scored_codes(self, asked: Understood) -> Iterator[tantivy.Query]:
        return (query for _, _, query in self.each_code(asked))

    def each_code(self, asked: Understood) -> Iterator[tuple[str, str, tantivy.Query]]:
        """Each code that is asked for in each field of codes, and what finds it there."""
        score, messages = code_score(asked), sum(map(is_message, asked.codes))
        known = any(not is_name(code) and self._held(code) for code in asked.codes)
        read: set[str] = set()
        for code in asked.codes:
            number = code.lstrip("s+-")
            carries = is_message(code) and messages < len(asked.codes)
            less = CARRIER_LESS if carries else OTHER_READING_LESS if number in read else 1.0
            read.add(number)
            if known and is_name(code):  # of a job, a step: it tells where, and not what
                if self._held(code):
                    yield code, "codes", Query.const_score_query(self._term("codes", code), score)
            elif entries := self._held(code):
                worth = score * (1 + less * code_rarity(entries))
                for field, weight in CODE_WEIGHTS.items():
                    term = self._term(field, code)
                    yield code, field, Query.const_score_query(term, weight * worth)

    def _held(self, code: str) -> int:
        """How many entries hold a code."""
        return self._searcher.doc_freq("codes", code)

    def _scored_words(self, node: Words) -> Iterator[tantivy.Query]:
        yield from (query for _, _, query in self.each_word(node))
        yield from (query for _, _, query in self.each_wording(node))

    def each_word(self, node: Words) -> Iterator[tuple[str, int, tantivy.Query]]:
        """Each word that is scored, how often it counts, and what finds it."""
        words = node.stems
        if len(words) > TERMS_MAX:
            counted = ((self._searcher.doc_freq("text", pair[0]), pair) for pair in words)
            known = [(often, pair) for often, pair in counted if often]
            words = tuple(pair for _, pair in heapq.nsmallest(TERMS_MAX, known))
        for word, count in words:
            term, times = self._term("text", word), min(count, COUNT_MAX)
            yield word, times, Query.boost_query(term, float(times)) if times > 1 else term

    def each_wording(self, node: Words) -> Iterator[tuple[str, tuple[str, ...], tantivy.Query]]:
        """What adds to the score of entries that say it in the same words: how, which, and what
        finds it.

        Of words alone: all that it finds, they find too. A code is not the words it is written in.
        """
        if not (self._ranking and node.stems):
            return
        for word, query in as_written(self._searcher, node.text):
            yield "as written", (word,), query
        for pair, query in side_by_side(self._searcher, node.text):
            yield "side by side", pair, query

    def _phrase(self, node: Phrase) -> tantivy.Query:
        words: list[str | tuple[int, str]] = list(node.stems)
        if len(words) == 1:
            # The last word is a beginning, of a stem as well: `data se*` finds `data set`.
            find = self._beginning if node.prefix else self._term
            return find(node.field, node.stems[0])
        find_all = Query.phrase_prefix_query if node.prefix else Query.phrase_query
        fields = ORDERED if node.field == "text" else (node.field,)
        return self._any_of(find_all(self._schema, field, words) for field in fields)

    def _synonyms(self, node: Synonyms) -> tantivy.Query:
        others = [self._phrase(Phrase(words)) for words in node.others]
        others += [Query.const_score_query(self._term("codes", code), 1.0) for code in node.codes]
        best = Query.boost_query(Query.disjunction_max_query(others), SYNONYM_WEIGHT)
        if not node.category:
            return best
        within = _silent(self._term("within", key(node.category)))
        return Query.boolean_query([(_MUST, within), (_MUST, best)])

    def _pattern(self, node: Pattern) -> tantivy.Query:
        """Words and codes that fit, all worth the same; in a title twice as much."""
        found = []
        for field in as_written_in(node):
            if terms := self.reading.like(field, node.text):
                found.append(self._one_of(field, terms))
            if node.field not in AS_WRITTEN and terms:
                # Which words stand in this field is known of their stems alone.
                stems = self._one_of(node.field, sorted(set(map(stem, terms))))
                found = [Query.boolean_query([(_MUST, found[0]), (_MUST, stems)])]
        fitting = Query.const_score_query(self._any_of(found), PATTERN_SCORE)
        if not (self._ranking and node.field == "text"):
            return fitting
        # The same terms, so that nothing is found by its title alone.
        titled = (self._one_of(of, self.reading.like(field, node.text)) for field, of in _TITLED)
        return self._any_of((fitting, Query.const_score_query(self._any_of(titled), PATTERN_SCORE)))

    def _fuzzy(self, node: Fuzzy) -> tantivy.Query:
        """The word as written counts twice as much as one like it."""
        field, words = node.field, {node.text, stem(node.text)}
        if node.field in ("text", "title"):
            field, words = AS_WRITTEN[node.field][0], {node.text}
        near = (
            Query.fuzzy_term_query(self._schema, field, word, node.distance)
            for word in sorted(words)
        )
        exact = self._one_of(field, sorted(words))
        both = (self._any_of(near), exact)
        return self._any_of(Query.const_score_query(query, PATTERN_SCORE) for query in both)

    def _keyword(self, node: Keyword) -> tantivy.Query:
        if node.any:  # each entry has what is not counted: an id, a category
            counted = node.field in COUNTED
            return Query.exists_query(node.field) if counted else self._term("kind", ENTRY)
        if node.prefix:
            return self._any_of(self._beginning(field, node.values[0]) for field in named(node))
        return self._any_of(self._one_of(field, node.values) for field in named(node))

    def _range(self, node: Range) -> tantivy.Query:
        return Query.range_query(
            self._schema, node.field, tantivy.FieldType.Integer, node.low, node.high
        )

    def _beginning(self, field: str, beginning: str) -> tantivy.Query:
        """Every term of the field that begins so."""
        return Query.const_score_query(
            self._one_of(field, self.reading.beginning_with(field, beginning)), PATTERN_SCORE
        )

    def _one_of(self, field: str, values: Sequence[str]) -> tantivy.Query:
        """What holds one of the values, as a condition: what it scores is left open."""
        if len(values) > LOOKED_UP_MAX:
            return Query.term_set_query(self._schema, field, list(values))
        return self._any_of(self._term(field, value) for value in values)

    def _any_of(self, queries: Iterable[tantivy.Query]) -> tantivy.Query:
        found = list(queries)
        if len(found) == 1:
            return found[0]
        return Query.boolean_query([(_SHOULD, query) for query in found])

    def entry(self, entry_id: str) -> tantivy.Query:
        """What finds one entry."""
        return self._term("id", entry_id)

    def _term(self, field: str, value: str) -> tantivy.Query:
        return Query.term_query(self._schema, field, value)


def _boolean(clauses: list[Clause], group: Group) -> tantivy.Query:
    """All clauses in one, the engine's fastest form. Where nothing that ranks is required, one of
    what is wanted must be there; without a MUST the engine sees to that by itself."""
    occurs = {occur for occur, _ in clauses}
    one = {_MUST, _SHOULD} <= occurs and not any(map(ranks, group.required))
    return Query.boolean_query(clauses, minimum_number_should_match=1 if one else None)


def _silent(query: tantivy.Query) -> tantivy.Query:
    """`query` as a condition that adds nothing to the score."""
    return Query.const_score_query(query, 0.0)
