"""Which of many texts are nearly the same, without comparing each with each."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from storage.index.similar import shingles, similarity

ROUNDING = 1e-9  # a product that is whole may come out a little larger


def alike(texts: Mapping[str, str], least: float) -> Iterator[tuple[str, str, float]]:
    """The pairs of names whose texts are similar by `least` (above 0) or more, each once.

    Two sets that share so much have one of their rarest members in common: of a set of n one of
    the n - ceil(least·n) + 1 rarest (prefix filtering: Chaudhuri, Ganti, Kaushik, ICDE 2006).
    """
    sets = {name: shingles(text) for name, text in texts.items()}
    counts = Counter(shingle for found in sets.values() for shingle in found)
    holders: dict[tuple[str, ...], list[str]] = {}
    for name, own in sets.items():
        rarest = sorted(own, key=lambda shingle: (counts[shingle], shingle))
        telling = rarest[: len(own) - math.ceil(least * len(own) - ROUNDING) + 1] if own else []
        others = {other for shingle in telling for other in holders.get(shingle, ())}
        for other in sorted(others):
            shared = similarity(own, sets[other])
            if shared >= least:
                yield other, name, shared
        for shingle in telling:
            holders.setdefault(shingle, []).append(name)
