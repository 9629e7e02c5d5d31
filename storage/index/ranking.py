"""Puts the first hits of a search in their final order, by what the engine's score can't see."""

import functools
import math
import time
from collections.abc import Iterable, Sequence
from itertools import takewhile
from operator import add

import tantivy

from storage.index.grammar import Understood, Words, leaves
from storage.index.stored import shown
from storage.index.text import remembered, stems
from storage.index.weights import BESIDE_CODES, HALF_LIFE, PIN_SCORE, USED_OFTEN, Profile

WINDOW = 200  # hits that are looked at; all that follow stay where they are
TITLES = 30  # hits, of these, whose titles are read: no title lifts an entry from further down

Hit = tuple[float, tantivy.DocAddress]
_DAY = 86_400  # seconds
_DAY_MICROSECONDS = _DAY * 1_000_000


class Ranking:
    """Boosts for the hits of one search of one commit.

    A boost is never negative, so that no hit of the window falls below those that follow it.
    """

    def __init__(self, searcher: tantivy.Searcher, asked: Understood, profile: Profile) -> None:
        self._searcher = searcher
        self._documents: dict[tuple[int, int], tantivy.Document] = {}
        self._profile = profile
        #: What use, success and age can add at most.
        self._record_max = profile.usage + profile.success + profile.recency
        self._codes = bool(asked.codes)
        runs = (leaf.stems for leaf in leaves(asked.root) if isinstance(leaf, Words))
        self._words = frozenset(word for run in runs for word, _ in run)

    def order(self, hits: Sequence[Hit], most: int = WINDOW) -> list[Hit]:
        """The engine's hits, the first WINDOW with their boosts; ties stay in its order.

        Only the first `most` are wanted: what no boost can lift among them is left out.
        """
        first = self._lifted(hits[: min(WINDOW, max(TITLES, most))])
        if len(first) < min(WINDOW, len(hits)):
            least = sorted((score for score, _ in first), reverse=True)[most - 1]
            rest = hits[len(first) : WINDOW]  # by their scores, so the first out ends it
            near = takewhile(lambda hit: self._at_most(hit[0]) > least, rest)
            first += self._lifted(list(near), titles=False)
        first.sort(key=lambda hit: -hit[0])
        return [*first, *hits[WINDOW:]]

    def _lifted(self, hits: Sequence[Hit], *, titles: bool = True) -> list[Hit]:
        return [
            (score + self._points(score) * boost, address)
            for (score, address), boost in zip(hits, self._boosts(hits, titles), strict=True)
        ]

    def _at_most(self, score: float) -> float:
        """What a score can become without its title."""
        return score + self._points(score) * self._record_max

    def _points(self, score: float) -> float:
        """What a boost is a part of; pinned entries stay where they are."""
        if score >= PIN_SCORE:
            return 0.0
        return min(score, BESIDE_CODES) if self._codes else score

    def _boosts(self, hits: Sequence[Hit], titles: bool) -> list[float]:
        addresses = [address for _, address in hits]
        records = map(sum, self._records(addresses))
        if not titles:
            return list(records)
        return list(map(add, self._titles(addresses), records))

    def parts(self, score: float, address: tantivy.DocAddress) -> dict[str, float]:
        """What each boost adds to the engine's score of one hit of the window, by its name."""
        points = self._points(score)
        (title,), (record,) = self._titles([address]), self._records([address])
        return {
            name: points * boost
            for name, boost in zip(
                ("title", "usage", "success", "recency"), (title, *record), strict=True
            )
            if boost
        }

    def document(self, address: tantivy.DocAddress) -> tantivy.Document:
        """What is stored of an entry. Most hits that are shown have been ranked before: to read
        one again would cost as much as to show it."""
        place = address.segment_ord, address.doc
        known = self._documents.get(place)
        if known is None:
            known = self._documents[place] = self._searcher.doc(address)
        return known

    def _titles(self, addresses: Sequence[tantivy.DocAddress]) -> list[float]:
        if not (self._words and self._profile.title):
            return [0.0] * len(addresses)
        titles = (_words(shown(self.document(address), "title")) for address in addresses[:TITLES])
        found = [self._profile.title * likeness(self._words, title) for title in titles]
        return found + [0.0] * (len(addresses) - len(found))

    def _records(
        self, addresses: Sequence[tantivy.DocAddress]
    ) -> Iterable[tuple[float, float, float]]:
        """What an entry's use, success and age are worth."""
        profile, places = self._profile, list(addresses)
        usage, success, failure, updated = (
            self._searcher.fast_field_values(field, places)
            for field in ("usage", "success", "failure", "updated")
        )
        today = int(time.time() // _DAY)
        worth = profile.usage, profile.success, profile.recency
        # Most hits were never used, and many changed on the same few days.
        for used, helped, failed, changed in zip(usage, success, failure, updated, strict=True):
            day = int(changed or 0) // _DAY_MICROSECONDS
            yield _record(worth, used or 0, helped or 0, failed or 0, today - day)


@functools.lru_cache(maxsize=10_000)
def _record(
    worth: tuple[float, float, float], used: float, helped: float, failed: float, days: float
) -> tuple[float, float, float]:
    usage, success, fresh = worth
    return usage * popularity(used), success * success_rate(helped, failed), fresh * recency(days)


@remembered
def _words(title: str) -> frozenset[str]:
    return frozenset(stems(title).split())


def likeness(asked: frozenset[str], title: frozenset[str]) -> float:
    """1 if a title holds all words that are asked for and no others, 0 if it holds none of them.

    The part of the title that is asked for, times the part of what is asked for that is in it.
    """
    shared = len(asked & title)
    return shared * shared / (len(asked) * len(title)) if shared else 0.0


def popularity(usage: float) -> float:
    """0 for an entry that was never used, 1 for one that was used USED_OFTEN times or more."""
    return min(1.0, math.log1p(max(0, usage)) / math.log1p(USED_OFTEN))


def success_rate(success: float, failure: float) -> float:
    """The part of reported uses that were successes, as if one of each had been before (Laplace):
    a first report moves it from 0.5 to 0.67 or 0.33, and not all the way."""
    return (success + 1) / (success + failure + 2)


def recency(days: float) -> float:
    """1 for what changed today, half as much every HALF_LIFE."""
    return math.exp2(-max(0, days) / HALF_LIFE)
