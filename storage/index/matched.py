"""By what an entry was found: the surest thing of all that it fits."""

from collections.abc import Iterator

import tantivy

from storage.index.build import Builder, code_score
from storage.index.few import Few
from storage.index.grammar import (
    Alike,
    Fuzzy,
    Keyword,
    Node,
    Phrase,
    Range,
    Synonyms,
    Understood,
    leaves,
)
from storage.index.weights import PIN_SCORE

#: From the surest to the vaguest. `all` is for a search that asks for nothing in particular.
PINNED, CODE, PHRASE, WORDS, SYNONYM, FUZZY, SEMANTIC, ALL = (
    *("pinned", "code", "phrase", "words"),
    *("synonym", "fuzzy", "semantic", "all"),
)


def kind(leaf: Node) -> str:
    """What finding `leaf` in an entry would be called."""
    match leaf:
        case Phrase(stems=stems) if len(stems) > 1:
            return PHRASE
        case Fuzzy() | Alike():
            return FUZZY
        case Synonyms():
            return SYNONYM
        case _:
            return WORDS


class Matched:
    """Tells by what each hit of one search was found."""

    def __init__(self, builder: Builder, asked: Understood) -> None:
        self._asked = asked
        self._code_score = code_score(asked)
        #: Where hits may be near by meaning alone: what those of words fit.
        self.lexical: tantivy.Query | None = None
        by_kind: dict[str, list[Node]] = {}
        for leaf in leaves(asked.root):
            if not isinstance(leaf, Keyword | Range):
                by_kind.setdefault(kind(leaf), []).append(leaf)
        sure = [name for name in (PHRASE, WORDS, SYNONYM, FUZZY) if name in by_kind]
        self._vaguest = sure[-1] if sure else WORDS
        # Most searches are of one kind, and need no second look.
        self._surer = [
            (name, [builder.required(leaf) for leaf in by_kind[name]]) for name in sure[:-1]
        ]

    def one(self, score: float, address: tantivy.DocAddress, few: Few) -> str:
        """By what the hit was found, which is one of the `few`."""
        if score >= PIN_SCORE:
            return PINNED
        if self._asked.everything:
            return ALL
        if self._asked.codes and score >= self._code_score:
            return CODE
        if self.lexical and few.value(self.lexical, address) is None:
            return SEMANTIC
        return next(self._fitting(address, few), self._vaguest)

    def _fitting(self, address: tantivy.DocAddress, few: Few) -> Iterator[str]:
        for name, queries in self._surer:
            if any(few.value(query, address) is not None for query in queries):
                yield name
