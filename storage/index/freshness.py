"""Whether an answer that was computed before is still the answer.

An answer that was computed at a position holds as long as nothing that it looked at was touched
after it. A search that is narrowed to categories looks at these (and their parts), any other at
everything. What it shows of entries, which of them match, and what it counts is then as it would be
computed now. Scores, the order that follows from them, and guesses at misspelt words rest on how
frequent words are in the whole index: these are as of the answer's position, and how long such an
answer is used is bounded by its age. See docs/decisions/0021-caches.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from contracts.position import Position
from storage.index.published import Published
from storage.index.schema import SCHEMA_VERSION, key
from storage.index.touched import Touched


def edition(language: str, tuning: int, built: float) -> str:
    """What an answer rests on beside its position: how texts are read, what was tuned, and, last,
    which index it is."""
    return f"{SCHEMA_VERSION}.{language}.{tuning}.{built:.6f}"


@dataclass(frozen=True, slots=True)
class Fresh:
    """What is published, as far as it says which answers hold."""

    position: Position
    edition: str
    _touched: Touched
    _last: Position
    #: Other nodes' indexes that are as far: each knows of its own answers what it has touched.
    _peers: tuple["Fresh", ...] = ()

    @classmethod
    def of(cls, published: Published, tuning: int = 0) -> "Fresh":
        """`tuning` is the version of the synonyms, pins and popular queries beside the index."""
        known = published.touched or Touched.everything(published.position, 0.0)
        last = max([known.rest, *known.categories.values()])
        told = edition(published.language, tuning, known.built)
        return cls(published.position, told, known, last)

    @classmethod
    def furthest(cls, nodes: Iterable["Fresh"]) -> "Fresh | None":
        """What several nodes have published, by the one that is furthest; all of one epoch."""
        known = sorted(nodes, key=cls._rank, reverse=True)
        if not known:
            return None
        first, *others = known
        return replace(first, _peers=tuple(one for one in others if one._is_level(first)))

    def at_least(self, position: Position) -> "Fresh":
        """The same where somebody is seen to be at `position`; further than what was published, it
        says nothing of what was touched on the way."""
        if position.epoch != self.position.epoch or self.position.reaches(position):
            return self
        touched = Touched.everything(position, self._touched.built)
        return Fresh(position, self.edition, touched, position)

    def since(self, categories: Iterable[str] = ()) -> Position:
        """The last position at which one of these was touched; without any, anything."""
        known, rest = self._touched.categories, self._touched.rest
        return max((known.get(key(name), rest) for name in categories), default=self._last)

    def valid(
        self, position: str, made: str, categories: Iterable[str] = (), *, asked: float
    ) -> bool:
        """Whether an answer from this position holds for a request that looks at these categories.

        `made` is its edition, `asked` when it was asked for, in Unix seconds: before this index was
        built it may have been answered by a damaged one. An answer of another node's index has to
        be as new as anything here: what two indexes hold at one position may differ by what was
        written just then.
        """
        own = next((one for one in self._peers if one.edition == made), self)
        return own._holds(position, made, categories, asked)

    def _rank(self) -> tuple[Position, int, str]:
        return self.position, int(self.edition.split(".", 3)[2]), self.edition

    def _is_level(self, first: "Fresh") -> bool:
        """Whether its answers are as new as those of `first`, read and tuned in the same way."""
        same = self.edition.split(".", 3)[:3] == first.edition.split(".", 3)[:3]
        return same and self.position.reaches(first.position)

    def _holds(self, position: str, made: str, categories: Iterable[str], asked: float) -> bool:
        ours, others = (text.split(".", 3) for text in (self.edition, made))
        if ours[:3] != others[:3] or asked < self._touched.built:
            return False
        try:
            stands = Position.parse(position)
        except ValueError:
            return False
        return stands.reaches(self.since(categories if ours == others else ()))
